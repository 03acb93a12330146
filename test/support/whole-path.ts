// Backend, relay and the real worker between them, wired together and taken apart again: what most end-to-end tests begin with.
import type { ServeConfig } from "../../src/server/config.ts";
import type { ServerWorld } from "../../src/server/server.ts";
import type { WorkConfig } from "../../src/worker/config.ts";
import { type FakeBackend, startFakeBackend } from "./fake-backend.ts";
import type { Answer } from "./fake-backend-exchange.ts";
import { startTestRelay, type TestRelay } from "./running-relay.ts";
import { startTestWorker, type TestWorker } from "./running-worker.ts";
import { until } from "./until.ts";

export interface WholePathScript {
  readonly relay?: Partial<ServeConfig>;
  readonly world?: Partial<ServerWorld>;
  readonly worker?: Partial<Omit<WorkConfig, "proxyUrl" | "backendUrl">>;
}

export interface WholePath extends AsyncDisposable {
  readonly backend: FakeBackend;
  readonly relay: TestRelay;
  readonly worker: TestWorker;
  /** Resolves once worker and backend have nothing more to do, and no connection for it. */
  idle(): Promise<void>;
}

/** The worker serves the model `m` with one slot. */
export async function startWholePath(answer?: Answer, script: WholePathScript = {}): Promise<WholePath> {
  const backend = startFakeBackend(answer);
  const relay = startTestRelay(script.relay, script.world);
  const worker = startTestWorker({ relay, backend: { url: new URL(backend.url) }, maxConcurrency: 1, ...script.worker });
  await relay.workers(1);
  return {
    backend,
    relay,
    worker,
    idle: () => until(() => worker.status().active === 0 && backend.open === 0, "worker and backend idle"),
    async [Symbol.asyncDispose]() {
      try {
        await relay[Symbol.asyncDispose]();
      } finally {
        await worker.stop();
        await backend.stop();
      }
    },
  };
}
