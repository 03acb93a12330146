// Events are read alike however their bytes are cut, and however often the buffer they came in is used again.
import { expect, test } from "bun:test";
import { EventReader } from "../../src/load/event-reader.ts";

const STREAM = [
  ": a comment\n\n",
  "data: one\n\n",
  "event: named\r\ndata:two\r\nid: 7\r\n\r\n",
  "data: first line\ndata:\ndata: third line\n\n",
  "event: without data\n\n",
  "data: wörld 👋\n\n",
  "data: [DONE]\n\n",
  "data: without an end\n",
].join("");

const EVENTS = [
  ["", "one"],
  ["named", "two"],
  ["", "first line\n\nthird line"],
  ["", "wörld 👋"],
  ["", "[DONE]"],
];

test("[J7] events are read alike however their bytes are cut", () => {
  const all = Buffer.from(STREAM);
  for (let size = 1; size <= all.length; size++) {
    const seen: string[][] = [];
    const reader = new EventReader((name, data) => seen.push([name, data.toString()]));
    // One buffer for all reads: what is kept of it without being copied would change.
    const read = Buffer.alloc(size);
    for (let at = 0; at < all.length; at += size) {
      const length = all.copy(read, 0, at, at + size);
      reader.push(read.subarray(0, length));
      read.fill("x");
    }
    expect({ size, seen }).toEqual({ size, seen: EVENTS });
  }
});

test("[J14] an event without an end is given up at 16 MiB, in one line or in many", () => {
  const mebibyte = Buffer.alloc(1024 * 1024, "a");
  const inOneLine = new EventReader(() => expect.unreachable());
  expect(() => {
    for (let count = 0; count < 18; count++) inOneLine.push(mebibyte);
  }).toThrow("no end");
  const inMany = new EventReader(() => expect.unreachable());
  expect(() => {
    for (let count = 0; count < 18; count++) inMany.push(Buffer.concat([Buffer.from("data: "), mebibyte, Buffer.from("\n")]));
  }).toThrow("no end");
});
