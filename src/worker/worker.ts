// The worker daemon: finds out what its backend offers, keeps one connection to the relay, and serves what comes over it.
import type { Clock, Timer } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { VERSION } from "../base/version.ts";
import { CLOSE } from "../protocol/close.ts";
import { decodeRegisterAck } from "../protocol/decode.ts";
import { windowBytes } from "../protocol/limits.ts";
import { type ProtocolVersion, type RegisterAck, V1, V2 } from "../protocol/schema.ts";
import { type Announcement, isSameAnnouncement } from "./announcement.ts";
import { awayDelayMs, refusedDelayMs, retryDelayMs, STABLE_AFTER_MS } from "./backoff.ts";
import type { WorkConfig } from "./config.ts";
import { type ConnectionEnd, RelayConnection } from "./connection.ts";
import { explainEnd } from "./explain.ts";
import { RELAY_DRAIN_DEFAULT_SECS, RELAY_DRAIN_MAX_SECS } from "./limits.ts";
import { ModelWatch } from "./models.ts";
import { chooseProxy, type Environment, type ProxyChoice, relayAddress } from "./relay-address.ts";
import type { RelayShutdown, Session, SessionContext } from "./session.ts";
import { SessionV1 } from "./session-v1.ts";
import { SessionV2 } from "./session-v2.ts";

export interface WorkerWorld {
  readonly log: Log;
  readonly clock: Clock;
  /** In [0, 1); a CSPRNG when not given, so that no two workers retry in step. */
  readonly random?: () => number;
  /** Where the proxy variables are read; the process's own environment when not given. */
  readonly environment?: Environment;
  /** How often the backend is asked for its models; MODELS_POLL_MS when not given. */
  readonly modelsPollMs?: number;
}

export interface WorkerStatus {
  readonly connection: "starting" | "connecting" | "registered" | "waiting" | "stopped";
  readonly protocol: ProtocolVersion | null;
  readonly workerId: string | null;
  readonly models: readonly string[];
  /** Requests running now. */
  readonly active: number;
  readonly isDraining: boolean;
  /** Why the last connection ended, with what would put it right; null while registered. */
  readonly problem: string | null;
  /** Messages of the relay that this version does not know. */
  readonly unknownMessages: number;
}

export interface RunningWorker {
  /** Resolves when a drain or stop is complete; never rejects. */
  readonly finished: Promise<void>;
  /** Takes no more requests, finishes the running ones for up to `drainTimeoutMs`, then closes. */
  drain(): void;
  /** Aborts everything now. */
  stop(): Promise<void>;
  status(): WorkerStatus;
}

/** @throws UsageError when the secret or the backend's key cannot be sent in a header */
export function startWorker(config: WorkConfig, world: WorkerWorld): RunningWorker {
  for (const [name, value] of [["worker secret", config.workerSecret] as const, ["backend API key", config.backendApiKey ?? ""] as const]) {
    if (!/^[\x20-\x7e]*$/.test(value)) throw new UsageError(`the ${name} holds characters that cannot be sent in a header`);
  }
  const worker = new Worker(config, world);
  void worker.start();
  return worker;
}

type State =
  | { readonly name: "starting" }
  | { readonly name: "connecting"; readonly connection: RelayConnection; announced: Announcement }
  | {
      readonly name: "registered";
      readonly connection: RelayConnection;
      readonly session: Session;
      readonly workerId: string;
      readonly protocol: ProtocolVersion;
      readonly sinceMs: number;
      /** Runs while the worker or its relay drains. */
      drainTimer: Timer | null;
      /** The relay asked to be left alone for this long. */
      awayMs: number | null;
    }
  | { readonly name: "waiting"; readonly timer: Timer }
  | { readonly name: "stopped" };

class Worker implements RunningWorker {
  readonly finished: Promise<void>;
  readonly #resolveFinished: () => void;
  readonly #config: WorkConfig;
  readonly #world: WorkerWorld;
  readonly #random: () => number;
  readonly #watch: ModelWatch;
  readonly #address: URL;
  readonly #proxy: ProxyChoice;
  /** Tells the relay that a new connection is the same worker, so that it drops a half-open older one. */
  readonly #instanceId = crypto.randomUUID();
  #state: State = { name: "starting" };
  #failures = 0;
  #isDraining = false;
  #problem: string | null = null;
  #unknownMessages = 0;

