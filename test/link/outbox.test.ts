// Request bodies on their way to a v2 worker, frame by frame, with a socket that is full, drains or is lost when the test says so.
import { expect, test } from "bun:test";
import { Outbox } from "../../src/link/outbox.ts";
import { decodeBodyFrame } from "../../src/protocol/frames.ts";

const WINDOW = 100;

function start() {
  const sent: (readonly [number, number])[] = [];
  const state: { fate: "sent" | "queued" | "lost" } = { fate: "sent" };
  const outbox = new Outbox(
    {
      send(frame) {
        if (typeof frame === "string") throw new Error("bodies are binary");
        const { kind, attempt, bytes } = decodeBodyFrame(frame);
        expect(kind).toBe("request");
        sent.push([attempt, bytes.byteLength]);
        return state.fate;
      },
    },
    WINDOW,
  );
  return { outbox, sent, state };
}

test("[L9] what fits into the window goes at once, the rest with credit, never more than the window at a time", () => {
  const { outbox, sent } = start();
  outbox.add(1, new Uint8Array(250));
  expect(sent).toEqual([[1, 100]]);
  outbox.onCredit(1, 30);
  expect(sent).toEqual([
    [1, 100],
    [1, 30],
  ]);
  outbox.onCredit(1, 1_000_000);
  expect(sent).toEqual([
    [1, 100],
    [1, 30],
    [1, 100],
  ]);
  outbox.onCredit(1, 100);
  outbox.onCredit(1, 100);
  expect(sent.at(-1)).toEqual([1, 20]);
  expect(sent).toHaveLength(4);
});

test("[L9] an empty body has no frames, and credit for a body that is through or unknown means nothing", () => {
  const { outbox, sent } = start();
  outbox.add(1, new Uint8Array());
  outbox.add(2, new Uint8Array(10));
  outbox.onCredit(1, 5);
  outbox.onCredit(2, 5);
  outbox.onCredit(3, 5);
  expect(sent).toEqual([[2, 10]]);
});

test("[L9] while the socket is backed up nothing is sent; when it drains all go on", () => {
  const { outbox, sent, state } = start();
  state.fate = "queued";
  outbox.add(1, new Uint8Array(150));
  outbox.add(2, new Uint8Array(50));
  outbox.onCredit(1, 50);
  expect(sent).toEqual([[1, 100]]);
  state.fate = "sent";
  outbox.onDrain();
  expect(sent).toEqual([
    [1, 100],
    [1, 50],
    [2, 50],
  ]);
});

test("[C2] the body of a cancelled attempt stops; a lost socket takes all of them", () => {
  const { outbox, sent, state } = start();
  outbox.add(1, new Uint8Array(200));
  outbox.add(2, new Uint8Array(200));
  outbox.drop(1);
  outbox.onCredit(1, 100);
  expect(sent).toEqual([
    [1, 100],
    [2, 100],
  ]);
  state.fate = "lost";
  outbox.onCredit(2, 50);
  outbox.onCredit(2, 50);
  outbox.onDrain();
  expect(sent).toHaveLength(3);
});
