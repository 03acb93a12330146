// The program as its users run it: relay, workers and backends as processes of their own, wired together for one test.
import { test } from "bun:test";
import { join } from "node:path";
import { until } from "../support/until.ts";
import { Child, PATIENCE_MS } from "./child.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const FAKE_BACKEND = join(import.meta.dir, "../support/fake-backend-process.ts");
const LOGGING = ["--log-format", "json", "--log-level", "debug"];
const SECRET = { WORKER_SECRET: "processes-secret" };
/** Above the sum of what a test may wait for: its own limits say better what never happened. */
const SCENARIO_LIMIT_MS = 40_000;

/** The model every worker here offers unless told otherwise. */
export const MODEL = "m";

export class Relay extends Child {
  url = "";

  /** This path of the relay as a URL. */
  at(path: string): string {
    return new URL(path, this.url).href;
  }

  /** Resolves once so many requests wait. */
  async queues(count: number): Promise<void> {
    await this.#isWell(`"queue_depth":${count},`);
  }

  /** Resolves once so many workers are connected. */
  async has(count: number): Promise<void> {
    await this.#isWell(`"workers_connected":${count},`);
  }

  async #isWell(what: string): Promise<void> {
    const isSo = async (): Promise<boolean> => (await (await fetch(this.at("/health"))).text()).includes(what);
    await until(isSo, `${what} in the relay's health`, PATIENCE_MS);
  }
}

export class Backend extends Child {
  url = "";

  /** Lets go of everything `fake:held` holds, now and later. */
  async release(): Promise<void> {
    await this.tell("release");
  }

  /** Bytes of all its answers that the kernel has taken. */
  async bytesAccepted(): Promise<number> {
    const earlier = this.said("progress").length;
    await this.tell("progress");
    return Number((await this.says("progress", {}, earlier + 1)).fields["bytes_accepted"]);
  }
}

interface WorkerSetup {
  readonly name?: string;
  /** Requests at once. */
  readonly slots?: number;
  readonly models?: string;
  readonly flags?: readonly string[];
  readonly secret?: string;
  /** Where it looks for the relay, if not at the relay itself. */
  readonly through?: string;
  /** Do not wait until it is registered. */
  readonly isUnregistered?: boolean;
}

export class Rig implements AsyncDisposable {
  readonly #children: Child[] = [];

  /** On a free port of the loopback unless one is given. */
  async relay(flags: readonly string[] = [], port = 0): Promise<Relay> {
    const args = [MAIN, "serve", "--listen", `127.0.0.1:${port}`, ...LOGGING, ...flags];
    const relay = this.#add(new Relay(`relay ${this.#children.length}`, args, SECRET));
    relay.url = String((await relay.says("listening")).fields["url"]);
    return relay;
  }

  async backend(): Promise<Backend> {
    const backend = this.#add(new Backend(`backend ${this.#children.length}`, [FAKE_BACKEND, "0", MODEL]));
    backend.url = String((await backend.says("listening")).fields["url"]);
    return backend;
  }

  /** Resolves once it is registered. */
  async worker(relay: Relay, backend: Backend, setup: WorkerSetup = {}): Promise<Child> {
    const { name = "box", slots = 4, models = MODEL, flags = [], secret } = setup;
    const wiring = ["--proxy-url", setup.through ?? relay.url, "--backend-url", backend.url];
    const offer = ["--worker-name", name, "--models", models, "--max-concurrency", String(slots)];
    const env = secret === undefined ? SECRET : { WORKER_SECRET: secret };
    const worker = this.#add(new Child(`worker ${name}`, [MAIN, "work", ...wiring, ...offer, ...LOGGING, ...flags], env));
    if (setup.isUnregistered !== true) await worker.says("registered");
    return worker;
  }

  /** Any command of the program. */
  run(args: readonly string[]): Child {
    return this.#add(new Child(`modelrelay ${args.join(" ")}`, [MAIN, ...args]));
  }

  /** @throws when a child reported an error nobody expected */
  checkForErrors(): void {
    const errors = this.#children.flatMap(({ name, lines }) =>
      lines.filter((line) => line.level === "error" || line.name.includes("internal error")).map((line) => `${name}: ${line.name}`),
    );
    if (errors.length > 0) throw new Error(`errors in the log: ${errors.join("; ")}`);
  }

  get transcript(): string {
    return this.#children.map((child) => child.transcript).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child[Symbol.asyncDispose]()));
  }

  #add<Kind extends Child>(child: Kind): Kind {
    this.#children.push(child);
    return child;
  }
}

/** A test with processes. When it fails, it shows what they said; they are gone afterwards in any case. */
export function scenario(title: string, body: (rig: Rig) => Promise<void>): void {
  test(
    title,
    async () => {
      await using rig = new Rig();
      try {
        await body(rig);
        rig.checkForErrors();
      } catch (error) {
        console.error(rig.transcript);
        throw error;
      }
    },
    SCENARIO_LIMIT_MS,
  );
}
