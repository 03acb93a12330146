// A home of its own for a test, the commands in it, and stand-ins for llamafiles; whatever runs is ended with the test.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Home, homeAt } from "../../src/llamafile/home.ts";
import { signalProcess } from "../../src/llamafile/identity.ts";
import { readRunState, type RunState } from "../../src/llamafile/run-state.ts";
import { type CliResult, RunningCli, runCli } from "../cli/run-cli.ts";

const PROGRAM = fileURLToPath(new URL("stand-in-program.ts", import.meta.url));

export class Scene implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "llamafile-"));
  readonly home: Home = homeAt(join(this.folder, "home"));
  env: Readonly<Record<string, string>> = {};

  /** `modelrelay llamafile` with these words. */
  async run(...args: readonly string[]): Promise<CliResult> {
    return await runCli(["llamafile", ...args], this.#env());
  }

  /** The same, going on. */
  start(...args: readonly string[]): RunningCli {
    return new RunningCli(["llamafile", ...args], this.#env());
  }

  /** A stand-in as an APE begins: no program to the system, only to a shell. `old` in the name makes it one of 0.9, `forking` one that its shell waits for. */
  standIn(name: string): string {
    const path = join(this.folder, `${name}.llamafile`);
    const start = `${name.includes("forking") ? "" : "exec "}"${process.execPath}" "${PROGRAM}"`;
    writeFileSync(path, `MZqFpD='\n'\n${start} "$0" "$@"\n`);
    return path;
  }

  /** The stand-in as a model of this home. */
  async imports(slug: string): Promise<void> {
    const { code, err } = await this.run("import", this.standIn(slug), "--slug", slug);
    if (code !== 0) throw new Error(err);
  }

  state(slug: string): RunState {
    const state = readRunState(this.home, slug);
    if (state === null) throw new Error(`nothing is written down of ${slug}`);
    return state;
  }

  log(slug: string, kind: "model" | "worker" = "model"): string {
    const path = join(this.home.logs, kind === "model" ? `${slug}.log` : `${slug}.worker.log`);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  #env(): Readonly<Record<string, string>> {
    // A home of the user belongs to every program; the loader of real llamafiles lives there.
    return { HOME: this.folder, MODELRELAY_HOME: this.home.root, ...this.env };
  }

  /** By their own numbers: the command under test may be what is broken. */
  async [Symbol.asyncDispose](): Promise<void> {
    const names = existsSync(this.home.state) ? readdirSync(this.home.state) : [];
    for (const name of names.filter((each) => each.endsWith(".json"))) {
      const state = readRunState(this.home, name.slice(0, -".json".length));
      for (const each of [state?.keeper, state?.worker, state?.model]) signalProcess(each ?? null, "SIGKILL");
    }
    rmSync(this.folder, { recursive: true, force: true });
    await Promise.resolve();
  }
}

/** A catalogue document of these entries. */
export function catalogueOf(...models: readonly Readonly<Record<string, unknown>>[]): string {
  return JSON.stringify({ version: 1, models });
}

export function entryOf(slug: string, url: string, sizeBytes: number, sha256?: string): Readonly<Record<string, unknown>> {
  const facts = { slug, name: slug, file: `${slug}.llamafile`, url, size_bytes: sizeBytes, licence: "MIT", tags: ["chat"] };
  return sha256 === undefined ? facts : { ...facts, sha256 };
}
