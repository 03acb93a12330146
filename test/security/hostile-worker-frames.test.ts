// Hostile frames and sockets: what is no frame, no JSON or no registration, floods of what is, and sockets that say nothing.
import { expect } from "bun:test";
import { RelaySocket } from "../support/relay-socket.ts";
import { until } from "../support/until.ts";
import { frameOf } from "../support/v2-worker.ts";
import { BINARY, CONTINUATION, PING, type RawFrame, rawFrame, rawWorker, TEXT } from "./raw-worker.ts";
import { attack } from "./scene.ts";

const REGISTER = { type: "register", worker_name: "x", models: ["evil"], max_concurrent: 1 };
const MIB = 1024 * 1024;

attack("a first frame that is binary, no JSON, of another type or of another shape", async ({ relay, owns }) => {
  const frames = [
    new Uint8Array([2, 0, 0, 0, 1, 65]),
    new Uint8Array(),
    "",
    "{",
    "null",
    "[]",
    '"register"',
    '{"type":"pong","current_load":0}',
    '{"type":"register"}',
    JSON.stringify({ ...REGISTER, models: "evil" }),
    JSON.stringify({ ...REGISTER, models: [1] }),
    JSON.stringify({ ...REGISTER, protocol_version: "2099-01-bridge-v9" }),
    JSON.stringify({ ...REGISTER, unlisted_models: [{}] }),
    "[".repeat(100_000),
  ];
  for (const frame of frames) {
    const socket = owns(new RelaySocket(relay));
    await socket.opened;
    socket.sendRaw(frame);
    expect((await socket.closedByRelay()).code).toBe(1002);
  }
});

attack("a registration of 10 MB, and one just too large", async ({ relay, owns }) => {
  for (const size of [10 * MIB, 129 * 1024]) {
    const socket = owns(new RelaySocket(relay));
    await socket.opened;
    socket.send({ ...REGISTER, worker_name: "x".repeat(size) });
    expect((await socket.closedByRelay()).code).toBe(1002);
  }
});

attack("__proto__ and other names of object members as fields, in every message", async ({ relay, v1, v2, ask, owns }) => {
  const socket = owns(new RelaySocket(relay));
  await socket.opened;
  socket.sendRaw(
    '{"type":"register","worker_name":"x","models":["proto"],"max_concurrent":1,"__proto__":{"isAdmin":true},"constructor":{"prototype":{"polluted":1}}}',
  );
  await socket.next("register_ack");
  const evil = await v2({ slots: 1 });
  for (let round = 0; round < 2; round++) {
    const response = ask();
    const { attempt } = await evil.nextJob();
    evil.sendRaw(
      `{"type":"response_start","attempt":${attempt},"status_code":200,"headers":{"__proto__":"x","constructor":"y","content-type":"application/json"},"__proto__":{"status_code":500}}`,
    );
    evil.sendRaw(frameOf(attempt, "{}"));
    evil.sendRaw(`{"type":"response_end","attempt":${attempt},"token_counts":{"__proto__":{"prompt_tokens":1}}}`);
    expect((await response).status).toBe(200);
    evil.jobs.at(-1)!.isRunning = false;
  }
  evil.close();
  await relay.workers(3);
  const old = await v1();
  old.sendRaw('{"type":"__proto__"}');
  old.sendRaw('{"type":"constructor","request_id":"x"}');
  old.sendRaw('{"type":"response_complete","request_id":"__proto__","status_code":200}');
  old.sendRaw('{"type":"response_chunk","request_id":"constructor","chunk":"data: x\\n\\n"}');
  await until(() => relay.hub.counters.ignoredFrames >= 4, "they are counted");
  expect(Reflect.get({}, "polluted") ?? Reflect.get({}, "isAdmin")).toBeUndefined();
});

attack("a second registration, as another worker, is none", async ({ relay, v1, v2 }) => {
  for (const start of [v1, v2]) {
    const evil = await start();
    evil.send({ ...REGISTER, worker_name: "honest new", models: ["honest-1", "*"], max_concurrent: 4_096 });
    await until(() => relay.hub.counters.ignoredFrames > 0, "it is counted");
    expect(evil.of("register_ack")).toHaveLength(1);
    expect([...relay.hub.fleet.workers.values()].at(-1)?.info.models).toEqual(["evil"]);
    evil.close();
    await relay.workers(2);
  }
});

