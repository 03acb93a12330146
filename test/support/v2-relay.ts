// A relay that speaks protocol v2, bodies and credit included, and does only what the test says.
import { until } from "./until.ts";
import { type Message, type SocketScript, type WorkerSocket, WorkerSocketServer } from "./worker-socket.ts";

const V2 = "2026-11-bridge-v2";
const REQUEST = 1;
const FRAME_HEADER_BYTES = 5;

export interface V2RequestScript {
  readonly attempt?: number;
  readonly request_id?: string;
  readonly model?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly is_streaming?: boolean;
  readonly body?: string | Uint8Array;
  /** Announces more or less than `body`; without it the truth. */
  readonly body_length?: number;
}

export interface V2RelayScript extends SocketScript {
  /** Slots in the acknowledgement; as many as asked for when not given. */
  readonly slots?: number;
  /** Returns credit for every body frame as it comes; true when not given. */
  readonly isGenerous?: boolean;
  readonly warnings?: readonly string[];
}

export class V2Relay extends WorkerSocketServer {
  #lastAttempt = 0;

  constructor(script: V2RelayScript = {}) {
    super({
      ...script,
      onMessage: (peer, message) => {
        if (message.type === "register") acknowledge(peer, message, script);
        script.onMessage?.(peer, message);
      },
      onFrame: (peer, frame) => {
        const bytes = frame.byteLength - FRAME_HEADER_BYTES;
        if (script.isGenerous !== false && bytes > 0) peer.send({ type: "credit", attempt: attemptOf(frame), bytes });
        script.onFrame?.(peer, frame);
      },
    });
  }

  /** Sends a request and as much of its body as fits into one frame; returns its attempt number. */
  request(peer: WorkerSocket, script: V2RequestScript = {}): number {
    const attempt = script.attempt ?? ++this.#lastAttempt;
    const body = Buffer.from(script.body ?? "{}");
    peer.send({
      type: "request",
      attempt,
      request_id: script.request_id ?? `request-${attempt}`,
      model: script.model ?? "m",
      method: "POST",
      path: script.path ?? "/v1/chat/completions",
      headers: script.headers ?? { "content-type": "application/json" },
      is_streaming: script.is_streaming ?? true,
      body_length: script.body_length ?? body.byteLength,
    });
    if (body.byteLength > 0) this.sendBody(peer, attempt, body);
    return attempt;
  }

  sendBody(peer: WorkerSocket, attempt: number, bytes: Uint8Array): void {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + bytes.byteLength);
    frame[0] = REQUEST;
    frame.writeUInt32BE(attempt, 1);
    frame.set(bytes, FRAME_HEADER_BYTES);
    peer.sendRaw(frame);
  }

  /** A message about this attempt, once it has come. */
  async about(peer: WorkerSocket, type: string, attempt: number): Promise<Message> {
    const find = (): Message | undefined => peer.of(type).find((message) => message["attempt"] === attempt);
    await until(() => find() !== undefined, `${type} of attempt ${attempt}`);
    return find()!;
  }

  /** How many bytes of this attempt's answer have come. */
  length(peer: WorkerSocket, attempt: number): number {
    return peer.frames.reduce((sum, frame) => (attemptOf(frame) === attempt ? sum + frame.byteLength - FRAME_HEADER_BYTES : sum), 0);
  }

  /** The bytes of this attempt's answer so far. */
  body(peer: WorkerSocket, attempt: number): Buffer {
    return Buffer.concat(peer.frames.filter((frame) => attemptOf(frame) === attempt).map((frame) => frame.subarray(FRAME_HEADER_BYTES)));
  }
}

function attemptOf(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset).getUint32(1);
}

function acknowledge(peer: WorkerSocket, register: Message, script: V2RelayScript): void {
  const protocols = register["protocols"];
  if (!Array.isArray(protocols) || !protocols.includes(V2)) return peer.close(1002, "worker registration protocol error");
  peer.send({
    type: "register_ack",
    worker_id: crypto.randomUUID(),
    models: register["models"],
    warnings: script.warnings ?? [],
    protocol_version: V2,
    max_concurrent: script.slots ?? register["max_concurrent"],
  });
}
