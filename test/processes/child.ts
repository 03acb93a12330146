// A child process whose lines a test can wait for, and that never outlives the test.
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { until, within } from "../support/until.ts";

/** What a process of this machine needs at most, however busy the machine is. */
export const PATIENCE_MS = 10_000;

/** One line of a child: a log line of the relay or the worker, a report of the backend, or plain text. */
export interface Line {
  /** The log message, the report's event, or the text itself. */
  readonly name: string;
  readonly level: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
  /** When it was read here, on the clock of performance.now(). */
  readonly atMs: number;
}

/** What is run, where, and how long it may take for what it does; without it this very Bun, here. */
export interface Program {
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
  readonly patienceMs?: number;
}

type Fields = Readonly<Record<string, unknown>>;

const THIS_BUN: Program = { command: [process.execPath] };

// Where the test itself ends early, nobody disposes of its children.
const running = new Set<Child>();
process.on("exit", () => {
  for (const child of running) child.signal("SIGKILL");
});

export class Child implements AsyncDisposable {
  readonly name: string;
  readonly lines: Line[] = [];
  out = "";
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #reading: Promise<unknown>;
  readonly #patienceMs: number;

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}, program: Program = THIS_BUN) {
    this.name = name;
    this.#patienceMs = program.patienceMs ?? PATIENCE_MS;
    this.#process = Bun.spawn([...program.command, ...args], {
      ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
      // Nothing of this process's surroundings: a proxy or a log level set there would be the test's.
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    running.add(this);
    this.#reading = Promise.all([this.#read(this.#process.stdout, (text) => (this.out += text)), this.#read(this.#process.stderr)]);
  }

  /** The lines of this name whose fields hold these. */
  said(name: string, fields: Fields = {}): readonly Line[] {
    return this.lines.filter((line) => line.name === name && Object.entries(fields).every(([key, value]) => line.fields[key] === value));
  }

  /** Waits until it has said this `times` times; gives the last of those lines. */
  async says(name: string, fields: Fields = {}, times = 1): Promise<Line> {
    const what = `"${name}" ${JSON.stringify(fields)}${times > 1 ? `, ${times} times` : ""}`;
    return await this.#tells(() => this.said(name, fields)[times - 1] ?? null, what);
  }

  /** Waits until its standard output holds this; gives the first group, or all of it. */
  async prints(pattern: RegExp): Promise<string> {
    const [all, group] = await this.#tells(() => pattern.exec(this.out), String(pattern));
    return group ?? all;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** SIGKILL, SIGSTOP, SIGCONT, ... to this process alone. */
  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** As somebody who does not want to wait: again and again, until it has ended. The same signal shortly after the first counts as that one. */
  async insist(name: NodeJS.Signals): Promise<number> {
    const hasEnded = (): boolean => {
      this.signal(name);
      return !this.isRunning;
    };
    await until(hasEnded, `${this.name} ends`, this.#patienceMs);
    return await this.exit();
  }

  /** A line on its standard input. */
  async tell(word: string): Promise<void> {
    await this.#process.stdin.write(`${word}\n`);
    await this.#process.stdin.flush();
  }

  /** The exit code once it has ended, with everything it said read. A signal that ended it counts as 128 and its number. */
  async exit(): Promise<number> {
    const code = await within(this.#process.exited, `${this.name} ends`, this.#patienceMs);
    await this.#reading;
    return code;
  }

  /** Memory it holds now. */
  get residentMib(): number {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#process.pid}/status`, "utf8")) ?? [];
    return Number(kib) / 1024;
  }

  /** All it said, for a test that failed. */
  get transcript(): string {
    const end = this.isRunning ? "running" : `ended with ${this.#process.exitCode ?? this.#process.signalCode}`;
    const lines = this.lines.map(
      ({ atMs, level, name, fields }) => `  ${atMs.toFixed(0)} ${level ?? "-"} ${name} ${JSON.stringify(fields)}`,
    );
    return [`--- ${this.name} (${end})`, ...lines].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A stopped process ends by this too.
    this.signal("SIGKILL");
    await this.#process.exited;
    running.delete(this);
  }

  /** @throws at once when it ends without having told it */
  async #tells<Found>(find: () => Found | null, what: string): Promise<Found> {
    await until(() => find() !== null || !this.isRunning, `${this.name} says ${what}`, this.#patienceMs);
    // Its last words may still be on their way.
    if (find() === null) await this.#reading;
    const found = find();
    if (found === null) throw new Error(`${this.name} has ended without ${what}`);
    return found;
  }

  async #read(stream: ReadableStream<Uint8Array>, onText: (text: string) => void = () => {}): Promise<void> {
    const decoder = new TextDecoder();
    let pending = "";
    for await (const bytes of stream) {
      const text = decoder.decode(bytes, { stream: true });
      onText(text);
      const lines = (pending + text).split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) this.lines.push(parseLine(line));
    }
    if (pending !== "") this.lines.push(parseLine(pending));
  }
}

const structured = v.looseObject({ message: v.optional(v.string()), event: v.optional(v.string()), level: v.optional(v.string()) });

function parseLine(text: string): Line {
  const atMs = performance.now();
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), structured), text);
  if (!parsed.success) return { name: text, level: null, fields: {}, atMs };
  // Its own clock is not ours.
  const { message, event, level = null, time: _, ...fields } = parsed.output;
  return { name: message ?? event ?? text, level, fields, atMs };
}
