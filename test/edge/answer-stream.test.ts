// The answer on its way out, without a network: who may speak when, and what a reader that does not read costs.
import { expect, test } from "bun:test";
import { AnswerStream } from "../../src/edge/answer-stream.ts";
import { AnswerBody } from "../../src/hub/answer-body.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { failureOf, turns, until } from "../support/until.ts";

const EVERY_MS = 15_000;
const FAILED = { kind: "failed", refusal: { code: "worker_lost", nearest: [] } } as const;
const STALLED = { kind: "failed", refusal: { code: "client_stalled", nearest: [] } } as const;

function start(isSse = true, prefix: readonly Uint8Array[] = []) {
  const clock = new ManualClock();
  const over: number[] = [];
  const stream = new AnswerStream(
    {
      clock,
      isSse,
      position: null,
      keepaliveMs: EVERY_MS,
      comment: () => "here",
      errorEvent: (refusal) => `data: ${refusal.code}\n\n`,
      onOver: () => void over.push(clock.nowMs()),
    },
    prefix,
  );
  const body = new AnswerBody(clock, () => {});
  return { clock, over, stream, body, reader: stream.readable.getReader() };
}

/** All that can be read, and how it ended. */
async function drained({ reader, clock }: ReturnType<typeof start>): Promise<{ readonly text: string; readonly end: "clean" | "broken" }> {
  const chunks: Uint8Array[] = [];
  const state: { end: "clean" | "broken" | null } = { end: null };
  const read = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      chunks.push(value);
    }
  };
  read().then(
    () => (state.end = "clean"),
    () => (state.end = "broken"),
  );
  await turns(5);
  // What was said last has been read by now; the cut comes a moment after it.
  clock.advance(500);
  await until(() => state.end !== null, "the stream ends");
  return { text: Buffer.concat(chunks).toString(), end: state.end ?? "broken" };
}

test("[H2] what was taken before comes first, the rest as it comes, and a clean end at the end", async () => {
  const rig = start(false, [Buffer.from("a"), Buffer.from("b")]);
  rig.stream.attach(rig.body);
  rig.body.push(Buffer.from("c"));
  rig.body.finish({ kind: "complete" });
  expect(await drained(rig)).toEqual({ text: "abc", end: "clean" });
  expect(rig.clock.pending).toBe(0);
});

test("[H2] an unfinished last event still goes out, and the end is clean", async () => {
  const rig = start();
  rig.stream.attach(rig.body);
  rig.body.push(Buffer.from("data: 1\n\ndata: [DONE]"));
  rig.body.finish({ kind: "complete" });
  expect(await drained(rig)).toEqual({ text: "data: 1\n\ndata: [DONE]", end: "clean" });
});

test("[T3] a failure is told behind what came before it, and the stream breaks", async () => {
  const rig = start();
  rig.stream.attach(rig.body);
  rig.body.push(Buffer.from("data: 1\n\ndata: half"));
  rig.body.finish(FAILED);
  expect(await drained(rig)).toEqual({ text: "data: 1\n\ndata: worker_lost\n\n", end: "broken" });
  expect(rig.clock.pending).toBe(0);
});

test("[T3] what is no event stream breaks without a word", async () => {
  const rig = start(false);
  rig.stream.attach(rig.body);
  rig.body.push(Buffer.from("half"));
  await turns(2);
  expect(Buffer.from((await rig.reader.read()).value ?? []).toString()).toBe("half");
  rig.body.finish(FAILED);
  expect(await drained(rig)).toEqual({ text: "", end: "broken" });
});

test("[T3] what is no event stream has time to leave too: nothing that came is lost to the cut", async () => {
  const rig = start(false);
  rig.stream.attach(rig.body);
  rig.body.push(Buffer.from("half an"));
  rig.body.finish(FAILED);
  await turns(5);
  expect(Buffer.from((await rig.reader.read()).value ?? []).toString()).toBe("half an");
  let isBroken = false;
  void failureOf(rig.reader.read()).then(() => (isBroken = true));
  await turns(5);
  rig.clock.advance(499);
  await turns(5);
  expect(isBroken).toBe(false);
  rig.clock.advance(1);
  await until(() => isBroken, "the stream breaks");
});

test("[T7] a client that stalled is cut at once, without waiting for it to read", async () => {
  const rig = start();
  rig.stream.attach(rig.body);
  await turns(2);
  for (let sent = 0; sent < 10; sent++) rig.body.push(Buffer.from(`data: ${"x".repeat(60_000)}\n\n`));
  await turns(2);
  expect(rig.body.bufferedBytes).toBeGreaterThan(0);
  rig.body.finish(STALLED);
  expect((await drained(rig)).end).toBe("broken");
  expect(rig.clock.pending).toBe(0);
});

test("[T6] [T7] a complete answer that nobody reads is no longer waited for: the connection's own limit takes over", async () => {
  const rig = start();
  rig.stream.attach(rig.body);
  await turns(2);
  for (let sent = 0; sent < 10; sent++) rig.body.push(Buffer.from(`data: ${"x".repeat(60_000)}\n\n`));
  rig.clock.advance(1_000);
  rig.body.finish({ kind: "complete" });
  expect(rig.over).toEqual([1_000]);
  expect((await drained(rig)).text.length).toBe(10 * 60_008);
});

test("[T6] [T1] comments do not pile up for a client that does not read", async () => {
  const rig = start();
  rig.stream.attach(rig.body);
  await turns(2);
  rig.body.push(Buffer.from(`data: ${"x".repeat(70_000)}\n\n`));
  await turns(2);
  rig.clock.advance(100 * EVERY_MS);
  rig.body.finish({ kind: "complete" });
  expect((await drained(rig)).text).not.toContain(": here");
});

test("[C1] when the client goes, no timer is left and nothing is sent any more", async () => {
  const rig = start();
  rig.stream.attach(rig.body);
  await rig.reader.cancel();
  expect(rig.clock.pending).toBe(0);
  rig.body.push(Buffer.from("data: 1\n\n"));
  rig.body.finish(FAILED);
  rig.stream.sendComment();
  rig.clock.advance(10 * EVERY_MS);
  expect(rig.clock.pending).toBe(0);
});
