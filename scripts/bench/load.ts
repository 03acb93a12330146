// The load generator: clients that send one request after the other, and clients that hold one stream each.
import { EventCounter, EventStamps } from "./event-meter.ts";
import { endpointOf, type ExchangeObserver, HttpClient, postBytes } from "./http-client.ts";
import { Samples } from "./samples.ts";
import { sharedNowMs } from "./clock.ts";

export interface Target {
  readonly url: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How often each kind of failure happened; empty when all went well. */
export type Failures = Record<string, number>;

export interface LoopPlan {
  readonly clients: number;
  /** Measured, over all clients. */
  readonly requests: number;
  /** Sent before, by the same clients, and not measured. */
  readonly warmUp: number;
}

export interface LoopResult {
  /** From the first measured request to the last answer. */
  readonly elapsedMs: number;
  /** Request sent to answer complete. */
  readonly latency: Samples;
  /** Request sent to the first byte of the body. */
  readonly firstByte: Samples;
  readonly failures: Failures;
}

/**
 * A closed loop: each client waits for its answer before it sends again. That is the right question for "how many requests a
 * second", and for the latency of an idle system with one client. With many clients its latencies are service times only: a slow
 * answer also delays the requests behind it, which nobody counts (coordinated omission).
 */
export async function runLoop(target: Target, plan: LoopPlan): Promise<LoopResult> {
  const result = { latency: new Samples(), firstByte: new Samples(), failures: {} as Failures };
  const clients = Array.from({ length: plan.clients }, () => new LoopClient(target));
  await Promise.all(clients.map((client, index) => client.send(share(plan.warmUp, plan.clients, index))));
  const startedMs = sharedNowMs();
  await Promise.all(clients.map((client, index) => client.send(share(plan.requests, plan.clients, index), result)));
  const elapsedMs = sharedNowMs() - startedMs;
  for (const client of clients) client.close();
  return { elapsedMs, ...result };
}

/** Takes turns between the targets, one request at a time, so that what disturbs the machine disturbs all of them alike. */
export async function runInTurns(targets: readonly Target[], plan: Omit<LoopPlan, "clients">): Promise<readonly LoopResult[]> {
  const clients = targets.map((target) => new LoopClient(target));
  const results = targets.map(() => ({ elapsedMs: 0, latency: new Samples(), firstByte: new Samples(), failures: {} as Failures }));
  for (let turn = 0; turn < plan.warmUp + plan.requests; turn++) {
    for (const [index, client] of clients.entries()) {
      const startedMs = sharedNowMs();
      await (turn < plan.warmUp ? client.send(1) : client.send(1, results[index]));
      if (turn >= plan.warmUp) results[index]!.elapsedMs += sharedNowMs() - startedMs;
    }
  }
  for (const client of clients) client.close();
  return results;
}

type LoopRecord = Pick<LoopResult, "latency" | "firstByte" | "failures">;

class LoopClient {
  readonly #request: Buffer;
  readonly #newClient: () => HttpClient;
  #client: HttpClient;

  constructor(target: Target) {
    const url = new URL(target.url);
    this.#request = postBytes(url, target.body, target.headers);
    this.#newClient = () => new HttpClient(endpointOf(url));
    this.#client = this.#newClient();
  }

