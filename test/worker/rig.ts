// A relay, the real worker daemon and a backend, wired together and taken apart again: what most tests here begin with.
import { expect } from "bun:test";
import type { WorkConfig } from "../../src/worker/config.ts";
import type { WorkerWorld } from "../../src/worker/worker.ts";
import { startTestWorker, type TestWorker } from "../support/running-worker.ts";
import { type BackendScript, type ScriptedBackend, startScriptedBackend } from "../support/scripted-backend.ts";
import { V1Relay } from "../support/v1-relay.ts";
import { V2Relay, type V2RelayScript } from "../support/v2-relay.ts";
import type { SocketScript, WorkerSocket } from "../support/worker-socket.ts";

export interface Rig<Relay> extends AsyncDisposable {
  readonly relay: Relay;
  readonly backend: ScriptedBackend;
  readonly worker: TestWorker;
  /** The worker's first connection, registered. */
  readonly peer: WorkerSocket;
}

interface RigScript<RelayScript> {
  readonly relay?: RelayScript;
  readonly backend?: BackendScript;
  readonly worker?: Partial<WorkConfig>;
  readonly world?: Partial<WorkerWorld>;
}

export function startV2Rig(script: RigScript<V2RelayScript> = {}): Promise<Rig<V2Relay>> {
  return startRig(new V2Relay(script.relay), script);
}

export function startV1Rig(script: RigScript<SocketScript> = {}): Promise<Rig<V1Relay>> {
  return startRig(new V1Relay(script.relay), script);
}

async function startRig<Relay extends V1Relay | V2Relay>(relay: Relay, script: RigScript<unknown>): Promise<Rig<Relay>> {
  const backend = await startScriptedBackend(script.backend);
  const worker = startTestWorker({ relay, backend, ...script.worker }, script.world);
  const peer = await relay.peer();
  return {
    relay,
    backend,
    worker,
    peer,
    async [Symbol.asyncDispose]() {
      await worker.stop();
      await relay.stop();
      await backend.stop();
      // What a backend or relay does wrong is a warning; an error would be the worker's own.
      expect(worker.log.lines.filter((line) => line.level === "error")).toEqual([]);
    },
  };
}
