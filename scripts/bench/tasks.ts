// What the load process can be asked to do. Plans and results are JSON, with every sample in them.
import { endpointOf, postBytes } from "../../src/load/endpoint.ts";
import { HttpClient } from "../../src/load/http-client.ts";
import { type Failures, type LoopPlan, runInTurns, runLoop, runStreams, type StreamsPlan, type Target } from "./load.ts";
import { sharedNowMs } from "./clock.ts";
import { measureSkewMs } from "./skew.ts";

export type Task =
  | { readonly kind: "loop"; readonly target: Target; readonly plan: LoopPlan }
  | { readonly kind: "turns"; readonly targets: readonly Target[]; readonly plan: Omit<LoopPlan, "clients"> }
  | {
      readonly kind: "streams";
      readonly target: Target;
      readonly plan: Omit<StreamsPlan, "skewMs">;
      /** Answers with the backend's time. */
      readonly clockUrl: string;
    }
  | { readonly kind: "hang-up"; readonly target: Target; readonly times: number; readonly clockUrl: string };

export interface LoopOutcome {
  readonly elapsedMs: number;
  readonly latency: readonly number[];
  readonly firstByte: readonly number[];
  readonly failures: Readonly<Record<string, number>>;
}

export interface StreamsOutcome extends LoopOutcome {
  readonly events: number;
  readonly openedMs: number;
  readonly delay: readonly number[];
  readonly complete: number;
}

/** By id: the moment the client hung up, on the backend's clock. */
export type HangUps = Readonly<Record<string, number>>;

/** @throws when nothing at all went well: there is nothing to measure then */
export async function runTask(task: Task): Promise<unknown> {
  switch (task.kind) {
    case "loop": {
      const result = await runLoop(task.target, task.plan);
      return proven(result, result.latency.count, result.failures);
    }
    case "turns": {
      const results = await runInTurns(task.targets, task.plan);
      return results.map((result) => proven(result, result.latency.count, result.failures));
    }
    case "streams": {
      const result = await runStreams(task.target, { ...task.plan, skewMs: await measureSkewMs(task.clockUrl) });
      return proven(result, result.complete, result.failures);
    }
    case "hang-up":
      return hangUps(task.target, task.times, await measureSkewMs(task.clockUrl));
  }
}

function proven<Result>(result: Result, successes: number, failures: Failures): Result {
  if (successes === 0) throw new Error(`nothing went well: ${JSON.stringify(failures)}`);
  return result;
}

/** Chunks a client waits for before it hangs up: the answer is well under way. */
const CHUNKS_BEFORE = 3;

/** One client after the other opens a stream, reads a little of it and closes its connection. */
async function hangUps(target: Target, times: number, skewMs: number): Promise<HangUps> {
  const moments: Record<string, number> = {};
  const url = new URL(target.url);
  for (let index = 0; index < times; index++) {
    const body = target.body.replaceAll("$INDEX", String(index));
    const client = new HttpClient(endpointOf(url), sharedNowMs);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let reads = 0;
    await client.send(postBytes(url, body), {
      onBody: () => {
        if (++reads === CHUNKS_BEFORE) resolve();
      },
      onEnd: (status) => reject(new Error(`the stream ended with status ${status} before its client hung up`)),
      onFailed: (kind) => reject(new Error(`the stream failed: ${kind}`)),
    });
    await promise;
    moments[String(index)] = sharedNowMs() - skewMs;
    client.hangUp();
  }
  return moments;
}
