// The whole way for the official SDKs: client library, relay, worker, backend, all over real sockets.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { type DemoBackend, startDemoBackend } from "../../src/demo/demo.ts";
import type { ServeConfig } from "../../src/server/config.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { type FakeBackend, startFakeBackend } from "../support/fake-backend.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { startTestWorker, type TestWorker } from "../support/running-worker.ts";

export interface Clients {
  readonly openai: OpenAI;
  readonly anthropic: Anthropic;
  /** What they ask for. */
  readonly model: string;
}

/** Both SDKs with nothing but their base URL changed; they try once, so that a failure shows. */
export function clientsOf(relay: { readonly url: URL }, model = "m"): Clients {
  return {
    openai: new OpenAI({ apiKey: "none", baseURL: new URL("/v1", relay.url).href, maxRetries: 0 }),
    anthropic: new Anthropic({ apiKey: "none", baseURL: relay.url.origin, maxRetries: 0 }),
    model,
  };
}

interface Stack extends Clients, AsyncDisposable {
  readonly relay: TestRelay;
  readonly worker: TestWorker;
}

export interface FakeStack extends Stack {
  readonly backend: FakeBackend;
}

export interface DemoStack extends Stack {
  readonly demo: DemoBackend;
}

/** In front of a backend that does as the test says. Its worker serves the model `m` with four slots. */
export async function startFakeStack(answer: Answer, settings: Partial<ServeConfig> = {}): Promise<FakeStack> {
  const backend = startFakeBackend(answer);
  return { ...(await startStack({ url: new URL(backend.url), stop: () => backend.stop() }, ["m"], settings)), backend };
}

/** In front of the demo backend, speaking as fast as it can unless told otherwise. */
export async function startDemoStack(tokensPerSecond = 0): Promise<DemoStack> {
  const demo = startDemoBackend({ tokensPerSecond });
  return { ...(await startStack(demo, null, {})), demo };
}

interface Backend {
  readonly url: URL;
  stop(): Promise<void>;
}

async function startStack(backend: Backend, models: readonly string[] | null, settings: Partial<ServeConfig>): Promise<Stack> {
  const relay = startTestRelay(settings);
  const worker = startTestWorker({ relay, backend, models });
  await relay.workers(1);
  const stop = async (): Promise<void> => {
    await Promise.all([worker.stop(), relay.stop(), backend.stop()]);
  };
  return { relay, worker, ...clientsOf(relay, models === null ? "demo" : "m"), [Symbol.asyncDispose]: stop };
}
