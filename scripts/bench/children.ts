// The processes of a benchmark: started, watched and, however it ends, stopped.
import { readFileSync } from "node:fs";

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of the runtime itself, before the program. */
  readonly runtime?: readonly string[];
}

const STOP_DEADLINE_MS = 3_000;
const TICKS_PER_SECOND = 100;

export class Child {
  readonly name: string;
  readonly #hasLastWords: boolean;
  readonly #process: Bun.Subprocess<"ignore", "pipe", "inherit">;

  constructor(name: string, args: readonly string[], { env = {}, runtime = [] }: ChildOptions) {
    this.name = name;
    this.#hasLastWords = runtime.length > 0;
    this.#process = Bun.spawn([process.execPath, ...runtime, ...args], {
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Everything it prints until it ends. @throws when it fails or takes longer than `limitMs` */
  async output(limitMs: number): Promise<string> {
    const timer = setTimeout(() => this.kill(), limitMs);
    const text = await this.#process.stdout.text();
    const code = await this.#process.exited;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`${this.name} ended with ${this.#process.signalCode ?? code} (limit ${limitMs} ms)`);
    return text;
  }

  /** The first line it prints. */
  async firstLine(): Promise<string> {
    const reader = this.#process.stdout.getReader();
    const decoder = new TextDecoder();
    let text = "";
    while (!text.includes("\n")) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`${this.name} ended before it was ready`);
      text += decoder.decode(value, { stream: true });
    }
    reader.releaseLock();
    return text.slice(0, text.indexOf("\n"));
  }

  /** At once, without a chance to say goodbye. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Resolves when it is gone. One that has a profile to write is asked, any other just ends. */
  async stop(): Promise<void> {
    this.#process.kill(this.#hasLastWords ? "SIGTERM" : "SIGKILL");
    const timer = setTimeout(() => this.kill(), STOP_DEADLINE_MS);
    await this.#process.exited;
    clearTimeout(timer);
  }

  /** Resident memory in MiB. */
  rssMib(): number {
    return residentKib(this.pid) / 1024;
  }

  /** CPU time used since its start, user and system, in ms; null where the system does not tell. */
  cpuMs(): number | null {
    try {
      const fields = readFileSync(`/proc/${this.pid}/stat`, "latin1")
        .replace(/^.*\) /s, "")
        .split(" ");
      return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
    } catch {
      return null;
    }
  }
}

/** Owns the children it starts. */
export class Children implements AsyncDisposable {
  readonly #children = new Set<Child>();
  readonly #killAll = (): void => {
    for (const child of this.#children) child.kill();
  };

  constructor() {
    // The last net: a benchmark that is interrupted leaves nothing behind.
    process.on("exit", this.#killAll);
  }

  start(name: string, args: readonly string[], options: ChildOptions = {}): Child {
    const child = new Child(name, args, options);
    this.#children.add(child);
    return child;
  }

  /** Later ones first: load before workers, workers before their relay. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [...this.#children].toReversed()) await child.stop();
    this.#children.clear();
    process.off("exit", this.#killAll);
  }
}

function residentKib(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0);
  } catch {
    // Not Linux.
    return Number(Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)]).stdout.toString());
  }
}
