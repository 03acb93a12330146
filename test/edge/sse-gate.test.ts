// The gate between the backend's events: the same bytes come out, and our own words could only stand where an event ends.
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { SseGate } from "../../src/edge/sse-gate.ts";
import { StreamPositionReader } from "../../src/edge/stream-position.ts";
import { streamEvents } from "../support/fake-backend-events.ts";

const HELD_MAX_BYTES = 64 * 1024;

test("[H2] [T2] whatever the bytes and their cuts, they come out unchanged, and a boundary is where an empty line was", () => {
  const piece = fc.constantFrom("\n", "\r", "\r\n", "\n\n", "data: x", ":", "é🚀", "\r\n\r\n", "event: a");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.infiniteStream(fc.integer({ min: 1, max: 7 })), (pieces, cuts) => {
      const all = Buffer.from(pieces.join(""));
      const gate = new SseGate();
      const out: Uint8Array[] = [];
      for (let at = 0; at < all.length;) {
        const size = cuts.next().value;
        out.push(Buffer.from(gate.push(all.subarray(at, at + size))));
        at += size;
        const sent = Buffer.concat(out).toString();
        if (gate.isAtBoundary && sent !== "") expect(sent).toMatch(/(\r\n|\n|\r)(\r\n|\n|\r)$/);
      }
      out.push(gate.flush());
      expect(Buffer.concat(out).equals(all)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("[T2] a whole event goes out at once, with every kind of line end", () => {
  for (const event of ["data: 1\n\n", "data: 1\r\n\r\n", "data: 1\r\r", "data: 1\n\r\n", "data: 1\r\n\n"]) {
    const gate = new SseGate();
    expect([event, Buffer.from(gate.push(Buffer.from(event))).toString()]).toEqual([event, event]);
    expect(gate.isAtBoundary).toBe(true);
  }
});

test("[T2] half an event is held until it is whole", () => {
  const gate = new SseGate();
  expect(Buffer.from(gate.push(Buffer.from("data: 1\n\ndata: "))).toString()).toBe("data: 1\n\n");
  expect(gate.isAtBoundary).toBe(true);
  expect(gate.push(Buffer.from("2\n")).byteLength).toBe(0);
  expect(Buffer.from(gate.push(Buffer.from("\n"))).toString()).toBe("data: 2\n\n");
});

test("[T2] one too large to be held goes on in pieces, and nothing of ours fits in until it has ended", () => {
  const gate = new SseGate();
  expect(gate.push(Buffer.alloc(HELD_MAX_BYTES, "x")).byteLength).toBe(0);
  expect(gate.push(Buffer.from("y")).byteLength).toBe(HELD_MAX_BYTES + 1);
  expect(gate.isAtBoundary).toBe(false);
  expect(gate.push(Buffer.from("z")).byteLength).toBe(0);
  expect(gate.isAtBoundary).toBe(false);
  expect(Buffer.from(gate.push(Buffer.from("\n\ndata"))).toString()).toBe("z\n\n");
  expect(gate.isAtBoundary).toBe(true);
  expect(Buffer.from(gate.flush()).toString()).toBe("data");
  expect(gate.isAtBoundary).toBe(false);
});

test("[T3] where a responses stream stands is read from its events, and from nothing else", () => {
  const reader = new StreamPositionReader();
  expect(reader.position).toEqual({ responseId: null, sequenceNumber: null });
  const events = streamEvents("responses", ['"sequence_number":99']);
  for (const [index, event] of events.entries()) {
    reader.see(Buffer.from(event));
    expect(reader.position).toEqual({ responseId: "resp_fake", sequenceNumber: index });
  }
  const other = new StreamPositionReader();
  for (const event of streamEvents("chat")) other.see(Buffer.from(event));
  expect(other.position).toEqual({ responseId: null, sequenceNumber: null });
});

test("[T2] an event too large to be held ends also where its empty line comes in two pieces", () => {
  for (const [before, behind] of [
    ["\n", "\n"],
    ["\r\n", "\r\n"],
    ["\r\n\r", "\n"],
    ["\r", "\r"],
  ] as const) {
    const gate = new SseGate();
    gate.push(Buffer.from(`data: ${"x".repeat(70_000)}${before}`));
    expect(gate.isAtBoundary).toBe(false);
    expect(Buffer.from(gate.push(Buffer.from(behind))).toString()).toBe(behind);
    expect(gate.isAtBoundary).toBe(true);
    expect(gate.push(Buffer.from("\n")).byteLength).toBe(0);
  }
});
