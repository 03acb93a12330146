// A systemctl that writes down what it is asked, answers what it is told to, and a home for the units it would read.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type CliResult, runCli } from "../cli/run-cli.ts";

export class StandIn implements Disposable {
  readonly home = mkdtempSync(join(tmpdir(), "service-"));
  readonly #answers = new Map<string, { readonly code: number; readonly out?: string; readonly err?: string }>();

  constructor() {
    mkdirSync(join(this.home, "bin"));
    this.answer("is-system-running", { code: 0, out: "running" });
  }

  /** What `systemctl --user VERB` answers; 0 and nothing for verbs that nobody spoke of. */
  answer(verb: string, answer: { readonly code: number; readonly out?: string; readonly err?: string }): void {
    this.#answers.set(verb, answer);
    const cases = [...this.#answers].map(
      ([verb, { code, out = "", err = "" }]) => `${verb}) echo '${out}'; echo '${err}' >&2; exit ${code};;`,
    );
    const script = `#!/bin/sh\necho "$*" >> '${this.home}/calls'\n[ "$1" = --user ] && shift\ncase "$1" in\n${cases.join("\n")}\nesac\n`;
    writeFileSync(join(this.home, "bin/systemctl"), script);
    chmodSync(join(this.home, "bin/systemctl"), 0o755);
  }

  removeSystemctl(): void {
    rmSync(join(this.home, "bin/systemctl"));
  }

  get calls(): readonly string[] {
    const path = join(this.home, "calls");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  }

  /** Of a file below the home. */
  read(path: string): string {
    return readFileSync(join(this.home, path), "utf8");
  }

  write(path: string, text: string): string {
    const full = join(this.home, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
    return full;
  }

  has(path: string): boolean {
    return existsSync(join(this.home, path));
  }

  /** `modelrelay service ...`. */
  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
    return await runCli(["service", ...args], {
      PATH: join(this.home, "bin"),
      HOME: this.home,
      XDG_CONFIG_HOME: join(this.home, ".config"),
      ...env,
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true });
  }
}