  /** Sends so many requests, one after the other, and notes how they went when there is a record to note it in. */
  async send(requests: number, record?: LoopRecord): Promise<void> {
    if (requests === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    let left = requests;
    let sentMs = 0;
    let firstByteMs = 0;
    const next = (): void => {
      if (left-- === 0) return resolve();
      sentMs = sharedNowMs();
      firstByteMs = 0;
      void this.#client.send(this.#request, observer);
    };
    const observer: ExchangeObserver = {
      onBody: (_bytes, atMs) => (firstByteMs ||= atMs),
      onEnd: (status, atMs) => {
        if (status !== 200) countFailure(record?.failures, `status ${status}`);
        else {
          record?.latency.add(atMs - sentMs);
          record?.firstByte.add((firstByteMs || atMs) - sentMs);
        }
        next();
      },
      onFailed: (kind) => {
        countFailure(record?.failures, kind);
        this.#client = this.#newClient();
        next();
      },
    };
    next();
    return promise;
  }

  close(): void {
    this.#client.hangUp();
  }
}

export interface StreamsPlan {
  readonly streams: number;
  /** How many may be waiting for their first byte at a time while the streams are opened. */
  readonly opening: number;
  /** "count": how many events came; "delay": also how long each was on its way, by the time written into it. */
  readonly measure: "count" | "delay";
  /** Events per stream that are not measured. */
  readonly skip: number;
  /** Events per stream that are measured after those, "delay" only; all when not given. */
  readonly take?: number;
  /** How much later this process's clock is than the backend's (see skew.ts). */
  readonly skewMs: number;
}

export interface StreamsResult {
  /** Events counted after those skipped. */
  readonly events: number;
  /** From the first counted event of any stream to the last. */
  readonly elapsedMs: number;
  readonly openedMs: number;
  /** Backend's write to the read that brought it. */
  readonly delay: Samples;
  /** Request sent to the first byte of the body. */
  readonly firstByte: Samples;
  readonly complete: number;
  readonly failures: Failures;
}

/**
 * Opens the streams and reads them to their end. The pace is the backend's, by the clock, whatever was delivered before: an open
 * loop, so that a stall is seen by every event that falls into it and nothing is omitted.
 */
export async function runStreams(target: Target, plan: StreamsPlan): Promise<StreamsResult> {
  const run = new StreamsRun(plan);
  const url = new URL(target.url);
  const startedMs = sharedNowMs();
  const ends: Promise<void>[] = [];
  const lanes = Array.from({ length: Math.min(plan.opening, plan.streams) }, async (_, lane) => {
    for (let index = lane; index < plan.streams; index += plan.opening) {
      const request = postBytes(url, target.body.replaceAll("$INDEX", String(index)), target.headers);
      const { isOpen, isOver } = run.open(new HttpClient(endpointOf(url)), request);
      ends.push(isOver);
      await isOpen;
    }
  });
  await Promise.all(lanes);
  const openedMs = sharedNowMs() - startedMs;
  await Promise.all(ends);
  return run.result(openedMs);
}

class StreamsRun {
  readonly #plan: StreamsPlan;
  readonly #delay = new Samples();
  readonly #firstByte = new Samples();
  readonly #failures: Failures = {};
  #events = 0;
  #complete = 0;
  #firstMs = Infinity;
  #lastMs = 0;

  constructor(plan: StreamsPlan) {
    this.#plan = plan;
  }

  open(client: HttpClient, request: Buffer): { readonly isOpen: Promise<void>; readonly isOver: Promise<void> } {
    const open = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    const sentMs = sharedNowMs();
    let hasBody = false;
    const onBody = this.#plan.measure === "delay" ? this.#delayMeter() : this.#countMeter();
    void client.send(request, {
      onBody: (bytes, atMs) => {
        if (!hasBody) this.#firstByte.add(atMs - sentMs);
        hasBody = true;
        open.resolve();
        onBody(bytes, atMs);
      },
      onEnd: (status) => {
        if (status === 200) this.#complete++;
        else countFailure(this.#failures, `status ${status}`);
        client.hangUp();
        open.resolve();
        over.resolve();
      },
      onFailed: (kind) => {
        countFailure(this.#failures, kind);
        open.resolve();
        over.resolve();
      },
    });
    return { isOpen: open.promise, isOver: over.promise };
  }

  result(openedMs: number): StreamsResult {
    return {
      events: this.#events,
      elapsedMs: this.#events === 0 ? 0 : this.#lastMs - this.#firstMs,
      openedMs,
      delay: this.#delay,
      firstByte: this.#firstByte,
      complete: this.#complete,
      failures: this.#failures,
    };
  }

  #countMeter(): (bytes: Buffer, atMs: number) => void {
    const counter = new EventCounter();
    let counted = this.#plan.skip;
    return (bytes, atMs) => {
      counter.push(bytes);
      if (counter.count <= counted) return;
      this.#note(counter.count - counted, atMs);
      counted = counter.count;
    };
  }

  #delayMeter(): (bytes: Buffer, atMs: number) => void {
    let seen = 0;
    let readMs = 0;
    const { skip, take = Infinity } = this.#plan;
    const stamps = new EventStamps((stampMs) => {
      if (seen++ < skip || seen > skip + take) return;
      this.#delay.add(readMs - this.#plan.skewMs - stampMs);
      this.#note(1, readMs);
    });
    return (bytes, atMs) => {
      readMs = atMs;
      stamps.push(bytes);
    };
  }

  #note(events: number, atMs: number): void {
    this.#events += events;
    if (atMs < this.#firstMs) this.#firstMs = atMs;
    if (atMs > this.#lastMs) this.#lastMs = atMs;
  }
}

function countFailure(failures: Failures | undefined, kind: string): void {
  if (failures !== undefined) failures[kind] = (failures[kind] ?? 0) + 1;
}

/** What falls to one of `parts` when `whole` is shared out. */
function share(whole: number, parts: number, index: number): number {
  return Math.floor(whole / parts) + (index < whole % parts ? 1 : 0);
}
