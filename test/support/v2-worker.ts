// A worker that speaks protocol v2 and does only what the test says, good manners included: they can be switched off one by one.
//
//   await using worker = await startV2Worker(relay, { slots: 1 });
//   const job = await worker.nextJob();           // complete with its body
//   job.start(200, { "content-type": "text/event-stream" });
//   job.data("data: 1\n\n");                      // as much as it likes: `job.credit` says what would be allowed
//   job.end();                                    // or job.end("dropped"); job.reject("full"); again and again if it wants
//   worker.send({ type: "response_start", attempt: 77, ... });   worker.sendRaw(frameOf(77, "bytes"));
import { until, within } from "./until.ts";
import { RelaySocket, type RelaySocketScript, type RelaySocketTarget } from "./relay-socket.ts";
import type { Message } from "./worker-socket.ts";

const FRAME_HEADER_BYTES = 5;

export interface V2WorkerScript extends RelaySocketScript {
  readonly name?: string;
  readonly models?: readonly string[];
  readonly slots?: number;
  readonly instance?: string;
  readonly register?: Readonly<Record<string, unknown>>;
  /** Answers pings; true when not given. */
  readonly answersPings?: boolean;
  /** Acknowledges cancels; true when not given. */
  readonly answersCancels?: boolean;
  /** Returns credit for request bodies as they come; true when not given. */
  readonly isGenerous?: boolean;
}

/** Connects and registers; resolves with the acknowledged worker. */
export async function startV2Worker(relay: RelaySocketTarget, script: V2WorkerScript = {}): Promise<V2Worker> {
  const worker = new V2Worker(relay, script);
  await within(worker.opened, "the worker's socket opens");
  worker.send({
    type: "register",
    worker_name: script.name ?? "scripted box",
    models: script.models ?? ["m"],
    max_concurrent: script.slots ?? 4,
    protocol_version: "2026-04-bridge-v1",
    protocols: ["2026-11-bridge-v2"],
    instance_id: script.instance ?? crypto.randomUUID(),
    version: "scripted",
    current_load: 0,
    ...script.register,
  });
  await worker.next("register_ack");
  return worker;
}

/** One binary frame. `kind`: 2 is a response body. */
export function frameOf(attempt: number, bytes: string | Uint8Array, kind = 2): Uint8Array {
  const body = Buffer.from(bytes);
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + body.byteLength);
  frame[0] = kind;
  frame.writeUInt32BE(attempt, 1);
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

export class V2Worker extends RelaySocket {
  readonly jobs: V2Job[] = [];
  readonly #script: V2WorkerScript;
  #taken = 0;

  constructor(relay: RelaySocketTarget, script: V2WorkerScript) {
    super(relay, script);
    this.#script = script;
    this.onMessage = (message) => this.#onMessage(message);
    this.onFrame = (frame) => this.#onFrame(frame);
  }

  /** The oldest request no call has given out yet, once its body is there. */
  async nextJob(): Promise<V2Job> {
    const job = await this.nextHead();
    await until(() => job.body.byteLength === job.request["body_length"], "the request's body reaches the worker");
    return job;
  }

  /** The same without waiting for its body. */
  async nextHead(): Promise<V2Job> {
    await this.next("request", this.#taken);
    return this.jobs[this.#taken++]!;
  }

  #onMessage(message: Message): void {
    const job = this.jobs.find((job) => job.attempt === message["attempt"]);
    if (message.type === "request") this.jobs.push(new V2Job(message, this));
    if (message.type === "ping" && this.#script.answersPings !== false) this.pong();
    if (message.type === "credit" && job !== undefined) job.credit += Number(message["bytes"]);
    if (message.type === "cancel" && job !== undefined) {
      job.isCancelled = true;
      if (this.#script.answersCancels !== false) job.acknowledgeCancel();
    }
  }

  pong(current_load = this.jobs.filter((job) => job.isRunning).length): void {
    this.send({ type: "pong", current_load });
  }

  #onFrame(frame: Uint8Array): void {
    const attempt = new DataView(frame.buffer, frame.byteOffset).getUint32(1);
    const job = this.jobs.find((job) => job.attempt === attempt);
    if (job === undefined) throw new Error(`a body frame for attempt ${attempt}, which was never announced`);
    const bytes = frame.subarray(FRAME_HEADER_BYTES);
    job.bodyFrames.push(bytes);
    if (this.#script.isGenerous !== false) this.send({ type: "credit", attempt, bytes: bytes.byteLength });
  }
}

export class V2Job {
  readonly attempt: number;
  readonly request: Message;
  readonly bodyFrames: Uint8Array[] = [];
  /** Bytes the relay allowed beyond the first window. */
  credit = 0;
  isCancelled = false;
  isRunning = true;
  readonly #worker: V2Worker;

  constructor(request: Message, worker: V2Worker) {
    this.attempt = Number(request["attempt"]);
    this.request = request;
    this.#worker = worker;
  }

  get body(): Buffer {
    return Buffer.concat(this.bodyFrames);
  }

  get text(): string {
    return this.body.toString("utf8");
  }

  get headers(): ReadonlyMap<string, string> {
    return new Map(Object.entries(this.request["headers"] ?? {}));
  }

  start(status_code = 200, headers: Readonly<Record<string, string>> = { "content-type": "application/json" }): void {
    this.#worker.send({ type: "response_start", attempt: this.attempt, status_code, headers });
  }

  startStream(): void {
    this.start(200, { "content-type": "text/event-stream" });
  }

  data(bytes: string | Uint8Array): void {
    this.#worker.sendRaw(frameOf(this.attempt, bytes));
  }

  /** A body frame of the wrong direction. */
  sendRequestBodyBack(): void {
    this.#worker.sendRaw(frameOf(this.attempt, "x", 1));
  }

  end(failure?: "connection_refused" | "dropped" | "broken" | "too_large"): void {
    this.isRunning = false;
    const error = failure === undefined ? {} : { error: { kind: failure, message: "canary of the worker" } };
    this.#worker.send({ type: "response_end", attempt: this.attempt, ...error });
  }

  /** A whole answer. */
  answer(body: string | Uint8Array = "{}", status = 200, headers?: Readonly<Record<string, string>>): void {
    this.start(status, headers);
    this.data(body);
    this.end();
  }

  reject(reason: "draining" | "full"): void {
    this.isRunning = false;
    this.#worker.send({ type: "reject", attempt: this.attempt, reason });
  }

  acknowledgeCancel(): void {
    this.isRunning = false;
    this.#worker.send({ type: "cancelled", attempt: this.attempt });
  }
}
