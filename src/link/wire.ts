// One worker socket as the sessions see it: sends that cannot fail silently, and the signs of life.
import type { ServerWebSocket } from "bun";
import type { Clock, Timer } from "../base/clock.ts";
import type { PeerClaims } from "./authenticate.ts";
import { CLOSE, type Close } from "../protocol/close.ts";

/** What Bun keeps with each socket. */
export interface SocketData {
  readonly peer: PeerClaims;
  wire: Wire | null;
  onText: (text: string) => void;
  onBinary: (bytes: Uint8Array) => void;
  onDrain: () => void;
}

/** A peer without a sign of life for this many heartbeats is lost. */
const MISSED_HEARTBEATS = 3;
/** Bun closes politely and waits for the peer; one that is gone never answers. */
const CLOSE_GRACE_MS = 2_000;

export class Wire {
  readonly #socket: ServerWebSocket<SocketData>;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  #lastHeardMs: number;
  #heartbeat: Timer | null = null;
  #closing: Timer | null = null;
  #isOpen = true;
  #lastStamp = 0;
  #onGone: ((code: number) => void) | null = null;

  constructor(socket: ServerWebSocket<SocketData>, clock: Clock, heartbeatMs: number) {
    this.#socket = socket;
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
    this.#lastHeardMs = clock.nowMs();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** Bytes that were sent and that the network has not taken yet. */
  get waitingBytes(): number {
    return this.#socket.getBufferedAmount();
  }

  /** The stamp of the latest ping; 0 before the first. Each is higher than the one before. */
  get lastStamp(): number {
    return this.#lastStamp;
  }

  /** Anything the peer sends shows that it lives. */
  heard(): void {
    this.#lastHeardMs = this.#clock.nowMs();
  }

  /** "queued": it will be delivered, but send no more bodies until the socket drains. "lost": the connection is being closed. */
  send(frame: string | Uint8Array): "sent" | "queued" | "lost" {
    if (!this.#isOpen) return "lost";
    const written = typeof frame === "string" ? this.#socket.sendText(frame) : this.#socket.sendBinary(frame);
    if (written > 0) return "sent";
    if (written === -1) return "queued";
    this.close(CLOSE.uplinkStalled);
    return "lost";
  }

  /** What `send` is given inside leaves in one write, which costs a third of the work of a small request. */
  together(sends: () => void): void {
    this.#socket.cork(sends);
  }

  sendMessage(message: { readonly type: string } & Readonly<Record<string, unknown>>): "sent" | "queued" | "lost" {
    return this.send(JSON.stringify(message));
  }

  /** Pings at the interval and closes a peer that has been silent for three of them. */
  startHeartbeat(onLost: () => void): void {
    let dueMs = this.#clock.nowMs() + this.#heartbeatMs;
    const beat = (): void => {
      // Late by a whole beat, it is we who stood still (a paused machine): what the peer said meanwhile is not read yet.
      if (this.#clock.nowMs() - dueMs >= this.#heartbeatMs) this.heard();
      if (this.#clock.nowMs() - this.#lastHeardMs >= this.#heartbeatMs * MISSED_HEARTBEATS) {
        onLost();
        return this.close(CLOSE.heartbeatTimedOut);
      }
      this.ping();
      // It may have been one frame too many for the socket.
      if (!this.#isOpen) return;
      dueMs = this.#clock.nowMs() + this.#heartbeatMs;
      this.#heartbeat = this.#clock.startTimer(this.#heartbeatMs, beat);
    };
    this.#heartbeat = this.#clock.startTimer(this.#heartbeatMs, beat);
  }

  /** Calls `onGone` once, as soon as either end closes: a peer that never answers our close must not linger. Replaces an earlier one. */
  whenGone(onGone: (code: number) => void): void {
    this.#onGone = onGone;
  }

  /**
   * Returns the timestamp the pong will echo: a time for the peer's eyes, and for us the order of the pings.
   * A wall clock that is put back, or stands still, must not change that order.
   */
  ping(): number {
    this.#lastStamp = Math.max(this.#lastStamp + 1, this.#clock.unixMs());
    this.sendMessage({ type: "ping", timestamp_unix_ms: this.#lastStamp });
    return this.#lastStamp;
  }

  close(close: Close): void {
    if (!this.#isOpen) return;
    this.#closing = this.#clock.startTimer(CLOSE_GRACE_MS, () => this.#socket.terminate());
    this.#socket.close(close.code, close.reason);
    this.#goneWith(close.code);
  }

  /** The socket is gone. */
  onClosed(code: number): void {
    this.#closing?.stop();
    this.#goneWith(code);
  }

  #goneWith(code: number): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#heartbeat?.stop();
    this.#onGone?.(code);
  }
}
