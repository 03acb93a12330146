// Relay and worker as processes of one executable, however that is started, and a client that asks them.
import { expect } from "bun:test";
import { join } from "node:path";
import { VERSION } from "../../src/base/version.ts";
import { ask } from "../processes/asking.ts";
import { Child, PATIENCE_MS, type Program } from "../processes/child.ts";
import { SseReader } from "../support/sse-reader.ts";
import { within } from "../support/until.ts";

export interface Machine {
  readonly program: Program;
  readonly env?: Readonly<Record<string, string>>;
  /** Where the relay keeps its keys. */
  readonly dataDir?: string;
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Relay = Child & { readonly url: string };

const FAKE_BACKEND = join(import.meta.dir, "../support/fake-backend-process.ts");
const SHARED = ["--worker-secret", "executables", "--log-format", "json"];

/** Runs it to its end. */
export async function run({ program, env = {} }: Machine, args: readonly string[]): Promise<Ended> {
  const child = Bun.spawn([...program.command, ...args], {
    ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: program.patienceMs ?? PATIENCE_MS,
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

/** Lends the test a cast; when it fails, it shows what was said. Everybody is gone afterwards in any case. */
export async function withCast(machine: Machine, body: (cast: Cast) => Promise<void>): Promise<void> {
  await using cast = new Cast(machine);
  try {
    await body(cast);
  } catch (error) {
    console.error(cast.transcript);
    throw error;
  }
}

export class Cast implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #children: Child[] = [];

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** A relay on a free port, once it answers; its health tells the plain version. */
  async relay(args: readonly string[] = ["serve"]): Promise<Relay> {
    const place = ["--listen", "127.0.0.1:0", "--data-dir", this.#machine.dataDir ?? ":memory:"];
    const relay = this.#start("relay", [...args, ...place, ...SHARED]);
    const url = String((await relay.says("listening")).fields["url"]);
    const answer = await fetch(new URL("/health", url), { keepalive: false });
    expect(await answer.json()).toMatchObject({ status: "ok", version: VERSION });
    return Object.assign(relay, { url });
  }

  /** A worker of this relay, once it is registered, and its model server. */
  async worker(
    relay: Relay,
    args: readonly string[] = ["work"],
    executable?: string,
  ): Promise<{ readonly worker: Child; readonly backend: Child }> {
    const backend = this.#add(new Child("backend", [FAKE_BACKEND, "0", "m"]));
    const backendUrl = String((await backend.says("listening")).fields["url"]);
    const offer = ["--proxy-url", relay.url, "--backend-url", backendUrl, "--models", "m"];
    const worker = this.#start("worker", [...args, ...offer, ...SHARED], executable);
    await worker.says("registered");
    return { worker, backend };
  }

  /** A streamed chat, as soon as it has begun. */
  async chat(relay: Relay, marker = "fake:words:20:5"): Promise<SseReader> {
    const reader = new SseReader(await this.#within(ask(relay, { stream: true, marker }), "a stream"));
    expect(await this.#within(reader.next(), "the first event")).not.toBeNull();
    return reader;
  }

  /** The chat goes on to its last event, and ends as it should. */
  async finishes(chat: SseReader): Promise<void> {
    const events = await this.#within(chat.rest(), "the end of the stream");
    expect(events.at(-1)?.data).toBe("[DONE]");
    expect(chat.end?.kind).toBe("clean");
  }

  get transcript(): string {
    return this.#children.map((child) => child.transcript).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.toReversed()) await child[Symbol.asyncDispose]();
  }

  async #within<Result>(promise: Promise<Result>, what: string): Promise<Result> {
    return await within(promise, what, this.#machine.program.patienceMs ?? PATIENCE_MS);
  }

  #start(name: string, args: readonly string[], executable?: string): Child {
    const { env, program } = this.#machine;
    return this.#add(new Child(name, args, env, executable === undefined ? program : { ...program, command: [executable] }));
  }

  #add(child: Child): Child {
    this.#children.push(child);
    return child;
  }
}
