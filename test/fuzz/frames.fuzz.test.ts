// Frames of both protocols and both directions, made by nobody's program: each is a message, an unknown one, or a PeerError.
import { expect } from "bun:test";
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
import { BODY_FRAME_MAX_BYTES } from "../../src/protocol/limits.ts";
import { cleanClaims } from "../../src/protocol/registration.ts";
import type { Random } from "../support/random.ts";
import { anyText, corpus, fuzz, mutate, replay } from "./fuzz.ts";

const DECODERS: readonly ((text: string) => { readonly type: string })[] = [
  decodeRegister,
  decodeRegisterAck,
  decodeV1RelayMessage,
  decodeV1WorkerMessage,
  decodeV2RelayMessage,
  decodeV2WorkerMessage,
];

/** The message, or the code it closes with. @throws for any other failure */
function decode(decoder: (text: string) => object, text: string): string {
  try {
    return JSON.stringify(decoder(text));
  } catch (error) {
    if (error instanceof PeerError) return `closes with ${error.closeCode}`;
    throw error;
  }
}

function allDecode(text: string): void {
  for (const decoder of DECODERS) {
    const outcome = decode(decoder, text);
    expect(decode(decoder, text)).toBe(outcome);
    if (outcome.startsWith("closes")) expect(outcome).toBe("closes with 1002");
    else if (outcome.startsWith('{"type":"unknown"')) expect(JSON.parse(outcome).name.length).toBeLessThanOrEqual(64);
  }
  expect(Object.keys(Object.prototype)).toEqual([]);
}

const FIELDS: Readonly<Record<string, unknown>> = {
  attempt: 1,
  request_id: "r1",
  status_code: 200,
  headers: { "content-type": "text/plain" },
  body: "{}",
  chunk: "data: x\n\n",
  models: ["m"],
  max_concurrent: 1,
  worker_name: "box",
  worker_id: "w1",
  current_load: 0,
  timestamp_unix_ms: 1,
  reason: "full",
  bytes: 5,
  code: "x",
  message: "y",
  error: { kind: "broken" },
  token_counts: { prompt_tokens: 1 },
  model: "m",
  method: "POST",
  path: "/v1/chat/completions",
  endpoint_path: "/v1/chat/completions",
  is_streaming: true,
  body_length: 2,
  protocol_version: "2026-04-bridge-v1",
  protocols: ["2026-11-bridge-v2"],
  unlisted_models: ["default"],
  drain_timeout_secs: 30,
};
const TYPES =
  "register register_ack request cancel credit ping pong models_refresh models_update graceful_shutdown response_chunk response_complete response_start response_end reject cancelled draining error unknown __proto__";

function anyMessage(random: Random): string {
  const message = Object.entries(FIELDS)
    .filter(() => !random.oneIn(3))
    .map(([name, usual]): [string, unknown] => [name, random.oneIn(8) ? anyField(random) : usual]);
  return JSON.stringify({ type: random.oneIn(20) ? anyField(random) : random.pick(TYPES.split(" ")), ...Object.fromEntries(message) });
}

function anyField(random: Random): unknown {
  return random.pick<unknown>([
    null,
    true,
    -1,
    0,
    1.5,
    2 ** 53,
    2 ** 32,
    1e308,
    "",
    anyText(random, 300),
    [],
    {},
    [anyText(random, 9), 7],
    { other: anyText(random, 9) },
    { [anyText(random, 5)]: anyText(random, 5), constructor: "x" },
    { kind: anyText(random, 9), message: 7 },
  ]);
}

replay("frames", "text frames decode or close", (bytes) => allDecode(bytes.toString("utf8")));

fuzz({ title: "messages with any fields decode or close", runs: 4_000, run: (random) => allDecode(anyMessage(random)) });

fuzz({
  title: "broken frames decode or close",
  runs: 4_000,
  run: (random) => {
    const kept = corpus("frames");
    allDecode(mutate(Buffer.from(anyMessage(random)), random.pick(kept).bytes, random).toString(random.oneIn(2) ? "utf8" : "latin1"));
  },
});

fuzz({
  title: "whatever is registered, what is granted is within the limits",
  runs: 2_000,
  run: (random) => {
    const models = Array.from({ length: random.below(300) }, () => anyText(random, random.oneIn(9) ? 300 : 4));
    const slots = random.pick([0, 1, 4_096, 4_097, 2 ** 53 - 1, random.next()]);
    const clean = cleanClaims({ name: anyText(random, 200), models, slots });
    expect(clean.slots).toBeGreaterThanOrEqual(1);
    expect(clean.slots).toBeLessThanOrEqual(4_096);
    expect(clean.name.length).toBeGreaterThanOrEqual(1);
    expect(clean.name.length).toBeLessThanOrEqual(128);
    expect(clean.models.length).toBeLessThanOrEqual(256);
    expect(new Set(clean.models).size).toBe(clean.models.length);
    for (const model of clean.models)
      expect([model, model.trim() === model && model.length >= 1 && model.length <= 256]).toEqual([model, true]);
  },
});

fuzz({
  title: "binary frames come back as they were made, and any others are a frame or close",
  runs: 4_000,
  run: (random) => {
    const bytes = Buffer.from(anyText(random, 50));
    const attempt = random.pick([1, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, random.next()]);
    const kind = random.pick(["request", "response"] as const);
    const frame = encodeBodyFrame(kind, attempt, bytes);
    expect(decodeBodyFrame(frame)).toEqual({ kind, attempt, bytes: frame.subarray(5) });
    const broken = random.oneIn(50) ? Buffer.alloc(BODY_FRAME_MAX_BYTES + random.below(12), 2) : mutate(frame, frame, random);
    try {
      const read = decodeBodyFrame(broken);
      expect(broken.byteLength).toBe(read.bytes.byteLength + 5);
      expect(read.bytes.byteLength).toBeLessThanOrEqual(BODY_FRAME_MAX_BYTES);
      expect(encodeBodyFrame(read.kind, read.attempt, read.bytes)).toEqual(broken);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
    }
  },
});
