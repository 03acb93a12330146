// A socket that takes a frame no more is lost in the middle of whatever was being done with it.
import type { ServerWebSocket } from "bun";
import { expect, test } from "bun:test";
import { Hub } from "../../src/hub/hub.ts";
import { createLocalScheduler } from "../../src/hub/seam.ts";
import { Link } from "../../src/link/link.ts";
import { type SocketData, Wire } from "../../src/link/wire.ts";
import { DEFAULT_LIMITS } from "../../src/scheduler/events.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { createRecordingLog } from "../support/recording-log.ts";

const HEARTBEAT_MS = 15_000;

/** Takes nothing. */
function fullSocket(data: SocketData | null = null): ServerWebSocket<SocketData> {
  const socket = { data, sendText: () => 0, sendBinary: () => 0, close() {}, terminate() {} };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a real socket cannot be made to refuse a frame
  return socket as unknown as ServerWebSocket<SocketData>;
}

test("[L5] a ping that cannot be sent is the last one", () => {
  const clock = new ManualClock();
  const wire = new Wire(fullSocket(), clock, HEARTBEAT_MS);
  let timedOut = 0;
  let gone = 0;
  wire.whenGone(() => gone++);
  wire.startHeartbeat(() => timedOut++);
  clock.advance(HEARTBEAT_MS);
  wire.onClosed(1006);
  expect([gone, clock.pending]).toEqual([1, 0]);
  clock.advance(10 * HEARTBEAT_MS);
  expect([gone, timedOut]).toEqual([1, 0]);
});

test("[L2] [W1] a worker whose acknowledgement cannot be sent does not join", () => {
  const clock = new ManualClock();
  const log = createRecordingLog();
  const hub = new Hub({ scheduler: createLocalScheduler(DEFAULT_LIMITS, clock), clock, log, limits: { chunkTimeoutMs: 0 } });
  const authenticate = () => Promise.reject(new Error("it is let in already"));
  const handler = new Link({ hub, clock, log, heartbeatIntervalMs: HEARTBEAT_MS, authenticate }).handler();
  const peer = { provider: "local", address: "192.0.2.1", verdict: { kind: "worker", key: null } } as const;
  const data: SocketData = { peer, wire: null, onText() {}, onBinary() {}, onDrain() {} };
  const socket = fullSocket(data);
  void handler.open?.(socket);
  void handler.message?.(socket, JSON.stringify({ type: "register", worker_name: "box", models: ["m"], max_concurrent: 1 }));
  void handler.close?.(socket, 1006, "");
  expect([hub.fleet.workers.size, clock.pending]).toEqual([0, 0]);
  expect(log.of("worker registered")).toHaveLength(0);
});