attack(
  "a registration that comes late, or never: the socket is closed after 5 s",
  async ({ relay, clock, owns }) => {
    const sockets = Array.from({ length: 50 }, () => owns(new RelaySocket(relay)));
    await Promise.all(sockets.map((socket) => socket.opened));
    await until(() => relay.log.of("worker registered").length === 2, "only the honest ones are there");
    clock?.advance(4_999);
    expect(sockets.filter((socket) => socket.end !== null)).toEqual([]);
    clock?.advance(1);
    for (const socket of sockets) {
      socket.send(REGISTER);
      expect((await socket.closedByRelay()).code).toBe(1002);
      expect(socket.messages).toEqual([]);
    }
  },
  { isTimeless: true },
);

attack(
  "a socket that stops in the middle of its first frame is closed after 5 s too",
  async ({ relay, clock, owns }) => {
    const socket = owns(await rawWorker(relay));
    const bytes = rawFrame({ opcode: TEXT, payload: JSON.stringify(REGISTER) });
    for (const byte of bytes.subarray(0, 20)) socket.send(Uint8Array.of(byte));
    clock?.advance(5_000);
    // Such a peer does not answer the closing handshake: it is cut off.
    await until(() => socket.received.includes("worker registration protocol error"), "it is told");
    clock?.advance(2_000);
    await socket.closed();
  },
  { isTimeless: true },
);

const NO_FRAMES: ReadonlyMap<string, readonly RawFrame[]> = new Map([
  ["text that is no UTF-8", [{ opcode: TEXT, payload: Buffer.from([0x7b, 0xff, 0xfe, 0xc0, 0x7d]) }]],
  ["half a character at the end of a text", [{ opcode: TEXT, payload: Buffer.from([0x22, 0xf0, 0x9f]) }]],
  ["a frame without a mask", [{ opcode: TEXT, payload: "{}", isMasked: false }]],
  ["a frame of an unknown kind", [{ opcode: 3, payload: "x" }]],
  ["a control frame of an unknown kind", [{ opcode: 11, payload: "x" }]],
  ["reserved bits", [{ opcode: TEXT, payload: "{}", reserved: 7 }]],
  ["a ping of 200 bytes", [{ opcode: PING, payload: "x".repeat(200) }]],
  ["a ping in fragments", [{ opcode: PING, payload: "x", isFinal: false }]],
  ["a continuation of nothing", [{ opcode: CONTINUATION, payload: "x" }]],
  ["a frame of 2^62 bytes", [{ opcode: BINARY, payload: "x", claimedLength: 2n ** 62n }]],
  ["a frame of 1 GiB", [{ opcode: TEXT, payload: "x", claimedLength: 2n ** 30n }]],
]);

for (const [what, frames] of NO_FRAMES) {
  attack(`${what}, before and after a registration`, async ({ relay, owns }) => {
    for (const isRegistered of [false, true]) {
      const socket = owns(await rawWorker(relay));
      if (isRegistered) {
        socket.send(rawFrame({ opcode: TEXT, payload: JSON.stringify(REGISTER) }));
        await relay.workers(3);
      }
      for (const frame of frames) socket.send(rawFrame(frame));
      await socket.closed();
      await relay.workers(2);
    }
  });
}

attack("a text in ten thousand fragments of a byte is one text", async ({ relay, owns }) => {
  const socket = owns(await rawWorker(relay));
  const payload = JSON.stringify({ ...REGISTER, worker_name: "x".repeat(9_900) });
  const fragments = Array.from(payload, (char, index) =>
    rawFrame({ opcode: index === 0 ? TEXT : CONTINUATION, payload: char, isFinal: index === payload.length - 1 }),
  );
  socket.send(Buffer.concat(fragments));
  await relay.workers(3);
});

