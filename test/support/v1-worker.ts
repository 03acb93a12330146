// A worker as the field has them: it knows protocol v1 only, and has the habits that relays before this one stumbled over.
//
//   await using worker = await startV1Worker(relay, { slots: 1 });   // serves any model ("*") unless told otherwise
//   const job = await worker.nextJob();                              // the next request, in order of arrival
//   job.chunk("data: 1\n\n");                                        // also after a cancel: late chunks happen
//   job.complete(200, { headers, body });                            // status last
//   job.breakDown();                                                 // an error of one request takes the whole session with it
//
// A cancel is never answered. The job counts as aborted at once, but a pong still counts it in its load until `slowAborts`
// pongs have gone out since.
import { within } from "./until.ts";
import { RelaySocket, type RelaySocketScript, type RelaySocketTarget } from "./relay-socket.ts";
import type { Message } from "./worker-socket.ts";

export interface V1WorkerScript extends RelaySocketScript {
  readonly name?: string;
  readonly models?: readonly string[];
  readonly slots?: number;
  /** Fields of `register` that are added, or put in the place of others. */
  readonly register?: Readonly<Record<string, unknown>>;
  /** Pongs that still count a request after its cancel; 1 when not given. */
  readonly slowAborts?: number;
  /** Answers no ping; false when not given. */
  readonly isMute?: boolean;
}

export interface V1Answer {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly token_counts?: object;
}

/** Connects and registers; resolves with the acknowledged worker. */
export async function startV1Worker(relay: RelaySocketTarget, script: V1WorkerScript = {}): Promise<V1Worker> {
  const worker = new V1Worker(relay, script);
  await within(worker.opened, "the worker's socket opens");
  worker.send({
    type: "register",
    worker_name: script.name ?? "old box",
    models: script.models ?? ["*"],
    max_concurrent: script.slots ?? 4,
    protocol_version: "2026-04-bridge-v1",
    current_load: 0,
    ...script.register,
  });
  await worker.next("register_ack");
  return worker;
}

export class V1Worker extends RelaySocket {
  readonly jobs: V1Job[] = [];
  readonly #script: V1WorkerScript;
  #taken = 0;

  constructor(relay: RelaySocketTarget, script: V1WorkerScript) {
    super(relay, script);
    this.#script = script;
    this.onMessage = (message) => this.#onMessage(message);
  }

  /** What it tells its relay: everything that runs, and for a while what was cancelled. */
  get load(): number {
    return this.jobs.filter((job) => job.isCounted).length;
  }

  /** The oldest request no call has given out yet; waits for one. */
  async nextJob(): Promise<V1Job> {
    await this.next("request", this.#taken);
    return this.jobs[this.#taken++]!;
  }

  pong(timestamp_unix_ms: unknown): void {
    this.send({ type: "pong", current_load: this.load, timestamp_unix_ms });
    for (const job of this.jobs) if (job.isCancelled) job.pongsSinceCancel++;
  }

  #onMessage(message: Message): void {
    if (message.type === "request") this.jobs.push(new V1Job(message, this, this.#script.slowAborts ?? 1));
    if (message.type === "cancel") for (const job of this.jobs) if (job.id === message["request_id"]) job.isCancelled = true;
    if (message.type === "ping" && this.#script.isMute !== true) this.pong(message["timestamp_unix_ms"]);
  }
}

export class V1Job {
  readonly id: string;
  readonly request: Message;
  isCancelled = false;
  pongsSinceCancel = 0;
  readonly #worker: V1Worker;
  readonly #slowAborts: number;
  #isComplete = false;

  constructor(request: Message, worker: V1Worker, slowAborts: number) {
    this.id = String(request["request_id"]);
    this.request = request;
    this.#worker = worker;
    this.#slowAborts = slowAborts;
  }

  get isCounted(): boolean {
    return !this.#isComplete && (!this.isCancelled || this.pongsSinceCancel < this.#slowAborts);
  }

  chunk(chunk: string): void {
    this.#worker.send({ type: "response_chunk", request_id: this.id, chunk });
  }

  complete(status_code = 200, answer: V1Answer = {}): void {
    this.#isComplete = true;
    this.#worker.send({ type: "response_complete", request_id: this.id, status_code, headers: {}, body: "", ...answer });
  }

  /** One request failed: the old worker says so and drops its session, and with it everything that runs. */
  breakDown(): void {
    this.#worker.send({ type: "error", request_id: this.id, code: "backend_error", message: "canary of the worker" });
    this.#worker.cut();
  }
}
