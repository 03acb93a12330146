// What the v1 and v2 sessions have in common: a worker that is registered, seen from its socket.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Hub } from "../hub/hub.ts";
import type { WorkerHandle } from "../hub/handles.ts";
import { cleanModels } from "../protocol/registration.ts";
import type { WorkerId } from "../scheduler/events.ts";
import type { ApiKey } from "../store/api-key.ts";
import { grantModels } from "./terms.ts";
import type { Wire } from "./wire.ts";

/** Takes the frames of one registered worker. @throws PeerError when the worker breaks the protocol */
export interface Session {
  readonly handle: WorkerHandle;
  onText(text: string): void;
  onBinary(bytes: Uint8Array): void;
  onDrain(): void;
  /** The socket is gone: nothing may be left behind. */
  onClosed(): void;
}

export interface SessionWorld {
  readonly hub: Hub;
  readonly wire: Wire;
  readonly worker: WorkerId;
  /** Null: it connected with the shared secret. */
  readonly key: ApiKey | null;
  /** As acknowledged. */
  readonly slots: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** `models_update` is cleaned like a registration. */
export function onModelsUpdate(
  world: SessionWorld,
  update: {
    readonly models: readonly string[];
    readonly unlisted_models?: readonly string[] | null | undefined;
    readonly current_load?: number | null | undefined;
  },
): void {
  const clean = cleanModels(update.models);
  const granted = grantModels(clean.models, update.unlisted_models ?? [], world.key);
  const models = granted.models;
  const warnings = [...clean.warnings, ...granted.warnings];
  world.hub.fleet.changeModels(world.worker, models, cleanModels(update.unlisted_models ?? []).models);
  if (typeof update.current_load === "number") world.hub.fleet.reportLoad(world.worker, update.current_load);
  world.log.info("worker models changed", { worker_id: world.worker, models, warnings });
}

/** A status a backend may answer with. A redirect is none: following it is not the client's business. */
export function isUsableStatus(status: number): boolean {
  return (status >= 200 && status < 300) || (status >= 400 && status <= 599);
}

/** A frame that means nothing here (late, foreign, double, unknown) is counted and dropped; it never harms the connection. */
export function ignoreFrame(world: SessionWorld, what: string): void {
  world.hub.counters.ignoredFrames++;
  world.log.debug("frame ignored", { worker_id: world.worker, frame: what });
}