attack("frames above 1 MiB, text and binary, close a v2 connection with 1009", async ({ v2 }) => {
  for (const frame of [new Uint8Array(20 * MIB).fill(2), JSON.stringify({ type: "future", x: "x".repeat(20 * MIB) })]) {
    const evil = await v2();
    evil.sendRaw(frame);
    expect((await evil.closedByRelay()).code).toBe(1009);
  }
});

attack("body frames that are too long, too short or of no kind", async ({ v2, ask, relay }) => {
  for (const make of [
    (attempt: number) => frameOf(attempt, new Uint8Array(256 * 1024 + 1)),
    () => new Uint8Array([2]),
    (attempt: number) => frameOf(attempt, "x", 0),
    (attempt: number) => frameOf(attempt, "x", 255),
  ]) {
    const evil = await v2();
    const response = ask();
    const { attempt } = await evil.nextJob();
    evil.sendRaw(make(attempt));
    expect((await evil.closedByRelay()).code).toBe(1002);
    const good = await v2();
    (await good.nextJob()).answer();
    expect((await response).status).toBe(200);
    good.close();
    await relay.workers(2);
  }
});

attack("floods of unknown types, of errors and of empty frames for nobody", async ({ v1, v2, flow, ignored, relay }) => {
  const [old, evil] = [await v1(), await v2()];
  for (let frame = 0; frame < 5_000; frame++) {
    evil.send({ type: `type-${frame}`, x: "y".repeat(100) });
    old.send({ type: `\u001b[31m${frame}` });
    evil.sendRaw(frameOf(frame + 1, ""));
    if (frame % 50 === 0) evil.send({ type: "error", code: "\r\n", message: "\u0000".repeat(1_000) });
    if (frame % 1_000 === 0) await flow();
  }
  await ignored(15_000);
  expect([old.end, evil.end]).toEqual([null, null]);
  expect(relay.hub.fleet.workers.size).toBe(4);
});

attack("a deeply nested frame, and one of a hundred thousand fields", async ({ v2, ignored }) => {
  const evil = await v2();
  evil.sendRaw(`{"type":"future","x":${"[".repeat(200_000)}${"]".repeat(200_000)}}`);
  evil.sendRaw(`{"type":"future",${Array.from({ length: 60_000 }, (_, index) => `"k${index}":1`).join(",")}}`);
  await ignored(2);
});

attack("reconnect storms: hundreds of registrations that leave at once", async ({ relay, flow }) => {
  for (let storm = 0; storm < 10; storm++) {
    const sockets = Array.from({ length: 30 }, () => new RelaySocket(relay));
    await Promise.all(sockets.map((socket) => socket.opened));
    for (const socket of sockets) {
      socket.send(REGISTER);
      socket.cut();
    }
    await flow();
  }
  await relay.workers(2);
});

attack("two hundred sockets with wrong secrets are closed, and then told that it is too much", async ({ relay, secured, flow, owns }) => {
  for (let storm = 0; storm < 20; storm++) {
    const sockets = Array.from({ length: 10 }, (_, index) => owns(new RelaySocket(relay, { secret: `guess-${storm}-${index}` })));
    for (const socket of sockets) expect((await socket.closedByRelay()).code).toBe(1008);
    await flow();
  }
  const causes = new Set(relay.log.of("worker rejected").map(({ fields }) => fields["cause"]));
  expect([...causes]).toContain("too many wrong credentials from this address");
  expect(JSON.stringify(relay.log.lines)).not.toContain("guess-");
  expect(secured.store.times("findByDigest")).toBe(0);
});

attack("a socket that never reads does not keep the relay from writing to others", async ({ relay, owns, flow }) => {
  const socket = owns(await rawWorker(relay));
  socket.send(rawFrame({ opcode: TEXT, payload: JSON.stringify({ ...REGISTER, max_concurrent: 20 }) }));
  await relay.workers(3);
  socket.pause();
  const abort = new AbortController();
  const big = "x".repeat(1 * MIB);
  const waiting = Array.from({ length: 10 }, () =>
    relay.post("/v1/chat/completions", { model: "evil", big }, { signal: abort.signal }).catch(() => null),
  );
  await relay.requests(12);
  for (let event = 0; event < 20; event++) await flow();
  abort.abort();
  await Promise.all(waiting);
  await relay.requests(2);
});
