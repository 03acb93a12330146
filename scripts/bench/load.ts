// The loads of the benchmark: clients that send one request after the other, and clients that hold one stream each.
import { EventCounter, EventStamps } from "./event-meter.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { APIS } from "../../src/load/apis.ts";
import { endpointOf, postBytes } from "../../src/load/endpoint.ts";
import { type Asked, type Outcome, startExchange } from "../../src/load/exchange.ts";
import { HttpClient } from "../../src/load/http-client.ts";
import { type Recorder, startLoad } from "../../src/load/load.ts";
import { Samples } from "../../src/load/samples.ts";
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

/** A closed loop (see src/load/load.ts) of whole answers. */
export async function runLoop(target: Target, plan: LoopPlan): Promise<LoopResult> {
  const record = newRecord();
  const { elapsedMs } = await startLoad(
    {
      api: APIS.chat,
      concurrency: plan.clients,
      requests: plan.requests,
      durationMs: null,
      warmUp: plan.warmUp,
      arrivals: null,
      timeoutMs: null,
    },
    { clock: CLOCK, random: Math.random, recorder: recorderOf(record), ...sendersOf(target) },
  ).finished;
  return { elapsedMs, ...record };
}

/** Takes turns between the targets, one request at a time, so that what disturbs the machine disturbs all of them alike. */
export async function runInTurns(targets: readonly Target[], plan: Omit<LoopPlan, "clients">): Promise<readonly LoopResult[]> {
  const lanes = targets.map((target) => {
    const { openCarrier, asked } = sendersOf(target);
    return { carrier: openCarrier(), asked: asked(), record: newRecord(), elapsedMs: 0 };
  });
  const terms = { api: APIS.chat, clock: CLOCK, timeoutMs: null, onChunk: () => {} };
  for (let turn = 0; turn < plan.warmUp + plan.requests; turn++) {
    for (const lane of lanes) {
      const outcome = await new Promise<Outcome>((resolve) => startExchange(lane.carrier, lane.asked, terms, resolve));
      if (turn < plan.warmUp) continue;
      lane.elapsedMs += outcome.endedMs - outcome.sentMs;
      recorderOf(lane.record).onOutcome(outcome, outcome.sentMs);
    }
  }
  for (const { carrier } of lanes) carrier.hangUp();
  return lanes.map(({ elapsedMs, record }) => ({ elapsedMs, ...record }));
}

type LoopRecord = Pick<LoopResult, "latency" | "firstByte" | "failures">;

const CLOCK: Clock = { ...systemClock, nowMs: sharedNowMs };

function newRecord(): LoopRecord {
  return { latency: new Samples(), firstByte: new Samples(), failures: {} };
}

function sendersOf({ url, body, headers }: Target) {
  const address = new URL(url);
  const asked: Asked = { bytes: postBytes(address, body, headers), isStreaming: isStreaming(body) };
  return { openCarrier: () => new HttpClient(endpointOf(address), sharedNowMs), asked: () => asked };
}

function isStreaming(body: string): boolean {
  const { stream }: { readonly stream?: boolean } = JSON.parse(body);
  return stream === true;
}

function recorderOf({ latency, firstByte, failures }: LoopRecord): Recorder {
  return {
    onChunk: () => {},
    onOutcome({ failure, endedMs, firstByteMs }, sentMs) {
      if (failure !== null) return countFailure(failures, failure.kind);
      latency.add(endedMs - sentMs);
      firstByte.add((firstByteMs ?? endedMs) - sentMs);
    },
  };
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
      const { isOpen, isOver } = run.open(new HttpClient(endpointOf(url), sharedNowMs), request);
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

function countFailure(failures: Failures, kind: string): void {
  failures[kind] = (failures[kind] ?? 0) + 1;
}
