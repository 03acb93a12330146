// Keeps one model running: starts it, and its worker once it answers, writes down how they do, and takes both down in order.
import { closeSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { CommandError } from "../base/errors.ts";
import { type Child, type ChildEnd, startChild } from "./child.ts";
import { ensureDirectory, type Home } from "./home.ts";
import { identify, isGone } from "./identity.ts";
import { lockBriefly, tryLock } from "./lock.ts";
import { logPath, openLog, watchLogs } from "./log-file.ts";
import { choosePort, type PortRange } from "./port.ts";
import { untilReady } from "./readiness.ts";
import { modelUrl, readRunState, type RunEnd, type RunState, writeRunState } from "./run-state.ts";
import { askToEnd, isRequested, STOP_REQUEST_VARIABLE, stopRequestPath, takeBackRequest, watchForRequest } from "./stop-request.ts";

export interface KeeperPlan {
  readonly slug: string;
  /** Null takes a free one of the range. */
  readonly port: number | null;
  readonly portRange: PortRange;
  /** What is written down, so that `restart` can do the same again. */
  readonly record: Pick<RunState, "args" | "gpu_layers" | "context_size" | "proxy_url" | "provider" | "tls_ca" | "max_concurrency">;
  readonly toModelCommand: (port: number) => readonly string[];
  readonly modelEnv: Readonly<Record<string, string>>;
  /** Null: the model is not relayed. */
  readonly worker: { readonly toCommand: (backendUrl: string) => readonly string[]; readonly env: Readonly<Record<string, string>> } | null;
}

export interface KeeperWorld {
  readonly home: Home;
  readonly clock: Clock;
  readonly onReady: (url: string) => void;
}

export interface Keeper {
  readonly url: string;
  /** How it came to its end; null: it was asked to. */
  readonly ended: Promise<RunEnd | null>;
  stop(): void;
  /** Ends model and worker without asking; nothing is waited for. */
  kill(): void;
}

/** @throws CommandError when it is kept already, or cannot be started */
export async function startKeeper(plan: KeeperPlan, world: KeeperWorld): Promise<Keeper> {
  const { home } = world;
  ensureDirectory(home.state);
  const lock = tryLock(home, `keep-${plan.slug}`);
  if (lock === null) throw new CommandError(keptAlready(plan.slug));
  try {
    // Who has the lock knows that there is no other keeper.
    const before = readRunState(home, plan.slug);
    if (before !== null && ![before.model, before.worker].every(isGone)) {
      throw new CommandError(`${plan.slug} is still running, but without its keeper; 'modelrelay llamafile stop ${plan.slug}' first`);
    }
    const book = await openBook(plan, before, world);
    const keeping = new Keeping(plan, world, book);
    const ended = keeping.run().finally(() => lock.release());
    return { url: modelUrl(book.state), ended, stop: () => keeping.stop(), kill: () => keeping.kill() };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** What a keeper refuses with where there is one; whoever started it in vain knows it by this. */
export function keptAlready(slug: string): string {
  return `${slug} is running or being started already; 'modelrelay llamafile status' shows it`;
}

/** How long a worker has to finish its requests, and a model to end, before they are ended. */
export const WORKER_DRAIN_MS = 10_000;
const MODEL_GRACE_MS = 5_000;
// The worker's own limit comes first.
const WORKER_GRACE_MS = WORKER_DRAIN_MS + 2_000;

/** The state file, and the only one who writes it while the keeper lives. */
interface Book {
  readonly state: RunState;
  update(change: Partial<RunState>): void;
}

/** Chooses the port and writes it down in one go, so that two starts at once choose two. Until then what was written before stays. */
async function openBook(plan: KeeperPlan, before: RunState | null, { home, clock }: KeeperWorld): Promise<Book> {
  const keeper = identify(process.pid);
  if (keeper === null) throw new CommandError("this system does not tell when a process started, so a model could not be stopped safely");
  using _ = lockBriefly(home, "ports");
  const port = await choosePort(home, plan.port, before?.port ?? null, plan.portRange);
  let state: RunState = {
    version: 1,
    slug: plan.slug,
    port,
    is_port_fixed: plan.port !== null,
    ...plan.record,
    started_at: clock.unixMs(),
    is_ready: false,
    keeper,
    model: null,
    worker: null,
    is_stopping: false,
    ended: null,
  };
  // Of a keeper that had the same number by chance.
  takeBackRequest(stopRequestPath(home, state));
  writeRunState(home, state);
  return {
    get state() {
      return state;
    },
    update(change) {
      state = { ...state, ...change };
      writeRunState(home, state);
    },
  };
}

class Keeping {
  readonly #plan: KeeperPlan;
  readonly #world: KeeperWorld;
  readonly #book: Book;
  readonly #stopping = new AbortController();
  readonly #children: Child[] = [];
  /** Where both the keeper and the worker are asked to end. */
  readonly #stopRequest: string;

  constructor(plan: KeeperPlan, world: KeeperWorld, book: Book) {
    this.#plan = plan;
    this.#world = world;
    this.#book = book;
    this.#stopRequest = stopRequestPath(world.home, book.state);
  }

  stop(): void {
    if (this.#stopping.signal.aborted) return;
    try {
      this.#book.update({ is_stopping: true });
    } catch {
      // A disk that is full keeps nobody from stopping; it is told of when the end cannot be written down either.
    }
    this.#stopping.abort();
  }

  kill(): void {
    for (const child of this.#children) child.kill();
  }

  /** The model first, the worker once there is something behind it; the other way round at the end. */
  async run(): Promise<RunEnd | null> {
    const { home, clock } = this.#world;
    const { slug } = this.#plan;
    const logs = watchLogs([logPath(home, slug, "model"), logPath(home, slug, "worker")], clock);
    const requests = watchForRequest(this.#stopRequest, clock, () => this.stop());
    let model: Child | null = null;
    let worker: Child | null = null;
    try {
      const { port } = this.#book.state;
      model = await this.#start("model", this.#plan.toModelCommand(port), this.#plan.modelEnv);
      this.#book.update({ model: model.identity });
      const modelEnd = model.ended.then((end) => this.#toEnd("model", end));
      const isUp = await this.#untilReady(modelEnd);
      if (!isUp) return this.#close(await this.#orStopped(modelEnd));
      this.#book.update({ is_ready: true });
      worker = await this.#startWorker();
      this.#world.onReady(modelUrl(this.#book.state));
      const ends = worker === null ? [modelEnd] : [modelEnd, worker.ended.then((end) => this.#toEnd("worker", end))];
      return this.#close(await this.#orStopped(Promise.race(ends)));
    } catch (error) {
      this.#close({ who: "model", code: null, signal: null, at: clock.unixMs() });
      throw error;
    } finally {
      requests.stop();
      await worker?.stop(WORKER_GRACE_MS, (signal) => askToEnd(this.#stopRequest, signal));
      await model?.stop(MODEL_GRACE_MS);
      takeBackRequest(this.#stopRequest);
      logs.stop();
      if (this.#stopping.signal.aborted) this.#book.update({ ended: { who: "model", code: 0, signal: null, at: clock.unixMs() } });
    }
  }

  async #startWorker(): Promise<Child | null> {
    const { worker } = this.#plan;
    if (worker === null || this.#stopping.signal.aborted) return null;
    const env = { ...worker.env, [STOP_REQUEST_VARIABLE]: this.#stopRequest };
    const child = await this.#start("worker", worker.toCommand(modelUrl(this.#book.state)), env);
    this.#book.update({ worker: child.identity });
    return child;
  }

  async #start(kind: "model" | "worker", command: readonly string[], env: Readonly<Record<string, string>>): Promise<Child> {
    const { home, clock } = this.#world;
    const headline = `${new Date(clock.unixMs()).toISOString()} ${command.join(" ")}`;
    const output = openLog(home, this.#plan.slug, kind, headline);
    try {
      const child = await startChild({ command, env, directory: home.root, output, clock });
      this.#children.push(child);
      return child;
    } finally {
      closeSync(output);
    }
  }

  /** False: it ended first, or is to be stopped. */
  async #untilReady(modelEnd: Promise<RunEnd>): Promise<boolean> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stopping.signal]);
    const ready = untilReady(modelUrl(this.#book.state), this.#world.clock, signal).then(
      () => true,
      () => false,
    );
    const isUp = await Promise.race([ready, modelEnd.then(() => false)]);
    over.abort();
    return isUp && !this.#stopping.signal.aborted;
  }

  /** Null once it is asked to stop. */
  async #orStopped(end: Promise<RunEnd>): Promise<RunEnd | null> {
    const { signal } = this.#stopping;
    const stopped = new Promise<null>((resolve) => {
      if (signal.aborted) resolve(null);
      signal.addEventListener("abort", () => resolve(null), { once: true });
    });
    return await Promise.race([stopped, end]);
  }

  /** Null once it is asked to stop: then an end is what was asked for, also where the worker heard of the request first. */
  #close(end: RunEnd | null): RunEnd | null {
    if (isRequested(this.#stopRequest)) this.stop();
    if (this.#stopping.signal.aborted) return null;
    if (end !== null) this.#book.update({ ended: end });
    return end;
  }

  #toEnd(who: "model" | "worker", end: ChildEnd): RunEnd {
    return { who, ...end, at: this.#world.clock.unixMs() };
  }
}
