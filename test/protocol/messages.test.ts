// Frames and messages of the worker socket: what is taken, what is unknown, what breaks the protocol.
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { PeerError } from "../../src/base/errors.ts";
import {
  decodeRegister,
  decodeRegisterAck,
  decodeV1RelayMessage,
  decodeV1WorkerMessage,
  decodeV2RelayMessage,
  decodeV2WorkerMessage,
} from "../../src/protocol/decode.ts";
import { decodeBodyFrame, encodeBodyFrame } from "../../src/protocol/frames.ts";
import { BODY_FRAME_MAX_BYTES, KIB, windowBytes } from "../../src/protocol/limits.ts";

function closeCodeOf(decode: () => unknown): number {
  try {
    decode();
  } catch (error) {
    if (error instanceof PeerError) return error.closeCode;
    throw error;
  }
  throw new Error("this should have broken the protocol");
}

test("[L4] a body frame comes back as it was sent, for every attempt number", () => {
  const attempt = fc.oneof(fc.constantFrom(1, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff), fc.integer({ min: 1, max: 0xffff_ffff }));
  fc.assert(
    fc.property(fc.constantFrom("request", "response"), attempt, fc.uint8Array({ maxLength: 300 }), (kind, attempt, bytes) => {
      const frame = decodeBodyFrame(encodeBodyFrame(kind, attempt, bytes));
      expect([frame.kind, frame.attempt, Buffer.from(frame.bytes).equals(bytes)]).toEqual([kind, attempt, true]);
    }),
    { numRuns: 300 },
  );
});

test("[L4] frames that are too short, of another kind or too long break the protocol", () => {
  const largest = new Uint8Array(BODY_FRAME_MAX_BYTES);
  expect(decodeBodyFrame(encodeBodyFrame("response", 1, largest)).bytes.byteLength).toBe(BODY_FRAME_MAX_BYTES);
  expect(decodeBodyFrame(Uint8Array.of(1, 0, 0, 0, 9))).toMatchObject({ kind: "request", attempt: 9 });
  const bad = [[], [2], [2, 0, 0, 0], [0, 0, 0, 0, 1], [3, 0, 0, 0, 1], [255, 0, 0, 0, 1, 7]].map((bytes) => Uint8Array.from(bytes));
  for (const frame of [...bad, encodeBodyFrame("response", 1, new Uint8Array(BODY_FRAME_MAX_BYTES + 1))]) {
    expect(closeCodeOf(() => decodeBodyFrame(frame))).toBe(1002);
  }
});

const DECODERS = {
  v1Worker: decodeV1WorkerMessage,
  v2Worker: decodeV2WorkerMessage,
  v1Relay: decodeV1RelayMessage,
  v2Relay: decodeV2RelayMessage,
};

test("[L4] an unknown type is told by its name, cut short; whatever else it holds", () => {
  for (const decode of Object.values(DECODERS)) {
    expect(decode('{"type":"from the future","attempt":"x"}')).toEqual({ type: "unknown", name: "from the future" });
    expect(decode(JSON.stringify({ type: "x".repeat(1_000) }))).toEqual({ type: "unknown", name: "x".repeat(64) });
    expect(decode('{"type":"__proto__"}')).toEqual({ type: "unknown", name: "__proto__" });
    expect(decode('{"type":"constructor"}')).toEqual({ type: "unknown", name: "constructor" });
  }
});

test("[L4] what is no JSON object with a type breaks the protocol", () => {
  for (const decode of [...Object.values(DECODERS), decodeRegister, decodeRegisterAck]) {
    for (const text of ["", "{", "null", "[]", "7", '"pong"', "{}", '{"type":7}', '{"type":null}']) {
      expect([text, closeCodeOf(() => decode(text))]).toEqual([text, 1002]);
    }
  }
});

test("[L4] known types are held to their fields; unknown fields are ignored, null is as good as missing", () => {
  expect(decodeV1WorkerMessage('{"type":"pong","current_load":null,"new":1}')).toEqual({ type: "pong", current_load: null });
  expect(decodeV2WorkerMessage('{"type":"response_start","attempt":1,"status_code":200,"headers":{},"x":1}')).toEqual({
    type: "response_start",
    attempt: 1,
    status_code: 200,
    headers: {},
  });
  const bad = [
    '{"type":"pong","current_load":-1}',
    '{"type":"pong","current_load":1.5}',
    '{"type":"response_complete","request_id":"a"}',
    '{"type":"response_complete","request_id":"a","status_code":"200"}',
    '{"type":"response_complete","request_id":"a","status_code":200,"headers":{"a":1}}',
    '{"type":"response_chunk","request_id":1,"chunk":"x"}',
    '{"type":"models_update"}',
  ];
  for (const text of bad) expect([text, closeCodeOf(() => decodeV1WorkerMessage(text))]).toEqual([text, 1002]);
  for (const attempt of ["0", "-1", "1.5", "4294967296", '"1"', "null"]) {
    expect([attempt, closeCodeOf(() => decodeV2WorkerMessage(`{"type":"cancelled","attempt":${attempt}}`))]).toEqual([attempt, 1002]);
  }
});

test("[R3] [R5] a reason or kind we do not know counts as the most harmless one", () => {
  expect(decodeV2WorkerMessage('{"type":"reject","attempt":1,"reason":"tired"}')).toMatchObject({ reason: "full" });
  expect(decodeV2WorkerMessage('{"type":"response_end","attempt":1,"error":{"kind":"new"}}')).toMatchObject({ error: { kind: "broken" } });
});

test("[L8] the window is a share of 8 MiB, at least 32 KiB and at most 256 KiB", () => {
  const windows = [0, 1, 32, 33, 64, 100, 256, 257, 4_096].map(windowBytes);
  expect(windows.map((bytes) => bytes / KIB).map(Math.floor)).toEqual([256, 256, 256, 248, 128, 81, 32, 32, 32]);
  for (const bytes of windows) expect(Number.isInteger(bytes)).toBe(true);
});
