// The command line in a terminal of its own: what a person at a window of this size would see.
import { until } from "../support/until.ts";
import { MAIN } from "./run-cli.ts";

const LIMIT_MS = 10_000;

export class TerminalCli implements AsyncDisposable {
  /** Everything that was written, control sequences included. */
  written = "";
  readonly #child: Bun.Subprocess;

  constructor(args: readonly string[], size: { readonly cols: number; readonly rows: number }, env: Readonly<Record<string, string>> = {}) {
    const decoder = new TextDecoder();
    this.#child = Bun.spawn([process.execPath, MAIN, ...args], {
      env: { PATH: process.env["PATH"] ?? "", TERM: "xterm-256color", ...env },
      // Made with the process: only then does the terminal control it, and Ctrl+C reaches it.
      terminal: { ...size, data: (_, bytes) => void (this.written += decoder.decode(bytes, { stream: true })) },
    });
  }

  /** The lines of the last frame that is complete, as they stand in the window. */
  get frame(): readonly string[] {
    const frames = this.written.split("\u001b[?2026h").filter((part) => part.includes("\u001b[?2026l"));
    const [last = ""] = (frames.at(-1) ?? "").split("\u001b[?2026l");
    // oxlint-disable-next-line no-control-regex -- what steers the terminal is what is taken out
    return last.replaceAll(/\u001b\[\??[0-9;]*[A-Za-z]/g, "").split(/\r*\n/);
  }

  /** Resolves once the window shows this. */
  async shows(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.frame.join("\n")), `${String(pattern)} in the window:\n${this.frame.join("\n")}`, LIMIT_MS);
  }

  resize(cols: number, rows: number): void {
    this.#child.terminal?.resize(cols, rows);
  }

  /** As a person types: Ctrl+C is "\u0003". */
  type(text: string): void {
    this.#child.terminal?.write(text);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async exit(): Promise<number> {
    return await this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    this.#child.terminal?.close();
  }
}
