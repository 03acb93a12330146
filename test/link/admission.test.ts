// Who gets in as a worker, over real sockets: secret, provider, origin, and how a refusal looks to each side.
import { expect, test } from "bun:test";
import { RelaySocket } from "../support/relay-socket.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";

const REFUSED: ReadonlyMap<string, { readonly script: ConstructorParameters<typeof RelaySocket>[1]; readonly cause: string }> = new Map([
  ["no secret", { script: { secret: null }, cause: "no worker secret was sent" }],
  ["an empty secret", { script: { secret: "" }, cause: "no worker secret was sent" }],
  ["a wrong secret", { script: { secret: "wrong" }, cause: "the worker secret is wrong" }],
  [
    "a wrong secret in the header and the right one in the query",
    { script: { secret: "wrong", query: "?worker_secret=test-secret" }, cause: "wrong" },
  ],
  ["a wrong secret in the query", { script: { secret: null, query: "?worker_secret=nope" }, cause: "wrong" }],
  ["a provider of others", { script: { query: "?provider=elsewhere" }, cause: "the provider is not 'local'" }],
]);

for (const [what, { script, cause }] of REFUSED) {
  test(`[L1] ${what}: upgraded, closed with 1008, logged with the cause and without the secret`, async () => {
    await using relay = startTestRelay();
    await using socket = new RelaySocket(relay, script);
    expect(await socket.closedByRelay()).toEqual({ code: 1008, reason: "worker authentication failed" });
    expect(relay.hub.fleet.workers.size).toBe(0);
    expect(relay.log.of("worker rejected")[0]?.fields["cause"]).toContain(cause);
    expect(JSON.stringify(relay.log.lines)).not.toMatch(/nope|test-secret/);
  });
}

test("[L1] what a refused socket still sends is not heard", async () => {
  await using relay = startTestRelay();
  await using socket = new RelaySocket(relay, { secret: "wrong" });
  await socket.opened;
  socket.send({ type: "register", worker_name: "x", models: ["m"], max_concurrent: 1 });
  await socket.closedByRelay();
  expect(relay.log.of("worker registered")).toEqual([]);
  expect(socket.messages).toEqual([]);
});

test("[L1] the oldest workers send the secret in the query; the provider may be missing", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay, { secret: null, query: "?worker_secret=test-secret" });
  expect(worker.of("register_ack")).toHaveLength(1);
  expect(relay.log.of("worker secret sent in the URL")).toHaveLength(1);
  expect(JSON.stringify(relay.log.lines)).not.toContain("test-secret");
});

test("[L1] the header wins over the query, and another provider may be the one served", async () => {
  await using relay = startTestRelay({ provider: "gpu" });
  await using worker = await startV2Worker(relay, { query: "?provider=gpu&worker_secret=wrong" });
  expect(worker.of("register_ack")).toHaveLength(1);
});

test("[L10] a socket that a web page opened is refused with 403", async () => {
  await using relay = startTestRelay({ corsOrigins: ["*"] });
  for (const origin of ["http://evil.example", relay.url.origin, "null"]) {
    const response = await fetch(relay.at("/v1/worker/connect?provider=local"), {
      headers: { origin, upgrade: "websocket", connection: "Upgrade", "sec-websocket-key": "x", "x-worker-secret": "test-secret" },
    });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: { code: "origin_not_allowed" } });
    await using socket = new RelaySocket(relay, { headers: { Origin: origin } });
    // The upgrade itself failed.
    expect((await socket.closedByRelay()).code).toBe(1006);
  }
  expect(relay.hub.fleet.workers.size).toBe(0);
});

test("[H12] the worker path without an upgrade is 426", async () => {
  await using relay = startTestRelay();
  const response = await fetch(relay.at("/v1/worker/connect"));
  expect(response.status).toBe(426);
  expect(response.headers.get("upgrade")).toBe("websocket");
  expect(await response.json()).toMatchObject({ error: { code: "upgrade_required" } });
});
