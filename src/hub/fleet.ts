// The connected workers: who they are, what they offer, and who took them out of rotation; each change is told to the scheduler.
import type { Clock } from "../base/clock.ts";
import type { WorkerId } from "../scheduler/events.ts";
import type { WorkerStanding } from "../scheduler/state.ts";
import { Catalogue } from "./catalogue.ts";
import type { WorkerHandle, WorkerInfo } from "./handles.ts";
import type { SchedulerSeam } from "./seam.ts";

export interface ConnectedWorker {
  readonly id: WorkerId;
  readonly handle: WorkerHandle;
  readonly connectedAtUnixMs: number;
  /** Its signs of life, as its link sees them. */
  readonly life: { readonly lastHeardMs: number };
  info: WorkerInfo;
  /** Who took it out of rotation; null: it takes work. */
  drainedBy: "worker" | "operator" | null;
}

export class Fleet {
  readonly catalogue = new Catalogue();
  readonly #world: FleetWorld;
  readonly #workers = new Map<WorkerId, ConnectedWorker>();

  constructor(world: FleetWorld) {
    this.#world = world;
  }

  get workers(): ReadonlyMap<WorkerId, ConnectedWorker> {
    return this.#workers;
  }

  /** How the scheduler sees a worker; null when that is not known here. */
  standing(id: WorkerId): WorkerStanding | null {
    return this.#world.scheduler.standing(id);
  }

  join(id: WorkerId, info: WorkerInfo, handle: WorkerHandle, life: ConnectedWorker["life"]): void {
    const { clock, scheduler } = this.#world;
    this.#workers.set(id, { id, info, handle, life, connectedAtUnixMs: clock.unixMs(), drainedBy: null });
    this.catalogue.set(id, info);
    const { instance, models, slots, load } = info;
    scheduler.post({ type: "worker-joined", worker: id, instance, models, slots, load });
  }

  left(id: WorkerId, how: "clean" | "lost"): void {
    if (!this.#workers.delete(id)) return;
    this.catalogue.delete(id);
    this.#world.scheduler.post({ type: "worker-left", worker: id, how });
  }

  /** It takes no more work, by its own word or an operator's. */
  drain(id: WorkerId, by: "worker" | "operator"): void {
    const worker = this.#workers.get(id);
    if (worker === undefined) return;
    // What a worker says of itself stands: an operator cannot take it back.
    if (worker.drainedBy !== "worker") worker.drainedBy = by;
    this.#world.scheduler.post({ type: "worker-draining", worker: id });
  }

  /** Undoes an operator's `drain`. False: the worker drains by its own word, and would take nothing. */
  resume(id: WorkerId): boolean {
    const worker = this.#workers.get(id);
    if (worker === undefined || worker.drainedBy === "worker") return false;
    worker.drainedBy = null;
    this.#world.scheduler.post({ type: "worker-resumed", worker: id });
    return true;
  }

  changeModels(id: WorkerId, models: readonly string[], unlisted: readonly string[]): void {
    const worker = this.#workers.get(id);
    if (worker === undefined) return;
    worker.info = { ...worker.info, models, unlisted };
    this.catalogue.set(id, worker.info);
    this.#world.scheduler.post({ type: "worker-models-changed", worker: id, models });
  }

  reportLoad(id: WorkerId, load: number): void {
    const worker = this.#workers.get(id);
    if (worker === undefined) return;
    worker.info = { ...worker.info, load };
    this.#world.scheduler.post({ type: "worker-load-reported", worker: id, load });
  }
}

interface FleetWorld {
  readonly scheduler: SchedulerSeam;
  readonly clock: Clock;
}
