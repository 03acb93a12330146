// The WebSocket to the relay with all its time limits: it opens, carries frames both ways, and ends exactly once.
import type { Clock, Timer } from "../base/clock.ts";
import { PeerError } from "../base/errors.ts";
import { CLOSE, type Close } from "../protocol/close.ts";
import { MIB, RELAY_SILENCE_MS } from "../protocol/limits.ts";

/** The runtime's own limit is two minutes; a relay that is there answers the upgrade in far less. */
const RELAY_CONNECT_DEADLINE_MS = 10_000;
/** From the open socket to `register_ack`: the relay has nothing to wait for. */
const REGISTER_ACK_DEADLINE_MS = 10_000;
/** A closing handshake; begins anew as long as bytes from before it still leave, so that a slow uplink loses no answer. */
const CLOSE_DEADLINE_MS = 5_000;
/** Unsent bytes above which backends are no longer read: more only delays pongs and costs memory. */
const UPLINK_BUFFER_MAX_BYTES = 1 * MIB;
// The runtime's client has no drain event. This runs only while the uplink is the bottleneck.
const UPLINK_POLL_MS = 5;

export interface ConnectionEnd {
  /** As sent or received; 1006 when the connection just broke or never stood. */
  readonly code: number;
  readonly reason: string;
  readonly wasOpen: boolean;
}

export interface ConnectionListener {
  onOpen(): void;
  /** May throw PeerError: the connection is then closed with it. */
  onText(text: string): void;
  onBinary(bytes: Uint8Array): void;
  /** Exactly once, unless `terminate` was called. */
  onGone(end: ConnectionEnd): void;
}

export interface ConnectionTarget {
  readonly address: URL;
  readonly proxy: URL | null;
  readonly secret: string;
  /** PEM text; null: what this machine trusts. */
  readonly tlsCa: string | null;
}

export class RelayConnection {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #listener: ConnectionListener;
  #phase: "connecting" | "open" | "closing" | "gone" = "connecting";
  /** The one limit of the current phase. */
  #deadline: Timer;
  #lastHeardMs = 0;
  #failure = "";
  #uplinkPoll: Timer | null = null;
  readonly #uplinkWaiters = new Set<() => void>();

  constructor(target: ConnectionTarget, clock: Clock, listener: ConnectionListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.#socket = new WebSocket(target.address.href, {
      headers: { "X-Worker-Secret": target.secret },
      perMessageDeflate: false,
      ...(target.tlsCa === null ? {} : { tls: { ca: target.tlsCa } }),
      ...(target.proxy === null ? {} : { proxy: target.proxy }),
    });
    this.#deadline = clock.startTimer(RELAY_CONNECT_DEADLINE_MS, () => this.#onGone(1006, "the relay did not answer within 10 s"));
    this.#socket.addEventListener("open", () => this.#onOpen());
    this.#socket.addEventListener("message", (event) => this.#onMessage(event.data));
    // A failed upgrade shows only here, and only as text.
    this.#socket.addEventListener("error", (event) => (this.#failure = "message" in event ? event.message : ""));
    this.#socket.addEventListener("close", (event) => this.#onGone(event.code, event.reason === "" ? this.#failure : event.reason));
  }

  /** Ends the wait for `register_ack`; from here on the relay must only not fall silent. */
  onRegistered(): void {
    this.#startDeadline(RELAY_SILENCE_MS, () => this.#onSilence());
  }

  /** Sends a control message. Nothing happens when the connection is no longer open. */
  send(message: object): void {
    if (this.#phase === "open") this.#socket.send(JSON.stringify(message));
  }

  sendFrame(frame: Uint8Array): void {
    if (this.#phase === "open") this.#socket.send(frame);
  }

  get isCongested(): boolean {
    return this.#socket.bufferedAmount > UPLINK_BUFFER_MAX_BYTES;
  }

  /** Calls `onClear` once when the uplink has room again. */
  awaitClear(onClear: () => void): void {
    this.#uplinkWaiters.add(onClear);
    this.#uplinkPoll ??= this.#clock.startTimer(UPLINK_POLL_MS, () => this.#pollUplink());
  }

  cancelAwaitClear(onClear: () => void): void {
    this.#uplinkWaiters.delete(onClear);
  }

  /** Sends what is buffered, then says goodbye. Called again, it waits no longer than CLOSE_DEADLINE_MS for that. */
  close({ code, reason }: Close): void {
    if (this.#phase === "gone") return;
    if (this.#phase === "connecting") return this.#onGone(code, reason);
    if (this.#phase === "closing") return this.#startDeadline(CLOSE_DEADLINE_MS, () => this.#onGone(code, reason));
    this.#phase = "closing";
    this.#socket.close(code, reason);
    this.#awaitClose({ code, reason });
  }

  /** Drops the connection without a word and without calling anyone. */
  terminate(): void {
    this.#phase = "gone";
    this.#deadline.stop();
    this.#uplinkPoll?.stop();
    this.#uplinkWaiters.clear();
    this.#socket.terminate();
  }

  #onOpen(): void {
    if (this.#phase !== "connecting") return;
    this.#phase = "open";
    this.#startDeadline(REGISTER_ACK_DEADLINE_MS, () => this.#onGone(1006, "the relay did not acknowledge the registration within 10 s"));
    this.#listener.onOpen();
  }

  #onMessage(data: unknown): void {
    if (this.#phase !== "open") return;
    this.#lastHeardMs = this.#clock.nowMs();
    try {
      if (typeof data === "string") this.#listener.onText(data);
      else if (data instanceof Uint8Array) this.#listener.onBinary(data);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      this.close({ code: error.closeCode, reason: error.message });
    }
  }

  #awaitClose({ code, reason }: Close): void {
    const unsent = this.#socket.bufferedAmount;
    this.#startDeadline(CLOSE_DEADLINE_MS, () => {
      if (this.#socket.bufferedAmount < unsent) this.#awaitClose({ code, reason });
      else this.#onGone(code, reason);
    });
  }

  #onSilence(): void {
    const silentMs = this.#clock.nowMs() - this.#lastHeardMs;
    if (silentMs < RELAY_SILENCE_MS) this.#startDeadline(RELAY_SILENCE_MS - silentMs, () => this.#onSilence());
    else this.#onGone(1006, "the relay has been silent for 90 s");
  }

  #onGone(code: number, reason: string): void {
    if (this.#phase === "gone") return;
    const wasOpen = this.#phase !== "connecting";
    this.terminate();
    this.#listener.onGone({ code, reason, wasOpen });
  }

  #pollUplink(): void {
    this.#uplinkPoll = null;
    if (this.isCongested) {
      this.#uplinkPoll = this.#clock.startTimer(UPLINK_POLL_MS, () => this.#pollUplink());
      return;
    }
    const waiters = [...this.#uplinkWaiters];
    this.#uplinkWaiters.clear();
    for (const onClear of waiters) onClear();
  }

  #startDeadline(delayMs: number, onDue: () => void): void {
    this.#deadline.stop();
    this.#deadline = this.#clock.startTimer(delayMs, onDue);
  }
}

/** What a relay must not send; the constant is here so that both protocols close alike. */
export function protocolError(): PeerError {
  return new PeerError(CLOSE.protocolError.code, CLOSE.protocolError.reason);
}
