// A relay as the field has them: it knows protocol v1 only, ignores what it does not know, and never sends a binary frame.
import { until } from "./until.ts";
import { type Message, type SocketScript, type WorkerSocket, WorkerSocketServer } from "./worker-socket.ts";

const V1 = "2026-04-bridge-v1";

export interface V1RequestScript {
  readonly request_id?: string;
  readonly model?: string;
  readonly endpoint_path?: string;
  readonly is_streaming?: boolean;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class V1Relay extends WorkerSocketServer {
  constructor(script: SocketScript = {}) {
    super({
      ...script,
      onMessage: (peer, message) => {
        if (message.type === "register") acknowledge(peer, message);
        script.onMessage?.(peer, message);
      },
      onFrame: (peer) => peer.close(1002, "worker registration protocol error"),
    });
  }

  /** Sends a request to this worker and returns its id. */
  request(peer: WorkerSocket, script: V1RequestScript = {}): string {
    const request_id = script.request_id ?? `request-${crypto.randomUUID()}`;
    const base = { type: "request", model: "m", endpoint_path: "/v1/chat/completions", is_streaming: true, body: "{}" };
    peer.send({ ...base, ...script, request_id });
    return request_id;
  }

  /** The `response_complete` of this request, once it has come. */
  async complete(peer: WorkerSocket, request_id: string): Promise<Message> {
    const find = (): Message | undefined => peer.of("response_complete").find((message) => message["request_id"] === request_id);
    await until(() => find() !== undefined, `response_complete of ${request_id}`);
    return find()!;
  }

  /** The chunks of this request so far, joined. */
  text(peer: WorkerSocket, request_id: string): string {
    const own = peer.of("response_chunk").filter((message) => message["request_id"] === request_id);
    return own.map((message) => String(message["chunk"])).join("");
  }
}

/** An old relay closes on a version it does not know, and echoes its own; every other field it does not know is nothing to it. */
function acknowledge(peer: WorkerSocket, register: Message): void {
  const version = register["protocol_version"] ?? V1;
  const isValid = version === V1 && typeof register["worker_name"] === "string" && Array.isArray(register["models"]);
  if (!isValid) return peer.close(1002, "worker registration protocol error");
  peer.send({ type: "register_ack", worker_id: crypto.randomUUID(), models: register["models"], warnings: [], protocol_version: V1 });
}
