// Flow control of v2, both ways: nobody buffers more than a window.
import { expect, test } from "bun:test";
import { until } from "../support/until.ts";
import { startV2Rig } from "./rig.ts";

const KIB = 1_024;
/** Of four slots: 8 MiB / 4 is more than the most a window may be. */
const WINDOW = 256 * KIB;
const LARGE = 24 * 1_024 * KIB;

test("[D4] without credit exactly one window is sent, the backend is no longer read, and control messages still pass", async () => {
  await using rig = await startV2Rig({ relay: { isGenerous: false } });
  const { relay, peer, backend } = rig;
  const attempt = relay.request(peer);
  const call = await backend.call();
  const body = Buffer.alloc(LARGE, "0123456789abcdef");
  call.head(200, `content-length: ${LARGE}`).write(body);
  await until(() => relay.length(peer, attempt) === WINDOW, "one window");
  await until(() => isStill(() => call.socket.bytesWritten - call.socket.writableLength), "the backend to stall");
  // What is under way sits in the kernel's socket buffers, not in the worker.
  expect(call.socket.writableLength).toBeGreaterThan(LARGE / 3);
  peer.send({ type: "ping" });
  await peer.next("pong");
  expect(relay.length(peer, attempt)).toBe(WINDOW);

  peer.send({ type: "credit", attempt, bytes: 10 * KIB });
  await until(() => relay.length(peer, attempt) === WINDOW + 10 * KIB, "as much as was credited");
  peer.send({ type: "credit", attempt, bytes: 1 });
  await until(() => relay.length(peer, attempt) === WINDOW + 10 * KIB + 1, "one more byte");

  let taken = 0;
  for (;;) {
    const got = relay.length(peer, attempt);
    if (got > taken) peer.send({ type: "credit", attempt, bytes: got - taken });
    taken = got;
    if (got === LARGE) break;
    await until(() => relay.length(peer, attempt) > taken, "more");
  }
  expect((await relay.about(peer, "response_end", attempt))["error"]).toBeUndefined();
  expect(relay.body(peer, attempt).equals(body)).toBe(true);
}, 60_000);

test("[D4] one stalled answer does not hold up another", async () => {
  await using rig = await startV2Rig({ relay: { isGenerous: false } });
  const { relay, peer, backend } = rig;
  const stalled = relay.request(peer);
  (await backend.call(0)).head(200, `content-length: ${LARGE}`).write(Buffer.alloc(LARGE));
  await until(() => relay.length(peer, stalled) === WINDOW, "one window");
  const other = relay.request(peer);
  (await backend.call(1)).json(200, { ok: true });
  await relay.about(peer, "response_end", other);
  expect(relay.body(peer, other).toString()).toBe('{"ok":true}');
});

test("[D4] the end of an answer waits for the credit of its last bytes", async () => {
  await using rig = await startV2Rig({ relay: { isGenerous: false } });
  const { relay, peer, backend } = rig;
  const attempt = relay.request(peer);
  (await backend.call())
    .head(200, `content-length: ${WINDOW + 1}`)
    .write(Buffer.alloc(WINDOW + 1))
    .hangUp();
  await until(() => relay.length(peer, attempt) === WINDOW, "one window");
  peer.send({ type: "ping" });
  await peer.next("pong");
  expect(peer.of("response_end")).toHaveLength(0);
  peer.send({ type: "credit", attempt, bytes: 1 });
  expect((await relay.about(peer, "response_end", attempt))["error"]).toBeUndefined();
  expect(relay.length(peer, attempt)).toBe(WINDOW + 1);
});

test("[D4] no frame is longer than 256 KiB, however many slots there are", async () => {
  await using rig = await startV2Rig({ worker: { maxConcurrency: 1_000 }, relay: { isGenerous: false } });
  const { relay, peer, backend } = rig;
  const attempt = relay.request(peer);
  (await backend.call()).head(200, `content-length: ${LARGE}`).write(Buffer.alloc(LARGE));
  await until(() => relay.length(peer, attempt) === 32 * KIB, "the smallest window");
  for (const frame of peer.frames) expect(frame.byteLength).toBeLessThanOrEqual(5 + WINDOW);
});

test("[D4] a request body is credited as it is taken, and forwarded whole with its length", async () => {
  await using rig = await startV2Rig();
  const { relay, peer, backend } = rig;
  const body = Buffer.from(crypto.getRandomValues(new Uint8Array(64 * KIB)))
    .toString("hex")
    .repeat(16);
  const bytes = Buffer.from(body);
  const attempt = relay.request(peer, { body: "", body_length: bytes.byteLength });
  let sent = 0;
  const credited = (): number => peer.of("credit").reduce((sum, message) => sum + Number(message["bytes"]), 0);
  while (sent < bytes.byteLength) {
    await until(() => WINDOW + credited() > sent, "credit");
    const slice = bytes.subarray(sent, Math.min(sent + 50 * KIB, WINDOW + credited()));
    relay.sendBody(peer, attempt, slice);
    sent += slice.byteLength;
  }
  const call = await backend.call();
  expect(call.headers.get("content-length")).toBe(String(bytes.byteLength));
  expect(call.headers.has("transfer-encoding")).toBe(false);
  expect(call.body.equals(bytes)).toBe(true);
  expect(credited()).toBeLessThanOrEqual(bytes.byteLength);
});

test("[D4] a relay that ignores the window is closed on, and one that announces too much is refused", async () => {
  await using rig = await startV2Rig();
  const { relay, peer } = rig;
  const tooLarge = relay.request(peer, { body: "", body_length: 64 * KIB * KIB + 1 });
  expect((await relay.about(peer, "response_end", tooLarge))["error"]).toMatchObject({ kind: "too_large" });
  const attempt = relay.request(peer, { body: "", body_length: 10 * WINDOW });
  // Two of these fill the window without the half that would be credited.
  relay.sendBody(peer, attempt, Buffer.alloc(WINDOW / 2 - 1));
  relay.sendBody(peer, attempt, Buffer.alloc(WINDOW));
  await until(() => peer.closed !== null, "the close");
  expect(peer.closed!.code).toBe(1002);
});

let last = -1;
let stillFor = 0;
/** Whether the value has been the same for the last hundred looks. */
function isStill(read: () => number): boolean {
  const now = read();
  stillFor = now === last ? stillFor + 1 : 0;
  last = now;
  return stillFor > 100;
}
