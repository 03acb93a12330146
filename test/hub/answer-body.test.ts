// The bounded buffer between a worker's socket and its client: order, credit, ends, and a reader that goes.
import { expect, test } from "bun:test";
import { AnswerBody, type AnswerEnd } from "../../src/hub/answer-body.ts";
import { ManualClock } from "../support/manual-clock.ts";

const FAILED: AnswerEnd = { kind: "failed", refusal: { code: "worker_lost", nearest: [] } };

function start(): { readonly clock: ManualClock; readonly body: AnswerBody; readonly taken: number[] } {
  const clock = new ManualClock();
  const taken: number[] = [];
  return { clock, taken, body: new AnswerBody(clock, (bytes) => void taken.push(bytes)) };
}

function textOf(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString();
}

test("[T6] bytes come out in order, and only what is taken is credited", () => {
  const { body, taken } = start();
  body.push(Buffer.from("ab"));
  body.push(Buffer.from(""));
  body.push(Buffer.from("c"));
  expect([body.bufferedBytes, taken]).toEqual([3, []]);
  expect(textOf(body.take())).toBe("abc");
  expect([body.bufferedBytes, taken]).toEqual([0, [3]]);
  expect(body.take()).toEqual([]);
  expect(taken).toEqual([3]);
});

test("[T6] a reader is told once, at once if something is there already", () => {
  const { body } = start();
  let told = 0;
  body.whenReadable(() => told++);
  expect(told).toBe(0);
  body.push(Buffer.from("a"));
  body.push(Buffer.from("b"));
  expect(told).toBe(1);
  body.whenReadable(() => told++);
  expect(told).toBe(2);
  body.take();
  body.whenReadable(() => told++);
  expect(told).toBe(2);
  body.finish({ kind: "complete" });
  body.whenReadable(() => told++);
  expect(told).toBe(4);
});

test("[W5] the first end counts, and nothing comes after it; what came before can still be read", () => {
  const { body, taken } = start();
  const ends: string[] = [];
  body.whenEnded((end) => ends.push(end.kind));
  body.push(Buffer.from("a"));
  body.finish(FAILED);
  body.finish({ kind: "complete" });
  body.push(Buffer.from("late"));
  expect([ends, body.end]).toEqual([["failed"], FAILED]);
  expect(textOf(body.take())).toBe("a");
  expect(taken).toEqual([1]);
  body.whenEnded((end) => ends.push(end.kind));
  expect(ends).toEqual(["failed", "failed"]);
});

test("[C2] an abandoned body keeps nothing, credits what still comes so that the worker can end, and tells nobody", () => {
  const { body, taken } = start();
  let told = 0;
  body.whenReadable(() => told++);
  body.abandon();
  body.push(Buffer.from("de"));
  body.finish({ kind: "complete" });
  expect([body.bufferedBytes, taken, told]).toEqual([0, [2], 0]);
});

test("[T8] it knows when bytes last moved, in or out", () => {
  const { body, clock } = start();
  clock.advance(5);
  body.push(Buffer.from("a"));
  expect(body.lastMovedMs).toBe(5);
  clock.advance(5);
  body.take();
  expect(body.lastMovedMs).toBe(10);
  clock.advance(5);
  body.take();
  expect(body.lastMovedMs).toBe(10);
});