  constructor(config: WorkConfig, world: WorkerWorld) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#resolveFinished = resolve;
    this.#config = config;
    this.#world = world;
    this.#random = world.random ?? secureRandom;
    this.#address = relayAddress(config.proxyUrl, config.provider);
    this.#proxy = chooseProxy(this.#address, world.environment ?? process.env);
    this.#watch = new ModelWatch(config, world, (announcement) => this.#onModelsChanged(announcement));
  }

  /** The first registration should already name the models, so the backend is asked first; it has five seconds. */
  async start(): Promise<void> {
    if (this.#proxy.kind === "unusable") {
      const { variable, cause } = this.#proxy;
      const fix = "give it an http:// or https:// URL, or unset it; until then the relay is reached without a proxy";
      this.#world.log.warn("proxy variable is not usable", { variable, cause, fix });
    }
    await this.#watch.refresh();
    if (this.#state.name === "starting") this.#connect();
  }

  drain(): void {
    if (this.#isDraining || this.#state.name === "stopped") return;
    this.#isDraining = true;
    const state = this.#state;
    if (state.name !== "registered") return this.#finish();
    const { drainTimeoutMs } = this.#config;
    this.#world.log.info("graceful shutdown", { active: state.session.jobs.size, drain_timeout_ms: drainTimeoutMs });
    this.#startDrainTimer(drainTimeoutMs);
    state.session.drain(drainTimeoutMs);
  }

  async stop(): Promise<void> {
    this.#finish();
    return this.finished;
  }

  status(): WorkerStatus {
    const state = this.#state;
    const isRegistered = state.name === "registered";
    return {
      connection: state.name,
      protocol: isRegistered ? state.protocol : null,
      workerId: isRegistered ? state.workerId : null,
      models: this.#watch.current.models,
      active: isRegistered ? state.session.jobs.size : 0,
      isDraining: this.#isDraining,
      problem: this.#problem,
      unknownMessages: this.#unknownMessages,
    };
  }

  #connect(): void {
    const { workerSecret, tlsCa } = this.#config;
    const proxy = this.#proxy.kind === "proxy" ? this.#proxy.url : null;
    const connection = new RelayConnection({ address: this.#address, proxy, secret: workerSecret, tlsCa }, this.#world.clock, {
      onOpen: () => this.#register(connection),
      onText: (text) => {
        if (this.#state.name === "registered") this.#state.session.onText(text);
        else this.#onRegisterAck(connection, decodeRegisterAck(text));
      },
      onBinary: (bytes) => {
        if (this.#state.name === "registered") this.#state.session.onBinary(bytes);
        else connection.close(CLOSE.protocolError);
      },
      onGone: (end) => this.#onGone(end),
    });
    this.#state = { name: "connecting", connection, announced: this.#watch.current };
  }

  #register(connection: RelayConnection): void {
    const { proxyUrl, workerName, maxConcurrency, provider } = this.#config;
    this.#world.log.info("connected to proxy", { proxy: proxyUrl.host, provider });
    const announced = this.#watch.current;
    this.#state = { name: "connecting", connection, announced };
    connection.send({
      type: "register",
      worker_name: workerName,
      models: announced.models,
      max_concurrent: maxConcurrency,
      current_load: 0,
      protocol_version: V1,
      protocols: [V2],
      instance_id: this.#instanceId,
      version: VERSION,
      unlisted_models: announced.unlisted,
    });
  }

  #onRegisterAck(connection: RelayConnection, ack: RegisterAck): void {
    const { log, clock } = this.#world;
    const announced = this.#state.name === "connecting" ? this.#state.announced : this.#watch.current;
    const protocol = ack.protocol_version === V2 ? V2 : V1;
    const context = this.#sessionContext(connection, ack.max_concurrent ?? this.#config.maxConcurrency);
    const session = protocol === V2 ? new SessionV2(context) : new SessionV1(context);
    const workerId = ack.worker_id;
    this.#state = { name: "registered", connection, session, workerId, protocol, sinceMs: clock.nowMs(), drainTimer: null, awayMs: null };
    this.#problem = null;
    connection.onRegistered();
    log.info("registered", { worker_id: workerId, protocol, models: ack.models, slots: context.slots });
    for (const warning of ack.warnings ?? []) log.warn("relay changed the registration", { worker_id: workerId, warning });
    // The backend may have changed while the registration was under way.
    if (!isSameAnnouncement(announced, this.#watch.current)) session.announce(this.#watch.current);
  }

  #sessionContext(connection: RelayConnection, grantedSlots: number): SessionContext {
    const { log, clock } = this.#world;
    return {
      connection,
      backend: { url: this.#config.backendUrl, apiKey: this.#config.backendApiKey },
      slots: Math.min(grantedSlots, this.#config.maxConcurrency),
      windowBytes: windowBytes(grantedSlots),
      log,
      clock,
      refreshModels: () => void this.#refreshModels(connection),
      onRelayShutdown: (message) => this.#onRelayShutdown(message),
      onUnknownMessage: (name) => {
        this.#unknownMessages++;
        log.debug("ignored a message of an unknown type", { type: name });
      },
      onIdle: () => connection.close(CLOSE.drainComplete),
    };
  }

  async #refreshModels(connection: RelayConnection): Promise<void> {
    const hasChanged = await this.#watch.refresh();
    // A change was announced as it was noticed; the relay waits for an answer in any case.
    const state = this.#state;
    if (!hasChanged && state.name === "registered" && state.connection === connection) state.session.announce(this.#watch.current);
  }

  #onModelsChanged(announcement: Announcement): void {
    if (this.#state.name === "registered") this.#state.session.announce(announcement);
  }

  /** The relay restarts: finish what runs, then come back. */
  #onRelayShutdown({ reason, drain_timeout_secs, reconnect_after_secs }: RelayShutdown): void {
    const state = this.#state;
    if (state.name !== "registered" || state.awayMs !== null) return;
    const secs = Math.min(Math.max(drain_timeout_secs ?? RELAY_DRAIN_DEFAULT_SECS, 0), RELAY_DRAIN_MAX_SECS);
    this.#world.log.info("graceful shutdown", { by: "relay", reason, active: state.session.jobs.size, drain_timeout_ms: secs * 1_000 });
    state.awayMs = awayDelayMs(reconnect_after_secs, this.#random());
    if (state.drainTimer === null) this.#startDrainTimer(secs * 1_000);
  }

  #startDrainTimer(delayMs: number): void {
    const state = this.#state;
    if (state.name !== "registered") return;
    state.drainTimer?.stop();
    state.drainTimer = this.#world.clock.startTimer(delayMs, () => {
      this.#world.log.warn("drain timed out", { aborted: state.session.jobs.size });
      state.session.jobs.abortAll();
      state.connection.close(CLOSE.drainTimedOut);
    });
  }

  #onGone(end: ConnectionEnd): void {
    const state = this.#state;
    const { log, clock } = this.#world;
    this.#leave();
    if (this.#isDraining) return this.#finish();
    const wasStable = state.name === "registered" && clock.nowMs() - state.sinceMs >= STABLE_AFTER_MS;
    const awayMs = state.name === "registered" ? state.awayMs : null;
    this.#failures = wasStable || awayMs !== null ? 0 : this.#failures;
    const { message, fix, isRefusal } = explainEnd(end, this.#proxy.kind === "proxy" ? this.#proxy : null);
    const delayMs = awayMs ?? (isRefusal ? refusedDelayMs(this.#random()) : retryDelayMs(++this.#failures, this.#random()));
    const fields = { code: end.code, reason: end.reason, fix, retry_in_ms: delayMs };
    if (awayMs !== null) log.info("left the relay while it restarts", fields);
    else log.warn(message, fields);
    this.#problem = fix === null ? message : `${message}: ${fix}`;
    this.#state = { name: "waiting", timer: clock.startTimer(delayMs, () => this.#connect()) };
  }

  #finish(): void {
    if (this.#state.name === "stopped") return;
    this.#watch.stop();
    this.#leave();
    this.#state = { name: "stopped" };
    this.#resolveFinished();
  }

  /** Lets go of everything the current state holds. A lost connection's requests are the relay's to place anew. */
  #leave(): void {
    const state = this.#state;
    if (state.name === "waiting") state.timer.stop();
    if (state.name === "connecting" || state.name === "registered") state.connection.terminate();
    if (state.name !== "registered") return;
    state.drainTimer?.stop();
    state.session.jobs.abortAll();
  }
}

function secureRandom(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}
