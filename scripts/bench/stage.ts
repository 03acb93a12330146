// The cast of one case, each in a process of its own on the loopback: backend, relay, workers, and load when it is asked for.
import { join } from "node:path";
import { type Child, Children } from "./children.ts";
import type { BackendReport } from "./script.ts";
import { MODEL } from "./script.ts";
import type { Task } from "./tasks.ts";

export interface StageOptions {
  /** Slots of each worker. */
  readonly workers: readonly number[];
  /** Where the relay and the workers leave CPU profiles; null: nowhere. */
  readonly profileDir: string | null;
}

const BENCH = join(import.meta.dir, "../bench.ts");
const MAIN = join(import.meta.dir, "../../src/main.ts");
const READY_DEADLINE_MS = 15_000;
const LOOK_AGAIN_MS = 20;

export class Stage implements AsyncDisposable {
  readonly #children = new Children();
  readonly #options: StageOptions;
  readonly #secret = crypto.randomUUID();
  #backendUrl = "";
  #relayUrl = "";
  #relay: Child | null = null;
  #workerCount = 0;

  private constructor(options: StageOptions) {
    this.#options = options;
  }

  /** Resolves when every worker is registered. */
  static async start(options: StageOptions): Promise<Stage> {
    const stage = new Stage(options);
    try {
      await stage.#setUp();
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  get backendUrl(): string {
    return this.#backendUrl;
  }

  get relayUrl(): string {
    return this.#relayUrl;
  }

  get relay(): Child {
    return this.#relay!;
  }

  readonly workers: Child[] = [];

  get clockUrl(): string {
    return `${this.#backendUrl}/bench/clock`;
  }

  /** Both ways to the same model: past the relay and through it. */
  chatUrls(): { readonly direct: string; readonly relayed: string } {
    return { direct: `${this.#backendUrl}/v1/chat/completions`, relayed: `${this.#relayUrl}/v1/chat/completions` };
  }

  /** One more worker; resolves when the relay knows it. */
  async addWorker(slots: number): Promise<void> {
    this.#startWorker(slots);
    await this.workersConnected(this.workers.filter((child) => child.isRunning).length);
  }

  /** Resolves once the relay counts so many workers. */
  async workersConnected(count: number): Promise<void> {
    await until(`${count} workers at the relay`, async () => {
      const health: { readonly workers_connected: number } = JSON.parse(await textAt(`${this.#relayUrl}/health`));
      return health.workers_connected === count;
    });
  }

  /** Runs a load in a process of its own and gives back what it found. */
  async load<Result>(task: Task, limitMs: number): Promise<Result> {
    const child = this.#children.start("load", [BENCH, "load", JSON.stringify(task)]);
    const result: Result = JSON.parse(await child.output(limitMs));
    return result;
  }

  /** Many registered workers without work, all in one process. */
  async addIdleWorkers(count: number): Promise<Child> {
    const plan = { relayUrl: this.#relayUrl, secret: this.#secret, count };
    const child = this.#children.start("idle-workers", [BENCH, "idle-workers", JSON.stringify(plan)]);
    await child.firstLine();
    return child;
  }

  async report(): Promise<BackendReport> {
    const report: BackendReport = JSON.parse(await textAt(`${this.#backendUrl}/bench/report`));
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#children[Symbol.asyncDispose]();
  }

  async #setUp(): Promise<void> {
    const backend = this.#children.start("backend", [BENCH, "backend"]);
    this.#backendUrl = `http://127.0.0.1:${await backend.firstLine()}`;
    const port = freePort();
    this.#relayUrl = `http://127.0.0.1:${port}`;
    const flags = { listen: `127.0.0.1:${port}`, "max-queue-len": "0", "drain-timeout": "0" };
    this.#relay = this.#startProgram("relay", "serve", flags);
    await until("the relay listens", async () => {
      if (!this.relay.isRunning) throw new Error("the relay ended as soon as it started");
      return answers(`${this.#relayUrl}/health`);
    });
    for (const slots of this.#options.workers) this.#startWorker(slots);
    await this.workersConnected(this.workers.length);
  }

  #startWorker(slots: number): void {
    const name = `worker-${++this.#workerCount}`;
    const flags = { "proxy-url": this.#relayUrl, "backend-url": this.#backendUrl, "worker-name": name, models: MODEL };
    this.workers.push(this.#startProgram(name, "work", { ...flags, "max-concurrency": String(slots), "drain-timeout": "0" }));
  }

  #startProgram(name: string, command: string, flags: Readonly<Record<string, string>>): Child {
    const { profileDir } = this.#options;
    const args = Object.entries({ ...flags, "log-level": "error" }).flatMap(([flag, value]) => [`--${flag}`, value]);
    const profile = ["--cpu-prof", "--cpu-prof-md", `--cpu-prof-dir=${profileDir}`, `--cpu-prof-name=${name}-${Date.now()}`];
    const runtime = profileDir === null ? [] : profile;
    return this.#children.start(name, [MAIN, command, ...args], { runtime, env: { WORKER_SECRET: this.#secret } });
  }
}

/** Bounded: what is not so by then will not be. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + READY_DEADLINE_MS;
  while (!(await isSo())) {
    if (performance.now() > giveUpMs) throw new Error(`waited ${READY_DEADLINE_MS} ms in vain: ${what}`);
    await Bun.sleep(LOOK_AGAIN_MS);
  }
}

async function textAt(url: string): Promise<string> {
  return (await fetch(url)).text();
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
