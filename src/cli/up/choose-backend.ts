// Which model server `up` connects: the demo, the one named, or the best one found on this machine.
import type { Clock } from "../../base/clock.ts";
import { UsageError } from "../../base/errors.ts";
import { findBackends, listModels, USUAL_PLACES, type FoundBackend } from "../model-server/find-backend.ts";

export interface ChosenBackend {
  readonly name: string;
  readonly url: URL;
  /** None when it lists none yet, or does not answer yet. */
  readonly models: readonly string[];
  /** The other ones found. */
  readonly others: readonly FoundBackend[];
  readonly stop: () => Promise<void>;
}

interface Wish {
  readonly isDemo: boolean;
  /** Tokens a second; 0: as fast as it can. */
  readonly demoSpeed: number;
  readonly backendUrl: URL | null;
  readonly apiKey: string | null;
}

/** @throws UsageError when nothing was named and nothing is found. */
export async function chooseBackend(wish: Wish, clock: Clock): Promise<ChosenBackend> {
  if (wish.isDemo) return await startDemo(wish.demoSpeed, clock);
  if (wish.backendUrl !== null) {
    const models = await listModels(wish.backendUrl, { apiKey: wish.apiKey, limitMs: NAMED_LIMIT_MS });
    return { name: "the backend", url: wish.backendUrl, models: models ?? [], others: [], stop: NOTHING_TO_STOP };
  }
  return bestOf(await findBackends());
}

/** The first that has models; one that has none yet is better than nothing. */
export function bestOf(found: readonly FoundBackend[]): ChosenBackend {
  const best = found.find((backend) => backend.models.length > 0) ?? found[0];
  if (best === undefined) throw new UsageError(nothingFound());
  return { ...best, others: found.filter((backend) => backend !== best), stop: NOTHING_TO_STOP };
}

// It was named, so it is worth a moment; it may be on another machine.
const NAMED_LIMIT_MS = 3_000;
const NOTHING_TO_STOP = () => Promise.resolve();

async function startDemo(tokensPerSecond: number, clock: Clock): Promise<ChosenBackend> {
  const { startDemoBackend } = await import("../../demo/demo.ts");
  const demo = startDemoBackend({ port: 0, tokensPerSecond, clock });
  return { name: "the built-in demo backend", url: demo.url, models: ["demo"], others: [], stop: () => demo.stop() };
}

function nothingFound(): string {
  const tried = USUAL_PLACES.map(({ name, port }) => `  http://127.0.0.1:${port}  ${name}`);
  return [
    "no model server found on this machine. Asked:",
    ...tried,
    "Start one of these and try again, name yours with --backend-url http://HOST:PORT, or try everything without a model: modelrelay up --demo",
  ].join("\n");
}
