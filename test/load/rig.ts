// A load as tests run it: real sockets against a backend, or stand-ins for them under a clock moved by hand.
import { systemClock } from "../../src/base/clock.ts";
import { type ApiName, APIS } from "../../src/load/apis.ts";
import { endpointOf, postBytes } from "../../src/load/endpoint.ts";
import type { Carrier } from "../../src/load/exchange.ts";
import { HttpClient } from "../../src/load/http-client.ts";
import { type LoadEnd, type LoadPlan, type RunningLoad, startLoad } from "../../src/load/load.ts";
import { Tally } from "../../src/load/tally.ts";
import type { ManualClock } from "../support/manual-clock.ts";

/** Ten requests, one at a time. */
const PLAN: LoadPlan = {
  api: APIS.chat,
  concurrency: 1,
  requests: 10,
  durationMs: null,
  warmUp: 0,
  arrivals: null,
  timeoutMs: 10_000,
};

export interface LoadScript extends Partial<Omit<LoadPlan, "api">> {
  readonly url: string;
  readonly api?: ApiName;
  readonly isStreaming?: boolean;
}

export function loadBackend({ url, api = "chat", isStreaming = false, ...plan }: LoadScript): RunningLoad & { readonly tally: Tally } {
  const tally = new Tally();
  const target = new URL(APIS[api].path, url);
  const body = JSON.stringify(APIS[api].body({ model: "m", prompt: "p", maxTokens: 9, isStreaming }));
  const load = startLoad(
    { ...PLAN, ...plan, api: APIS[api] },
    {
      clock: systemClock,
      random: Math.random,
      openCarrier: () => new HttpClient(endpointOf(target), () => systemClock.nowMs()),
      asked: () => ({ bytes: postBytes(target, body), isStreaming }),
      recorder: tally,
    },
  );
  return { ...load, tally };
}

/** Kinds of failure and how often. */
export function errorsOf({ errors }: Tally): Readonly<Record<string, number>> {
  return Object.fromEntries([...errors].map(([kind, { count }]) => [kind, count]));
}

export interface FakeServer {
  readonly load: RunningLoad;
  readonly tally: Tally;
  /** When each request was sent, by the clock. */
  readonly sentMs: readonly number[];
  /** Which connection each was sent over. */
  readonly sentOver: readonly number[];
  readonly connections: () => number;
  readonly highest: () => number;
  /** Moves time on until the load is over. */
  end(limitMs?: number): Promise<LoadEnd>;
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
const ANSWER = Buffer.from("{}");

/** Every answer takes `serviceMs`; with "connect" nobody answers at all. */
export function loadStandIn(
  clock: ManualClock,
  serviceMs: number | "connect",
  plan: Partial<LoadPlan>,
  random = (): number => 0.5,
): FakeServer {
  const tally = new Tally();
  const sentMs: number[] = [];
  const sentOver: number[] = [];
  let [connections, running, highest] = [0, 0, 0];
  const openCarrier = (): Carrier => {
    const connection = connections++;
    return {
      hangUp: () => {},
      send(_request, observer) {
        sentMs.push(clock.nowMs());
        sentOver.push(connection);
        highest = Math.max(highest, ++running);
        clock.startTimer(serviceMs === "connect" ? 0 : serviceMs, () => {
          running--;
          if (serviceMs === "connect") return observer.onFailed("connect ECONNREFUSED", clock.nowMs());
          observer.onHead?.(200, HEAD, clock.nowMs());
          observer.onBody?.(ANSWER, clock.nowMs());
          observer.onEnd(200, clock.nowMs());
        });
      },
    };
  };
  const asked = () => ({ bytes: Buffer.from(""), isStreaming: false });
  const load = startLoad({ ...PLAN, timeoutMs: null, ...plan }, { clock, random, openCarrier, asked, recorder: tally });
  return {
    load,
    tally,
    sentMs,
    sentOver,
    connections: () => connections,
    highest: () => highest,
    async end(limitMs = 1_000_000) {
      const ends: LoadEnd[] = [];
      const watch = async (): Promise<void> => void ends.push(await load.finished);
      void watch();
      for (let goneMs = 0; ends.length === 0 && goneMs < limitMs; goneMs += 1_000) {
        clock.advance(1_000);
        await Promise.resolve();
        await Promise.resolve();
      }
      const [end] = ends;
      if (end === undefined) throw new Error("the load did not end");
      return end;
    },
  };
}
