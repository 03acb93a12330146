// A registered connection to a relay that speaks only protocol v1: text frames, requests by their id, whole bodies as strings.
import { decodeV1RelayMessage } from "../protocol/decode.ts";
import type { V1RelayMessage } from "../protocol/v1.ts";
import { NOTHING, type Announcement } from "./announcement.ts";
import { AttemptV1 } from "./attempt-v1.ts";
import { protocolError } from "./connection.ts";
import { errorBody } from "./dialect.ts";
import { Jobs } from "./jobs.ts";
import { onCommonMessage, type Session, type SessionContext } from "./session.ts";

type V1Request = Extract<V1RelayMessage, { type: "request" }>;

export class SessionV1 implements Session {
  readonly jobs: Jobs<string>;
  readonly #context: SessionContext;
  readonly #running = new Map<string, V1Request>();

  constructor(context: SessionContext) {
    this.#context = context;
    this.jobs = new Jobs(context.slots, context.onIdle);
  }

  onText(text: string): void {
    const message = decodeV1RelayMessage(text);
    switch (message.type) {
      case "register_ack":
        // A second one tells nothing new.
        return;
      case "request":
        return this.#onRequest(message);
      case "cancel":
        return this.#onCancel(message.request_id);
      case "ping":
      case "models_refresh":
      case "graceful_shutdown":
      case "unknown":
        return onCommonMessage(message, this.jobs, this.#context);
    }
  }

  onBinary(): void {
    throw protocolError();
  }

  announce(announcement: Announcement): void {
    // A v1 relay knows a draining worker only as one that offers nothing.
    const { models } = this.jobs.isDraining ? NOTHING : announcement;
    this.#context.connection.send({ type: "models_update", models, current_load: this.jobs.size });
  }

  drain(): void {
    this.#context.connection.send({ type: "models_update", models: [], current_load: this.jobs.size });
    this.jobs.drain();
  }

  #onRequest(request: V1Request): void {
    const { connection, log } = this.#context;
    const { request_id, model } = request;
    if (this.jobs.has(request_id)) throw protocolError();
    const refusal = this.jobs.refusal();
    if (refusal !== null) {
      log.info("request rejected", { request_id, model, reason: refusal });
      const body = errorBody(request.endpoint_path, refusal === "draining" ? "draining" : "overloaded");
      return connection.send({
        type: "response_complete",
        request_id,
        status_code: 503,
        headers: { "content-type": "application/json" },
        body,
      });
    }
    const job = new AttemptV1(request, this.#context, () => {
      this.#running.delete(request_id);
      this.jobs.finish(request_id);
    });
    this.#running.set(request_id, request);
    this.jobs.add(request_id, job);
    job.start();
  }

  /** Old relays expect no answer: the load in the next pong tells them. */
  #onCancel(request_id: string): void {
    const model = this.#running.get(request_id)?.model;
    this.#running.delete(request_id);
    if (this.jobs.abort(request_id)) this.#context.log.info("cancelled", { request_id, model });
  }
}
