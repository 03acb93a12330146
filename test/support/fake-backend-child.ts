// Starts the fake backend as a child process and reads what it reports.
import { within } from "./until.ts";

type Report = Readonly<Record<string, unknown>>;

export class FakeBackendChild implements AsyncDisposable {
  readonly url: string;
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #reports: AsyncIterator<Report>;

  constructor(url: string, child: Bun.Subprocess<"pipe", "pipe", "inherit">, reports: AsyncIterator<Report>) {
    this.url = url;
    this.#child = child;
    this.#reports = reports;
  }

  get exited(): Promise<number> {
    return this.#child.exited;
  }

  /** SIGKILL, SIGSTOP, SIGCONT, ... */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** The next report of this event; others are passed over. */
  async nextReport(event: string): Promise<Report> {
    return await nextOf(this.#reports, event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

export async function startFakeBackendProcess(models: readonly string[] = ["fake"], port = 0): Promise<FakeBackendChild> {
  const script = `${import.meta.dir}/fake-backend-process.ts`;
  const child = Bun.spawn([process.execPath, script, String(port), models.join(",")], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const reports = readReports(child.stdout);
  const { url } = await nextOf(reports, "listening");
  return new FakeBackendChild(String(url), child, reports);
}

async function nextOf(reports: AsyncIterator<Report>, event: string): Promise<Report> {
  for (;;) {
    const { value, done } = await within(reports.next(), `the fake backend process reports ${event}`);
    if (done === true) throw new Error(`the fake backend process ended before it reported ${event}`);
    if (value["event"] === event) return value;
  }
}

async function* readReports(output: ReadableStream<Uint8Array>): AsyncGenerator<Report> {
  let pending = "";
  const decoder = new TextDecoder();
  for await (const chunk of output) {
    const lines = (pending + decoder.decode(chunk, { stream: true })).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}
