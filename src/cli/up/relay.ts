// The relay and the worker of `up`: both in this process, talking to each other over a real socket.
import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { UsageError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { SERVE_DEFAULTS, type ServeConfig } from "../../server/config.ts";
import type { RunningServer } from "../../server/server.ts";
import { WORK_DEFAULTS, type WorkConfig } from "../../worker/config.ts";
import type { RunningWorker } from "../../worker/worker.ts";
import { reachableUrl, type ListenAddress } from "../options/addresses.ts";
import type { UP_OPTIONS } from "./options.ts";
import type { Parsed } from "../options/parse.ts";
import { resolveSecret } from "../options/secrets.ts";
import { toClientRules } from "../serve/config.ts";
import { isAddressInUse, startOrRefuse } from "../start-or-refuse.ts";

export interface Relay {
  /** Where it listens at last. */
  readonly listen: ListenAddress;
  readonly server: RunningServer;
  readonly worker: RunningWorker;
  /** Whether the secret was made up for this run, so that no other worker can join. */
  readonly isPrivate: boolean;
}

interface RelayWorld {
  readonly log: Log;
  readonly clock: Clock;
  /** The relay's: its deadlines count no time in which the process stood still. */
  readonly steady: Clock;
}

/** `takenPorts` are left alone when the address was not chosen by the user. @throws UsageError when it cannot listen. */
export async function startRelay(
  parsed: Parsed<typeof UP_OPTIONS>,
  backend: { readonly url: URL; readonly apiKey: string | null; readonly takenPorts: readonly number[] },
  world: RelayWorld,
): Promise<Relay> {
  const { values, origins } = parsed;
  const given = resolveSecret(
    { value: values.workerSecret, origin: origins.workerSecret },
    { value: values.workerSecretFile, origin: origins.workerSecretFile },
  );
  const workerSecret = given ?? randomBytes(SECRET_BYTES).toString("hex");
  const [{ startServer }, { startWorker }] = await Promise.all([import("../../server/server.ts"), import("../../worker/worker.ts")]);

  const serveConfig: ServeConfig = {
    ...SERVE_DEFAULTS,
    publicUrl: values.publicUrl,
    workerSecret,
    ...toClientRules(values),
    // The one worker is in this process: a model it does not offer will not come.
    modelGraceMs: origins.modelGraceMs.kind === "default" ? OWN_WORKER_GRACE_MS : values.modelGraceMs,
    listen: values.listen,
  };
  const isChosen = origins.listen.kind !== "default";
  const candidates = isChosen ? [values.listen] : freeCandidates(values.listen, backend.takenPorts);
  const server = startOnFirstFree(candidates, (listen) => startServer({ ...serveConfig, listen }, { log: world.log, clock: world.steady }));

  const listen = { host: values.listen.host, port: Number(server.url.port) };
  const workConfig: WorkConfig = {
    proxyUrl: new URL(reachableUrl(listen)),
    workerSecret,
    backendUrl: backend.url,
    backendApiKey: backend.apiKey,
    models: values.models,
    provider: serveConfig.provider,
    tlsCa: WORK_DEFAULTS.tlsCa,
    workerName: WORK_DEFAULTS.workerName,
    maxConcurrency: values.maxConcurrency,
    drainTimeoutMs: values.drainTimeoutMs,
  };
  return { listen, server, worker: startWorker(workConfig, world), isPrivate: given === null };
}

/** The default port and those after it, without the taken ones. */
export function freeCandidates({ host, port }: ListenAddress, takenPorts: readonly number[]): readonly ListenAddress[] {
  return Array.from({ length: PORTS_TRIED }, (_, step) => port + step)
    .filter((candidate) => !takenPorts.includes(candidate))
    .map((candidate) => ({ host, port: candidate }));
}

/** Starts at the first address that is not in use. @throws CommandError when none can be listened on; see startOrRefuse */
export function startOnFirstFree<T>(candidates: readonly ListenAddress[], start: (listen: ListenAddress) => T): T {
  for (const listen of candidates.slice(0, -1)) {
    try {
      return start(listen);
    } catch (error) {
      if (!isAddressInUse(error)) throw error;
    }
  }
  const last = candidates.at(-1);
  if (last === undefined) throw new UsageError("no free port found; choose one with --listen");
  return startOrRefuse(last, () => start(last));
}

/** Resolves once the worker is registered with models to offer, or when it is clear that this takes longer. */
export async function untilReady(worker: RunningWorker, clock: Clock, limitMs = READY_LIMIT_MS): Promise<boolean> {
  const untilMs = clock.nowMs() + limitMs;
  const isReady = () => worker.status().connection === "registered" && worker.status().models.length > 0;
  while (!isReady() && clock.nowMs() < untilMs) await new Promise<void>((resolve) => clock.startTimer(READY_POLL_MS, resolve));
  return isReady();
}

const OWN_WORKER_GRACE_MS = 2_000;
const SECRET_BYTES = 32;
const PORTS_TRIED = 20;
const READY_LIMIT_MS = 5_000;
const READY_POLL_MS = 10;
