// Where worker sockets arrive: upgrade, credential, registration, then a session of the protocol the worker speaks.
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import type { Clock } from "../base/clock.ts";
import { PeerError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Hub } from "../hub/hub.ts";
import { CLOSE } from "../protocol/close.ts";
import { decodeRegister } from "../protocol/decode.ts";
import { REGISTER_DEADLINE_MS, REGISTER_MAX_BYTES, V1_FRAME_MAX_BYTES } from "../protocol/limits.ts";
import { cleanModels } from "../protocol/registration.ts";
import { type Register, V1, V2 } from "../protocol/schema.ts";
import type { WorkerId } from "../scheduler/events.ts";
import type { ApiKey } from "../store/api-key.ts";
import type { WorkerAuthenticator } from "./authenticate.ts";
import type { Session } from "./session.ts";
import { createV1Session } from "./v1-session.ts";
import { createV2Session } from "./v2-session.ts";
import { grantClaims } from "./terms.ts";
import { type SocketData, Wire } from "./wire.ts";

export interface LinkWorld {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Log;
  readonly heartbeatIntervalMs: number;
  readonly authenticate: WorkerAuthenticator;
}

export class Link {
  readonly #world: LinkWorld;
  /** Every open socket and the key it was opened with. */
  readonly #open = new Map<Wire, ApiKey | null>();
  #lastWorker = 0;

  constructor(world: LinkWorld) {
    this.#world = world;
  }

  /** False when the request does not ask for a WebSocket. A bad credential is upgraded too, and closed with its reason: v1 has it so. */
  async upgrade(request: Request, server: Server<SocketData>, address: string): Promise<boolean> {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return false;
    const peer = await this.#world.authenticate(request, address);
    const data: SocketData = { peer, wire: null, onText: ignore, onBinary: ignore, onDrain: ignore };
    return server.upgrade(request, { data });
  }

  /** What Bun.serve needs to know of our sockets. */
  handler(): WebSocketHandler<SocketData> {
    return {
      // v1 frames carry whole bodies; v2's own limit is checked by its session.
      maxPayloadLength: V1_FRAME_MAX_BYTES,
      backpressureLimit: V1_FRAME_MAX_BYTES,
      closeOnBackpressureLimit: true,
      // The heartbeat is ours: it must see a frozen worker, not only a silent socket.
      idleTimeout: 0,
      sendPings: false,
      perMessageDeflate: false,
      open: (socket) => this.#onOpen(socket),
      message: (socket, frame) => this.#onFrame(socket, frame),
      drain: (socket) => socket.data.onDrain(),
      close: (socket, code) => socket.data.wire?.onClosed(code),
    };
  }

  /** Closes every socket that is open, registered or not. */
  closeAll(): void {
    for (const wire of this.#open.keys()) wire.close(CLOSE.relayGone);
  }

  /** The key is good no more: what it opened is closed. */
  closeKey(key: string): void {
    for (const [wire, opener] of this.#open) if (opener?.id === key) wire.close(CLOSE.authenticationFailed);
  }

  #onOpen(socket: ServerWebSocket<SocketData>): void {
    const { clock, log, heartbeatIntervalMs } = this.#world;
    const { data } = socket;
    const { peer } = data;
    const wire = new Wire(socket, clock, heartbeatIntervalMs);
    data.wire = wire;
    this.#open.set(wire, peer.verdict.kind === "worker" ? peer.verdict.key : null);
    const deadline = clock.startTimer(REGISTER_DEADLINE_MS, () => wire.close(CLOSE.registrationError));
    wire.whenGone(() => {
      deadline.stop();
      this.#open.delete(wire);
    });
    if (peer.verdict.kind !== "worker") {
      const isLimited = peer.verdict.kind === "rate-limited";
      const cause = peer.verdict.kind === "rejected" ? peer.verdict.cause : "too many wrong credentials from this address";
      log.warn("worker rejected", { address: peer.address, provider: peer.provider, cause });
      return wire.close(isLimited ? CLOSE.authenticationRateLimited : CLOSE.authenticationFailed);
    }
    const { key } = peer.verdict;
    data.onBinary = () => wire.close(CLOSE.registrationError);
    data.onText = (text) => {
      deadline.stop();
      this.#register(socket, wire, text, key);
    };
  }

  #onFrame(socket: ServerWebSocket<SocketData>, frame: string | Buffer): void {
    const { wire, onText, onBinary, peer } = socket.data;
    if (wire === null || !wire.isOpen) return;
    wire.heard();
    try {
      if (typeof frame === "string") onText(frame);
      else onBinary(frame);
    } catch (error) {
      // A peer's mistake costs the peer its connection; a mistake of ours must not cost anybody else theirs.
      const close = error instanceof PeerError ? { code: error.closeCode, reason: error.message } : CLOSE.protocolError;
      const cause = error instanceof Error ? error.message : "unknown";
      if (error instanceof PeerError) this.#world.log.warn("worker broke the protocol", { address: peer.address, cause });
      else this.#world.log.error("internal error in a worker session", { address: peer.address, cause });
      wire.close(close);
    }
  }

