// A network to the relay that takes nothing: the worker must not turn into the buffer.
import { expect, test } from "bun:test";
import { startTestWorker } from "../support/running-worker.ts";
import { startScriptedBackend } from "../support/scripted-backend.ts";
import { startStallablePipe } from "../support/stallable-pipe.ts";
import { turns, until } from "../support/until.ts";
import { V1Relay } from "../support/v1-relay.ts";
import { V2Relay } from "../support/v2-relay.ts";

const LARGE = 40 * 1_024 * 1_024;
const EVENT = `data: ${"x".repeat(1_000)}\n\n`;

test("[D8] v1: while the network to the relay is stalled the backend is not read, and nothing is lost", async () => {
  await using backend = await startScriptedBackend();
  await using relay = new V1Relay();
  await using pipe = await startStallablePipe(relay.url);
  await using worker = startTestWorker({ relay: pipe, backend });
  const peer = await relay.peer();
  const id = relay.request(peer);
  const call = (await backend.call()).sse().chunk("data: first\n\n");
  await peer.next("response_chunk");
  pipe.stall();
  const body = EVENT.repeat(LARGE / EVENT.length);
  call.chunk(body).endChunks();
  await untilStill(() => call.socket.writableLength);
  // The rest sits in the kernel's buffers of three connections; the worker keeps about 1 MiB.
  expect(call.socket.writableLength).toBeGreaterThan(LARGE / 4);
  expect(worker.status().active).toBe(1);
  pipe.resume();
  await until(() => peer.of("response_complete").length === 1, "the end", 20_000);
  expect(relay.text(peer, id).length).toBeGreaterThanOrEqual(body.length);
}, 30_000);

test("[D8] v2: while the network to the relay is stalled, as much as fits is held, and a cancel is still obeyed later", async () => {
  await using backend = await startScriptedBackend();
  await using relay = new V2Relay();
  await using pipe = await startStallablePipe(relay.url);
  await using worker = startTestWorker({ relay: pipe, backend, maxConcurrency: 32 });
  const peer = await relay.peer();
  const attempt = relay.request(peer);
  const call = (await backend.call()).sse().chunk("data: first\n\n");
  await relay.about(peer, "response_start", attempt);
  pipe.stall();
  call.chunk(Buffer.alloc(LARGE));
  await untilStill(() => call.socket.writableLength);
  expect(call.socket.writableLength).toBeGreaterThan(LARGE / 4);
  peer.send({ type: "cancel", attempt });
  await until(() => call.isClosed, "the backend to see it");
  expect(worker.status().active).toBe(0);
  pipe.resume();
  await relay.about(peer, "cancelled", attempt);
}, 30_000);

/** Resolves when the value has stayed the same over many turns of the event loop. */
async function untilStill(read: () => number): Promise<void> {
  let last = -1;
  for (let still = 0; still < 200; still++) {
    await turns(5);
    const now = read();
    if (now !== last) still = 0;
    last = now;
  }
}
