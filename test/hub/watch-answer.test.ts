// Whose silence it is: the backend's between chunks, or the client's who does not read. With time moved by hand.
import { expect, test } from "bun:test";
import { AnswerBody } from "../../src/hub/answer-body.ts";
import { CLIENT_STALL_MS, watchAnswer } from "../../src/hub/watch-answer.ts";
import { ManualClock } from "../support/manual-clock.ts";

const CHUNK_MS = 30_000;

function start(isStreaming = true, chunkTimeoutMs = CHUNK_MS) {
  const clock = new ManualClock();
  const body = new AnswerBody(clock, () => {});
  const overdue: string[] = [];
  const watch = watchAnswer(body, isStreaming, { chunkTimeoutMs }, clock, (code) => void overdue.push(code));
  return { clock, body, overdue, watch };
}

test("[T8] a backend that is silent for the limit is overdue, to the millisecond", () => {
  const { clock, body, overdue } = start();
  clock.advance(20_000);
  body.push(Buffer.from("a"));
  body.take();
  clock.advance(CHUNK_MS - 1);
  expect(overdue).toEqual([]);
  clock.advance(1);
  expect(overdue).toEqual(["chunk_timeout"]);
});

test("[T8] [T7] while bytes wait for the client the backend's clock stands still; then it is the client who is overdue", () => {
  const { clock, body, overdue } = start();
  body.push(Buffer.from("a"));
  clock.advance(CLIENT_STALL_MS - 1);
  expect(overdue).toEqual([]);
  clock.advance(50);
  expect(overdue).toEqual(["client_stalled"]);
});

test("[T8] when the client has taken what was there, the backend has its whole limit again", () => {
  const { clock, body, overdue } = start();
  body.push(Buffer.from("a"));
  clock.advance(CLIENT_STALL_MS - 1_000);
  body.take();
  clock.advance(CHUNK_MS - 1);
  expect(overdue).toEqual([]);
  clock.advance(51);
  expect(overdue).toEqual(["chunk_timeout"]);
});

test("[T7] a client that takes a little every now and then is never overdue", () => {
  const { clock, body, overdue } = start();
  for (let round = 0; round < 50; round++) {
    body.push(Buffer.from("a"));
    clock.advance(CLIENT_STALL_MS - 100);
    body.take();
  }
  expect(overdue).toEqual([]);
});

test("[T8] [T7] without a chunk limit, or for a whole answer, only the client is watched", () => {
  for (const { clock, body, overdue } of [start(false), start(true, 0)]) {
    clock.advance(10 * CLIENT_STALL_MS);
    expect(overdue).toEqual([]);
    body.push(Buffer.from("a"));
    clock.advance(CLIENT_STALL_MS + 50);
    // An answer may arrive between two looks; at the next one it is noticed.
    clock.advance(CLIENT_STALL_MS);
    expect(overdue).toEqual(["client_stalled"]);
  }
});

test("[T8] a steady stream starts few timers, and none is left when the watch stops", () => {
  const { clock, body, overdue, watch } = start();
  for (let chunk = 0; chunk < 1_000; chunk++) {
    clock.advance(1_000);
    body.push(Buffer.from("a"));
    body.take();
    expect(clock.pending).toBe(1);
  }
  watch.stop();
  expect([overdue, clock.pending]).toEqual([[], 0]);
});
