// A Postgres server of the tests' own: on a free port, in a directory of its own, and gone afterwards.
import { SQL } from "bun";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until, within } from "./until.ts";

/** Why there is no Postgres here; null: there is one. */
export const POSTGRES_MISSING: string | null = whyMissing();

if (POSTGRES_MISSING !== null) console.warn(`\nWARNING: nothing is tested against Postgres: ${POSTGRES_MISSING}\n`);

// A busy machine takes its time for the first start of a server.
const START_LIMIT_MS = 15_000;
const TRIES = 3;

export class TestPostgres implements AsyncDisposable {
  readonly #directory: string;
  readonly #port: number;
  #server: Bun.Subprocess | null = null;
  #databases = 0;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#port = port;
  }

  static async start(): Promise<TestPostgres> {
    const directory = mkdtempSync(join(tmpdir(), "modelrelay-postgres-"));
    // Where a test run ends early, nobody disposes of it.
    process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
    // A server that may not run as root has to reach its files.
    chmodSync(directory, 0o777);
    const quick = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"];
    const made = Bun.spawnSync([...asServerUser(), binary("initdb"), "-D", join(directory, "data"), ...quick]);
    if (made.exitCode !== 0) throw new Error(`initdb failed: ${made.stderr.toString()}`);
    for (let tries = 1; ; tries++) {
      const server = new TestPostgres(directory, freePort());
      try {
        await server.run();
        return server;
      } catch (error) {
        // Somebody else may have taken the port meanwhile.
        if (tries === TRIES) throw error;
      }
    }
  }

  /** Starts it, again if it was stopped, and waits until it answers. */
  async run(): Promise<void> {
    const settings = ["-h", "127.0.0.1", "-p", String(this.#port), "-k", "", "-F"];
    const server = Bun.spawn([...asServerUser(), binary("postgres"), "-D", join(this.#directory, "data"), ...settings], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    this.#server = server;
    await until(async () => server.exitCode !== null || (await this.#answers()), "Postgres answers", START_LIMIT_MS);
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
  }

  /** The address of a new, empty database. */
  async database(): Promise<string> {
    const name = `test${++this.#databases}`;
    await this.query("postgres", `CREATE DATABASE ${name}`);
    return this.#url(name);
  }

  /** Runs SQL in the database of this address or name, on a connection of its own. */
  async query(database: string, statements: string): Promise<readonly Record<string, unknown>[]> {
    await using sql = new SQL(database.includes(":") ? database : this.#url(database), { max: 1 });
    return await sql.unsafe<Record<string, unknown>[]>(statements).simple();
  }

  /** Every process of it stands still: connections stay open and nothing answers. */
  freeze(): void {
    this.#signal("SIGSTOP");
  }

  thaw(): void {
    this.#signal("SIGCONT");
  }

  /** Ends it at once, as a crash would; `run` starts it again with its data. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.thaw();
    server.kill("SIGQUIT");
    await within(server.exited, "Postgres ends", START_LIMIT_MS);
    this.#server = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #url(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/${database}`;
  }

  async #answers(): Promise<boolean> {
    try {
      await this.query("postgres", "SELECT 1");
      return true;
    } catch {
      return false;
    }
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of this.#processes) {
      try {
        process.kill(pid, signal);
      } catch {
        // A connection's process has just ended.
      }
    }
  }

  get #processes(): readonly number[] {
    const pid = this.#server?.pid;
    if (pid === undefined) return [];
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return [pid, ...children.split(" ").filter(Boolean).map(Number)];
  }
}

function whyMissing(): string | null {
  if (process.platform !== "linux") return "the tests know how to start it on Linux only";
  const missing = ["initdb", "postgres"].find((name) => binary(name) === "");
  if (missing !== undefined) return `there is no '${missing}' (Debian: apt-get install -y postgresql)`;
  if (Bun.which("setpriv") === null) return "there is no 'setpriv' to start it with (Debian: apt-get install -y util-linux)";
  return null;
}

function binary(name: string): string {
  // Debian keeps them off the PATH, in a folder per version.
  const installed = [...new Bun.Glob(`postgresql/*/bin/${name}`).scanSync({ cwd: "/usr/lib", absolute: true, onlyFiles: false })];
  return Bun.which(name) ?? installed.sort().at(-1) ?? "";
}

/** It refuses to run as root, and ends with whoever started it. */
function asServerUser(): readonly string[] {
  const user = /^postgres:/m.test(readFileSync("/etc/passwd", "utf8")) ? "postgres" : "nobody";
  const change = process.getuid?.() === 0 ? [`--reuid=${user}`, "--clear-groups"] : [];
  return ["setpriv", ...change, "--pdeathsig=QUIT"];
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
