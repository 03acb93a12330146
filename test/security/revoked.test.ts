// A key that is revoked while it is at work: what ends with it, how soon, and how whoever used it is told.
import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { startKeyRing } from "../../src/store/key-ring.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { temporaryDirectory } from "../store/kinds.ts";
import { type Dialect, PATHS, streamEvents } from "../support/fake-backend-events.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RawClient } from "../support/raw-client.ts";
import { createRecordingLog } from "../support/recording-log.ts";
import { RelaySocket } from "../support/relay-socket.ts";
import { until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { bearer, refusalOf, startSecured, startSecuredOn } from "./rig.ts";

const CHAT = "/v1/chat/completions";
const STREAM = { model: "m", stream: true };
/** What the operator was promised. */
const REVOKED_WITHIN_MS = 5_000;

for (const dialect of ["chat", "responses", "messages"] satisfies readonly Dialect[]) {
  test(`[U4] [Y6] revoking a key ends its ${dialect} stream with an error in it; a neighbour's goes on`, async () => {
    await using secured = await startSecured();
    const { relay } = secured;
    await using worker = await startV2Worker(relay);
    const { key, secret } = await secured.made();
    const events = streamEvents(dialect).slice(0, 3).join("");
    using client = await RawClient.connect(relay);
    client.post(PATHS[dialect], STREAM, bearer(secret));
    const job = await worker.nextJob();
    using neighbour = await RawClient.connect(relay);
    neighbour.post(PATHS[dialect], STREAM, bearer(await secured.secret()));
    const other = await worker.nextJob();
    for (const one of [job, other]) {
      one.startStream();
      one.data(events);
    }
    await until(() => client.chunkedBody.text === events && neighbour.chunkedBody.text === events, "both streams run");

    const revokedAtMs = performance.now();
    expect((await secured.operator("DELETE", `/admin/keys/${key.id}`)).status).toBe(204);
    await client.closed();
    expect(performance.now() - revokedAtMs).toBeLessThan(REVOKED_WITHIN_MS);
    const { text, isTerminated } = client.chunkedBody;
    expect(isTerminated).toBe(false);
    expect(text).toStartWith(events);
    expect(text.slice(events.length)).toContain(dialect === "messages" ? "authentication_error" : "invalid_api_key");
    await until(() => job.isCancelled, "the worker is told to stop");

    other.data("data: behind\n\n");
    other.end();
    await neighbour.terminated();
    expect(neighbour.chunkedBody.text).toBe(`${events}data: behind\n\n`);
    expect(await refusalOf(await relay.post(CHAT, STREAM, { headers: bearer(secret) }))).toEqual([401, "invalid_api_key", null]);
  });
}

test("[U4] what a revoked key has waiting is refused, and what has not begun to answer is cancelled, each with 401", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  await using worker = await startV2Worker(relay, { slots: 1 });
  const { key, secret } = await secured.made();
  const running = relay.post(CHAT, { model: "m" }, { headers: bearer(secret) });
  const job = await worker.nextJob();
  const waiting = relay.post(CHAT, { model: "m" }, { headers: bearer(secret) });
  await relay.requests(2);
  const behind = relay.post(CHAT, { model: "m" }, { headers: { "x-api-key": await secured.secret() } });
  await relay.requests(3);
  await secured.operator("DELETE", `/admin/keys/${key.id}`);
  for (const response of [running, waiting]) expect(await refusalOf(await response)).toEqual([401, "invalid_api_key", null]);
  await until(() => job.isCancelled, "the worker is told to stop");
  (await worker.nextJob()).answer();
  expect((await behind).status).toBe(200);
});

test("[U4] a key that is revoked while its request's body is coming in is refused when it is there", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  const { key, secret } = await secured.made();
  using client = await RawClient.connect(relay);
  const body = '{"model":"m"}';
  client.send(
    `POST ${CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\nauthorization: Bearer ${secret}\r\n\r\n${body.slice(0, 5)}`,
  );
  await until(() => relay.hub.bodies.heldBytes > 0, "the body comes in");
  await secured.operator("DELETE", `/admin/keys/${key.id}`);
  client.send(body.slice(5));
  expect((await client.head()).status).toBe(401);
});

test("[U4] revoked at another relay of the same store, a stream ends here within 5 s", async () => {
  using directory = temporaryDirectory();
  await using secured = await startSecuredOn(openSqliteStore(directory.path, systemClock));
  const { relay } = secured;
  const { key, secret } = await secured.made();
  const elsewhere = openSqliteStore(directory.path, systemClock);
  const otherRing = await startKeyRing({ store: elsewhere, clock: systemClock, log: createRecordingLog() });
  await using worker = await startV2Worker(relay);
  using client = await RawClient.connect(relay);
  client.post(CHAT, STREAM, bearer(secret));
  const job = await worker.nextJob();
  job.startStream();
  job.data("data: 1\n\n");
  await until(() => client.chunkedBody.text === "data: 1\n\n", "the stream runs");
  expect(await otherRing.revoke(key.id)).toBe(true);
  await until(() => client.isClosed, "the stream ends", REVOKED_WITHIN_MS);
  expect(client.chunkedBody.text).toContain("invalid_api_key");
  await otherRing.stop();
  await elsewhere.close();
}, 15_000);

test("[U4] revoking a worker key closes its socket with 1008; its requests go elsewhere, and it does not come back", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  for (const start of [startV1Worker, startV2Worker]) {
    const { key, secret } = await secured.made({ scopes: ["worker"] });
    await using worker = await start(relay, { models: ["m"], secret });
    const response = relay.post(CHAT, { model: "m" }, { headers: bearer(await secured.secret()) });
    await worker.nextJob();
    await using spare = await startV2Worker(relay);
    await secured.operator("DELETE", `/admin/keys/${key.id}`);
    expect(await worker.closedByRelay()).toEqual({ code: 1008, reason: "worker authentication failed" });
    (await spare.nextJob()).answer();
    expect((await response).status).toBe(200);
    await using again = new RelaySocket(relay, { secret });
    expect((await again.closedByRelay()).code).toBe(1008);
    spare.close();
    await relay.workers(0);
  }
});

test("[Y8] a key that expires at work ends as a revoked one does: its stream, its requests, its worker's connection", async () => {
  const clock = new ManualClock();
  await using secured = await startSecured({ clock, relay: { heartbeatIntervalMs: 600_000 } });
  const { relay } = secured;
  const expiresAt = Math.floor(clock.unixMs() / 1000) + 60;
  const client = await secured.made({ expiresAt });
  const box = await secured.made({ scopes: ["worker"], expiresAt });
  await using lasting = await startV2Worker(relay);
  using stream = await RawClient.connect(relay);
  stream.post(CHAT, STREAM, bearer(client.secret));
  const job = await lasting.nextJob();
  job.startStream();
  job.data("data: 1\n\n");
  await until(() => stream.chunkedBody.text === "data: 1\n\n", "the stream runs");
  await using expiring = await startV2Worker(relay, { models: ["other"], secret: box.secret });
  clock.advance(62_000);
  expect(await expiring.closedByRelay()).toEqual({ code: 1008, reason: "worker authentication failed" });
  await until(() => stream.chunkedBody.text.includes("invalid_api_key"), "the stream ends with the reason");
  await until(() => job.isCancelled, "the worker is told to stop");
});
