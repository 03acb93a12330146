// A v1 worker on a slow uplink: whole bodies go out at once, and nothing in the protocol holds them back.
import { expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const MASK = Buffer.alloc(4);

/** A masked text frame, with a mask that changes nothing. */
function textFrame(message: object): Uint8Array {
  const text = Buffer.from(JSON.stringify(message));
  return Buffer.concat([Buffer.from([0x81, 0x80 | 126, text.byteLength >> 8, text.byteLength & 0xff]), MASK, text]);
}

test("[S6] [R1] a v1 worker whose uplink takes nothing keeps its connection, and what does not fit waits for it", async () => {
  await using relay = startTestRelay();
  using worker = await RawClient.connect(relay);
  const upgrade = {
    upgrade: "websocket",
    connection: "upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const lines = Object.entries({ host: "127.0.0.1", "x-worker-secret": "test-secret", ...upgrade }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  worker.send(`GET /v1/worker/connect?provider=local HTTP/1.1\r\n${lines.join("")}\r\n`);
  await worker.head();
  worker.send(textFrame({ type: "register", worker_name: "far away", models: ["m"], max_concurrent: 16, current_load: 0 }));
  await relay.workers(1);
  worker.pause();

  const leave = new AbortController();
  const body = JSON.stringify({ model: "m", messages: ["x".repeat(25 * MIB)] });
  const answers = Array.from({ length: 8 }, async () => {
    const response = await fetch(relay.at("/v1/chat/completions"), { method: "POST", body, signal: leave.signal });
    return response.status;
  });
  await relay.requests(8);
  const phases = (): readonly string[] => [...relay.hub.requests.values()].map(({ phase }) => phase.kind).sort();
  await until(() => phases().includes("queued"), "what does not fit waits");
  expect(relay.hub.fleet.workers.size).toBe(1);
  expect(phases().filter((kind) => kind === "dispatched").length).toBeGreaterThan(1);
  leave.abort();
  await Promise.allSettled(answers);
});
