// One client whose handle fails must not cost the others what the scheduler decided for them.
import { expect, test } from "bun:test";
import type { ClientHandle, RelayRequest } from "../../src/hub/handles.ts";
import { Hub } from "../../src/hub/hub.ts";
import type { Effect } from "../../src/scheduler/events.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { createRecordingLog } from "../support/recording-log.ts";

const REQUEST: RelayRequest = {
  publicId: "req_1",
  model: "m",
  key: "anonymous",
  keyLimit: 0,
  path: "/v1/chat/completions",
  headers: {},
  isStreaming: false,
  body: new Uint8Array(2),
};

test("[W5] an effect that fails is logged, and those behind it are performed", () => {
  let perform: (effects: readonly Effect[]) => void = () => {};
  const log = createRecordingLog();
  const scheduler = {
    post() {},
    onEffects: (receiver: typeof perform) => void (perform = receiver),
    position: () => null,
    standing: () => null,
    stop() {},
  };
  const hub = new Hub({ scheduler, clock: new ManualClock(), log, limits: { chunkTimeoutMs: 0 } });
  const refused: string[] = [];
  const broken: ClientHandle = {
    onAnswer() {},
    onRefused() {
      throw new Error("a mistake of ours");
    },
  };
  const sound: ClientHandle = { onAnswer() {}, onRefused: ({ code }) => void refused.push(code) };
  const ids = [broken, sound].map((client) => hub.submit(REQUEST, client, hub.bodies.reserve(2)!));
  perform(ids.map((request) => ({ type: "refuse", request, code: "queue_full", nearest: [] })));
  expect(refused).toEqual(["queue_full"]);
  expect(log.of("internal error")).toHaveLength(1);
  expect([hub.requests.size, hub.bodies.heldBytes]).toEqual([0, 0]);
});
