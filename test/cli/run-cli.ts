// The command line as a real process, with nothing of this process's environment but the path.

import { join } from "node:path";
import { until } from "../support/until.ts";

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Variables = Readonly<Record<string, string>>;

export const MAIN = join(import.meta.dir, "../../src/main.ts");

/** A process that stays up until it is told to stop. */
export class RunningCli implements AsyncDisposable {
  out = "";
  err = "";
  readonly #child: ReturnType<typeof spawnCli>;
  readonly #reading: Promise<unknown>;

  constructor(args: readonly string[], env: Variables = {}) {
    this.#child = spawnCli(args, env);
    const read = async (stream: ReadableStream<Uint8Array>, add: (text: string) => void) => {
      const decoder = new TextDecoder();
      for await (const bytes of stream) add(decoder.decode(bytes, { stream: true }));
    };
    this.#reading = Promise.all([
      read(this.#child.stdout, (text) => (this.out += text)),
      read(this.#child.stderr, (text) => (this.err += text)),
    ]);
  }

  /** The first group of the pattern, once the standard output or error output holds it. */
  async sees(pattern: RegExp): Promise<string> {
    const find = () => pattern.exec(this.err) ?? pattern.exec(this.out);
    await until(() => find() !== null || this.#child.exitCode !== null, `${String(pattern)} from the process`);
    const match = find();
    if (match === null) throw new Error(`the process ended without ${String(pattern)}:\n${this.err}`);
    return match[1] ?? match[0];
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** As somebody who does not want to wait: again and again, until it has ended. The same signal shortly after the first counts as that one. */
  async insist(name: NodeJS.Signals): Promise<number> {
    const hasEnded = (): boolean => {
      this.signal(name);
      return this.#child.exitCode !== null || this.#child.signalCode !== null;
    };
    await until(hasEnded, "the exit");
    return await this.exit();
  }

  /** The exit code, with everything read. */
  async exit(): Promise<number> {
    await Promise.all([this.#child.exited, this.#reading]);
    return this.#child.exitCode ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

function spawnCli(args: readonly string[], env: Variables = {}, argv0?: string) {
  return Bun.spawn([process.execPath, MAIN, ...args], spawnOptions(env, argv0));
}

function spawnOptions(env: Variables, argv0?: string) {
  // A key store of whoever runs the tests is none of theirs.
  const clean = { PATH: process.env["PATH"] ?? "", XDG_STATE_HOME: "/nonexistent", ...env };
  const options = { env: clean, stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
  return argv0 === undefined ? options : { ...options, argv0 };
}

/** With the standard output in a file, `out` is empty. */
export async function runCliInto(stdout: ReturnType<typeof Bun.file>, args: readonly string[]): Promise<CliResult> {
  const child = Bun.spawn([process.execPath, MAIN, ...args], { ...spawnOptions({}), stdout });
  const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
  return { code, out: "", err };
}

export async function runCli(args: readonly string[], env: Variables = {}, argv0?: string): Promise<CliResult> {
  const child = spawnCli(args, env, argv0);
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}