  #register(socket: ServerWebSocket<SocketData>, wire: Wire, text: string, key: ApiKey | null): void {
    if (text.length > REGISTER_MAX_BYTES) throw new PeerError(CLOSE.registrationError.code, CLOSE.registrationError.reason);
    const register = decodeRegister(text);
    const claimed = register.protocol_version ?? V1;
    if (claimed !== V1) throw new PeerError(CLOSE.registrationError.code, CLOSE.registrationError.reason);
    const isV2 = register.protocols?.includes(V2) === true;
    const claims = { name: register.worker_name, models: register.models, slots: register.max_concurrent };
    const { name, models, slots, warnings } = grantClaims(claims, register.unlisted_models ?? [], key);
    const worker: WorkerId = `w${++this.#lastWorker}-${crypto.randomUUID().slice(0, 8)}`;
    const protocol = isV2 ? V2 : V1;
    const ack = { type: "register_ack", worker_id: worker, models, warnings, protocol_version: protocol };
    if (wire.sendMessage(isV2 ? { ...ack, max_concurrent: slots } : ack) === "lost") return;
    this.#startSession(socket, wire, { register, worker, key, name, models, slots, protocol, warnings });
  }

  #startSession(socket: ServerWebSocket<SocketData>, wire: Wire, accepted: Accepted): void {
    const { hub, clock, log, heartbeatIntervalMs } = this.#world;
    const { register, worker, key, name, models, slots, protocol } = accepted;
    const { peer } = socket.data;
    const world = { hub, wire, worker, key, slots, clock, log };
    const session: Session = protocol === V2 ? createV2Session(world) : createV1Session(world);
    const { data } = socket;
    data.onText = (frame) => session.onText(frame);
    data.onBinary = (frame) => session.onBinary(frame);
    data.onDrain = () => session.onDrain();
    wire.whenGone((code) => {
      this.#open.delete(wire);
      session.onClosed();
      log.info("worker disconnected", { worker_id: worker, worker_name: name, code });
      hub.fleet.left(worker, code === 1000 ? "clean" : "lost");
    });
    log.info("worker registered", { worker_id: worker, worker_name: name, models, slots, protocol, address: peer.address });
    log.debug("register_ack", { worker_id: worker, warnings: accepted.warnings });
    wire.startHeartbeat(() =>
      log.warn("worker heartbeat timed out", { worker_id: worker, worker_name: name, silent_ms: heartbeatIntervalMs * 3 }),
    );
    const unlisted = cleanModels(register.unlisted_models ?? []).models;
    // One key's worker cannot supersede another's by claiming its instance.
    const instance = protocol === V2 && register.instance_id ? `${key?.id ?? "shared"}/${register.instance_id}` : null;
    const { provider, address } = peer;
    const info = {
      name,
      provider,
      instance,
      slots,
      models,
      unlisted,
      load: register.current_load ?? 0,
      protocol,
      version: register.version ?? null,
      address,
    };
    hub.fleet.join(worker, info, session.handle, wire);
  }
}

interface Accepted {
  readonly register: Register;
  readonly worker: WorkerId;
  readonly key: ApiKey | null;
  readonly name: string;
  readonly models: readonly string[];
  readonly slots: number;
  readonly protocol: typeof V1 | typeof V2;
  readonly warnings: readonly string[];
}

function ignore(): void {}
