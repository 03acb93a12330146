// Runs the fenced blocks of a document as a reader would: one after the other, in one folder, with the program on the path.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunningCli } from "../cli/run-cli.ts";
import { builtExecutable } from "../support/executable.ts";
import { until } from "../support/until.ts";
import { type Document, fencesOf, ROOT } from "./documents.ts";

/** One fenced block that is run: `sh run NAME`, `sh start NAME` or `js run NAME`. */
interface Step {
  readonly language: "sh" | "js";
  /** `start` leaves its lines running until the scene is over, each a process of its own. */
  readonly verb: "run" | "start";
  readonly body: string;
}

/** The blocks of one document that share a name. */
export interface Scene {
  /** As in `README.md: keys`. */
  readonly title: string;
  readonly steps: readonly Step[];
}

export function scenesOf(documents: readonly Document[]): readonly Scene[] {
  const scenes = new Map<string, Step[]>();
  for (const { path, text } of documents) {
    for (const { info, body } of fencesOf(text)) {
      const [language, verb, name] = info.split(" ");
      if (language !== "sh" && language !== "js") continue;
      if (verb !== "run" && verb !== "start") continue;
      const title = `${path}: ${name ?? "first"}`;
      scenes.set(title, [...(scenes.get(title) ?? []), { language, verb, body: body.trim() }]);
    }
  }
  return [...scenes].map(([title, steps]) => ({ title, steps }));
}

/** Runs a scene to its end. @throws with the block, its output and its exit code when one of them fails */
export async function play({ steps }: Scene): Promise<void> {
  await using stage = await Stage.open();
  for (const step of steps) {
    if (step.verb === "start") await stage.start(step);
    else await stage.run(step);
  }
  await stage.stopAll();
}

// Where the documents say that model servers are: here it is a demo backend that answers at those ports.
const BACKEND_PORTS = ["11434", "8000", "1234"];
const READY = /listening url=|INFO +registered|Ready to paste/;
const SETTING = /^(?:export )?[A-Z_]+=/;
const STEP_LIMIT_MS = 30_000;

class Stage implements AsyncDisposable {
  readonly #folder: string;
  readonly #ports = new Map<string, number>();
  readonly #running: Running[] = [];
  readonly #backend: RunningCli;
  /** Variables that a block only sets: they hold for the blocks behind it, as in a reader's shell. */
  #settings = "";

  private constructor(folder: string, backend: RunningCli) {
    this.#folder = folder;
    this.#backend = backend;
  }

  static async open(): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), "docs-scene-"));
    mkdirSync(join(folder, "bin"));
    const executable = await builtExecutable();
    for (const name of ["modelrelay", "modelrelay-server", "modelrelay-worker"]) symlinkSync(executable, join(folder, "bin", name));
    writeFileSync(join(folder, "bin", "bun"), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 });
    for (const name of ["src", "scripts", "extras", "node_modules", "package.json"]) symlinkSync(join(ROOT, name), join(folder, name));
    const backend = new RunningCli(["up", "--demo", "--listen", "127.0.0.1:0", "--demo-speed", "0"]);
    const stage = new Stage(folder, backend);
    const port = Number(new URL(await backend.sees(/Claude {3}(http\S+)[\s\S]*Ready to paste/)).port);
    for (const written of BACKEND_PORTS) stage.#ports.set(written, port);
    return stage;
  }

  async run({ language, body }: Step): Promise<void> {
    const text = this.#localise(body);
    const settings = language === "sh" && text.split("\n").every((line) => SETTING.test(line)) ? `${text}\n` : "";
    this.#settings += settings;
    const command = language === "sh" ? ["sh", "-ec", `${this.#settings}${text}`] : [process.execPath, "-e", text];
    const child = Bun.spawn(command, { ...this.#spawning(), timeout: STEP_LIMIT_MS });
    const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    if (code !== 0 || out.includes('"error":')) throw new Error(`this failed with ${code}:\n${text}\n${out}${err}`);
  }

  /** Each line is started, and the next only once it is ready. */
  async start({ body }: Step): Promise<void> {
    const lines = this.#localise(body)
      .replaceAll(/\\\n\s*/g, " ")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    for (const line of lines) {
      const running = new Running(line, Bun.spawn(["sh", "-c", `exec ${line}`], this.#spawning()));
      this.#running.push(running);
      await running.isReady();
    }
  }

  /** In the order a reader would: the last first. */
  async stopAll(): Promise<void> {
    for (const running of this.#running.toReversed()) await running.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) await running.kill();
    await this.#backend[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawning() {
    const env = {
      PATH: `${this.#folder}/bin:${process.env["PATH"] ?? ""}`,
      HOME: this.#folder,
      SHELL: "/bin/sh",
      LISTEN_ADDR: `127.0.0.1:${this.#port("8080")}`,
    };
    return { cwd: this.#folder, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
  }

  /** The written addresses become ones of this machine that are free. */
  #localise(text: string): string {
    return text
      .replaceAll(/\b(127\.0\.0\.1|0\.0\.0\.0|localhost|relay\.lan):(\d{2,5})\b/g, (_, host: string, port: string) => {
        const own = host === "0.0.0.0" ? "127.0.0.1" : host.replace("relay.lan", "localhost");
        return `${own}:${this.#port(port)}`;
      })
      .replaceAll("relay.lan", "localhost");
  }

  #port(written: string): number {
    const known = this.#ports.get(written);
    if (known !== undefined) return known;
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const { port } = server;
    server.stop(true);
    this.#ports.set(written, port);
    return port;
  }
}

/** A process that a scene left running. */
class Running {
  #output = "";
  readonly #line: string;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;

  constructor(line: string, child: Bun.Subprocess<"ignore", "pipe", "pipe">) {
    this.#line = line;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) void this.#read(stream);
  }

  async isReady(): Promise<void> {
    await until(() => READY.test(this.#output) || this.#child.exitCode !== null, `${this.#line} is ready`, STEP_LIMIT_MS);
    if (!READY.test(this.#output)) throw new Error(`this ended with ${this.#child.exitCode}:\n${this.#line}\n${this.#output}`);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const code = await this.#child.exited;
    if (code !== 0) throw new Error(`this was told to stop and ended with ${code}:\n${this.#line}\n${this.#output}`);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) this.#output += decoder.decode(bytes, { stream: true });
  }
}
