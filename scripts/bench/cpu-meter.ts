// CPU time per unit of work of relay and workers: unlike rates it hardly changes with what else the machine does.
import { type Figure, figure } from "./figure.ts";
import type { Child } from "./children.ts";

export class CpuMeter {
  readonly #relay: Child;
  readonly #workers: readonly Child[];
  #startedAt: readonly [number, number] | null = null;
  #relayMs = 0;
  #workersMs = 0;
  #work = 0;

  constructor(stage: { readonly relay: Child; readonly workers: readonly Child[] }) {
    this.#relay = stage.relay;
    this.#workers = stage.workers;
  }

  start(): void {
    this.#startedAt = this.#now();
  }

  /** `work`: requests or chunks since `start`. */
  stop(work: number): void {
    const now = this.#now();
    if (this.#startedAt === null || now === null) return;
    this.#relayMs += now[0] - this.#startedAt[0];
    this.#workersMs += now[1] - this.#startedAt[1];
    this.#work += work;
  }

  /** None where the system does not tell. */
  figures(unitOfWork: string): readonly Figure[] {
    if (this.#work === 0) return [];
    const basis = `${this.#work} ${unitOfWork}s`;
    return [
      figure(`relay CPU per ${unitOfWork}`, "µs", { relayed: (this.#relayMs * 1000) / this.#work, basis }),
      figure(`worker CPU per ${unitOfWork}`, "µs", { relayed: (this.#workersMs * 1000) / this.#work, basis }),
    ];
  }

  #now(): readonly [number, number] | null {
    const times = [this.#relay, ...this.#workers].map((child) => child.cpuMs());
    const [relay, ...workers] = times;
    if (relay === null || relay === undefined || workers.includes(null)) return null;
    return [relay, workers.reduce<number>((sum, ms) => sum + (ms ?? 0), 0)];
  }
}
