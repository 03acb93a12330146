// A registered connection that speaks protocol v2: attempts by number, bodies in binary frames, credit both ways.
import { decodeV2RelayMessage } from "../protocol/decode.ts";
import { PeerError } from "../base/errors.ts";
import { CLOSE } from "../protocol/close.ts";
import { decodeBodyFrame } from "../protocol/frames.ts";
import { V2_FRAME_MAX_BYTES } from "../protocol/limits.ts";
import type { V2Request } from "../protocol/v2.ts";
import type { Announcement } from "./announcement.ts";
import { AttemptV2 } from "./attempt-v2.ts";
import { protocolError } from "./connection.ts";
import { Jobs } from "./jobs.ts";
import { onCommonMessage, type Session, type SessionContext } from "./session.ts";

export class SessionV2 implements Session {
  readonly jobs: Jobs<number>;
  readonly #context: SessionContext;
  readonly #attempts = new Map<number, AttemptV2>();

  constructor(context: SessionContext) {
    this.#context = context;
    this.jobs = new Jobs(context.slots, context.onIdle);
  }

  onText(text: string): void {
    if (text.length > V2_FRAME_MAX_BYTES) throw new PeerError(CLOSE.frameTooLarge.code, CLOSE.frameTooLarge.reason);
    const message = decodeV2RelayMessage(text);
    switch (message.type) {
      case "request":
        return this.#onRequest(message);
      case "cancel":
        return this.#onCancel(message.attempt);
      case "credit":
        // For an attempt that just ended this comes too late, which is nobody's fault.
        return this.#attempts.get(message.attempt)?.onCredit(message.bytes);
      case "ping":
      case "models_refresh":
      case "graceful_shutdown":
      case "unknown":
        return onCommonMessage(message, this.jobs, this.#context);
    }
  }

  onBinary(bytes: Uint8Array): void {
    const frame = decodeBodyFrame(bytes);
    if (frame.kind !== "request") throw protocolError();
    this.#attempts.get(frame.attempt)?.onBody(frame.bytes);
  }

  announce({ models, unlisted }: Announcement): void {
    this.#context.connection.send({ type: "models_update", models, current_load: this.jobs.size, unlisted_models: unlisted });
  }

  drain(timeoutMs: number): void {
    this.#context.connection.send({ type: "draining", timeout_secs: Math.ceil(timeoutMs / 1_000) });
    this.jobs.drain();
  }

  #onRequest(request: V2Request): void {
    const { connection, log } = this.#context;
    const { attempt, request_id, model } = request;
    if (this.jobs.has(attempt)) throw protocolError();
    const refusal = this.jobs.refusal();
    if (refusal !== null) {
      log.info("request rejected", { request_id, model, attempt, reason: refusal });
      return connection.send({ type: "reject", attempt, reason: refusal });
    }
    const job = new AttemptV2(request, this.#context, () => {
      this.#attempts.delete(attempt);
      this.jobs.finish(attempt);
    });
    this.#attempts.set(attempt, job);
    this.jobs.add(attempt, job);
    job.start();
  }

  #onCancel(attempt: number): void {
    this.#attempts.get(attempt)?.onCancel();
    this.#attempts.delete(attempt);
    // Also for an attempt that is over: the relay frees the slot on whichever it hears first. Said before the last job is
    // gone, because a draining connection closes then.
    this.#context.connection.send({ type: "cancelled", attempt });
    this.jobs.abort(attempt);
  }
}
