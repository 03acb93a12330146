// What a request may leave behind once it is over, or no longer needs it: no timer, no body, no connection without a limit.
import { expect, test } from "bun:test";
import { FailureBudget } from "../../src/base/failure-budget.ts";
import { Admission } from "../../src/edge/admission.ts";
import { relay } from "../../src/edge/relay-route.ts";
import { Uploads } from "../../src/edge/uploads.ts";
import { Hub } from "../../src/hub/hub.ts";
import { createLocalScheduler } from "../../src/hub/seam.ts";
import { DEFAULT_LIMITS } from "../../src/scheduler/events.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { createRecordingLog } from "../support/recording-log.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { failureOf, until } from "../support/until.ts";
import { startV2Worker } from "../support/v2-worker.ts";

const STREAM = { model: "m", stream: true };

interface Route {
  readonly clock: ManualClock;
  readonly hub: Hub;
  /** The idle limits its connection was given. */
  readonly idleSecs: readonly number[];
  readonly ask: (init?: RequestInit) => Promise<Response>;
}

/** The relay route alone, with no worker connected. */
function startRoute(): Route {
  const clock = new ManualClock();
  const hub = new Hub({
    scheduler: createLocalScheduler(DEFAULT_LIMITS, clock),
    clock,
    log: createRecordingLog(),
    limits: { chunkTimeoutMs: 0 },
  });
  const admission = new Admission({
    keys: null,
    isKeyRequired: false,
    provider: "local",
    isOwnSecret: () => false,
    failures: new FailureBudget(clock),
    clock,
  });
  const limits = { bodyLimitBytes: 1_000, keepaliveAfterMs: 40_000, keepaliveMs: 15_000, forwardHeaders: [] };
  const idleSecs: number[] = [];
  return {
    clock,
    hub,
    idleSecs,
    ask: (init) => {
      const incoming = {
        request: new Request("http://relay/v1/chat/completions", { method: "POST", body: JSON.stringify(STREAM), ...init }),
        target: "/v1/chat/completions",
        dialect: "chat",
        requestId: "req",
        address: () => "192.0.2.1",
        setIdleSecs: (secs: number) => void idleSecs.push(secs),
      } as const;
      return relay(incoming, { hub, clock, admission, uploads: new Uploads(), isDraining: () => false, ...limits });
    },
  };
}

test("[T1] [C1] a client that left before its request was looked at leaves no timer behind", async () => {
  const { clock, hub, ask } = startRoute();
  expect(await failureOf(ask({ signal: AbortSignal.abort() }))).toMatchObject({ code: "invalid_request" });
  expect([clock.pending, hub.requests.size, hub.bodies.heldBytes]).toEqual([0, 0, 0]);
});

test("[H10] the connection of a refused request has its idle limit back", async () => {
  const { clock, hub, ask, idleSecs } = startRoute();
  void hub.drain();
  expect((await ask()).status).toBe(503);
  expect(idleSecs).toHaveLength(2);
  expect(idleSecs[0]).toBe(0);
  expect(idleSecs[1]).toBeGreaterThan(0);
  expect(clock.pending).toBe(0);
});

/** A body that tells when its first byte is asked for. */
function bodyOf(onRead: (controller: ReadableStreamDefaultController<Uint8Array>) => void): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: onRead }, { highWaterMark: 0 });
}

test("[H5] an upload is not cut by the connection's idle limit, which is off before the first byte is read", async () => {
  const { ask, idleSecs } = startRoute();
  const atFirstRead: number[] = [];
  const body = bodyOf((controller) => {
    atFirstRead.push(...idleSecs);
    controller.enqueue(Buffer.from("{"));
    controller.close();
  });
  expect(await failureOf(ask({ body }))).toMatchObject({ code: "invalid_request" });
  expect(atFirstRead).toEqual([0]);
  expect(idleSecs).toHaveLength(2);
});

test("[H5] the connection has its idle limit back however an upload ends", async () => {
  const refused = async (init: RequestInit, code: string): Promise<void> => {
    const { ask, idleSecs, clock } = startRoute();
    const failure = failureOf(ask(init));
    if (code === "body_timeout") {
      await until(() => clock.pending > 0, "the pace is watched");
      clock.advance(10_000);
    }
    expect(await failure).toMatchObject({ code });
    expect([code, idleSecs.length, idleSecs[0], idleSecs[1]! > 0]).toEqual([code, 2, 0, true]);
  };
  await refused({ body: "not JSON" }, "invalid_request");
  await refused({ body: JSON.stringify({ model: "m", text: "x".repeat(1_000) }) }, "body_too_large");
  await refused({ headers: { "content-encoding": "gzip" } }, "unsupported_encoding");
  await refused({ body: bodyOf((controller) => controller.error(new Error("gone"))) }, "invalid_request");
  await refused({ body: bodyOf(() => {}) }, "body_timeout");
  await refused({ signal: AbortSignal.abort() }, "invalid_request");
});

test("[Q1] a request's body is let go with the first byte of its answer, like what it counted for", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { ...STREAM, messages: ["x".repeat(100_000)] });
  const job = await worker.nextJob();
  const [live] = relay.hub.requests.values();
  expect(live?.request.body.byteLength).toBeGreaterThan(100_000);
  expect(relay.hub.bodies.heldBytes).toBeGreaterThan(100_000);
  job.startStream();
  job.data(": hello\n\n");
  await until(() => relay.hub.bodies.heldBytes === 0, "the body counts no more");
  expect(live?.request.body.byteLength).toBe(0);
  job.end();
  expect(await (await response).text()).toBe(": hello\n\n");
});
