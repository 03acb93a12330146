// Who tries wrong credentials is slowed down by where it really comes from; who has a right one is never held up by others.
import { expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { RelaySocket, type RelaySocketScript } from "../support/relay-socket.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { ADMIN_TOKEN, bearer, refusalOf, type SecuredRelay, startSecured } from "./rig.ts";

const PROXY = { trustedProxies: ["127.0.0.0/8", "10.0.0.0/8"] };
/** What one address may try at once. */
const BURST = 20;

type Headers = Readonly<Record<string, string>>;

async function statusOf({ relay }: SecuredRelay, path: string, headers: Headers): Promise<number> {
  const response = await fetch(relay.at(path), { headers });
  await response.text();
  return response.status;
}

async function spend(secured: SecuredRelay, headers: Headers): Promise<void> {
  for (let guess = 0; guess < BURST; guess++) {
    expect(await statusOf(secured, "/v1/models", { ...bearer(`guess-${guess}`), ...headers })).toBe(401);
  }
}

async function closeReason({ relay }: SecuredRelay, script: RelaySocketScript): Promise<string> {
  await using socket = new RelaySocket(relay, script);
  return (await socket.closedByRelay()).reason;
}

test("[U7] after 20 wrong ones an address is told to wait, on every door, and one more is let try a second", async () => {
  const clock = new ManualClock();
  await using secured = await startSecured({ clock });
  const { relay } = secured;
  await spend(secured, {});
  const refused = await fetch(relay.at("/v1/models"), { headers: bearer("one more") });
  expect(await refusalOf(refused)).toEqual([429, "auth_rate_limited", "30"]);
  expect(await statusOf(secured, "/admin/stats", bearer("one more"))).toBe(429);
  expect(await closeReason(secured, { secret: "one more" })).toBe("worker authentication temporarily rate limited");
  // Nothing sent is no guess, and no credential is needed to be told so.
  expect(await statusOf(secured, "/v1/models", {})).toBe(401);
  clock.advance(1_000);
  expect(await statusOf(secured, "/v1/models", bearer("one more"))).toBe(401);
  expect(await statusOf(secured, "/v1/models", bearer("and another"))).toBe(429);
});

test("[U7] a right credential is let in from an address that has used up its guesses, known ones and new ones alike", async () => {
  await using secured = await startSecured({ clock: new ManualClock() });
  const { relay } = secured;
  const before = await secured.secret();
  await spend(secured, {});
  const after = await secured.secret({ scopes: ["infer", "admin"] });
  for (const secret of [before, after]) expect(await statusOf(secured, "/v1/models", { "x-api-key": secret })).toBe(200);
  for (const secret of [ADMIN_TOKEN, after]) expect(await statusOf(secured, "/admin/stats", bearer(secret))).toBe(200);
  for (const secret of ["test-secret", await secured.secret({ scopes: ["worker"] })]) {
    await using worker = await startV2Worker(relay, { secret });
    expect(worker.end).toBeNull();
  }
});

test("[U7] behind a trusted proxy it is the client's address that counts, and what it wrote into the header itself does not", async () => {
  await using secured = await startSecured({ relay: PROXY, clock: new ManualClock() });
  await spend(secured, { "x-forwarded-for": "203.0.113.7" });
  const wrong = bearer("one more");
  const told = async (forwarded: string): Promise<number> =>
    await statusOf(secured, "/v1/models", { ...wrong, "x-forwarded-for": forwarded });
  expect(await told("203.0.113.7")).toBe(429);
  for (const forged of [
    "198.51.100.1, 203.0.113.7",
    "203.0.113.7, 10.9.9.9",
    "garbage, 203.0.113.7",
    "::ffff:203.0.113.7",
    "203.0.113.7:4711",
  ]) {
    expect([forged, await told(forged)]).toEqual([forged, 429]);
  }
  for (const other of ["203.0.113.8", "203.0.113.7, 198.51.100.1", "2001:db8::7"]) expect([other, await told(other)]).toEqual([other, 401]);
  expect(await closeReason(secured, { secret: "guess", headers: { "x-forwarded-for": "203.0.113.7" } })).toContain("rate limited");
  expect(await closeReason(secured, { secret: "guess", headers: { "x-forwarded-for": "203.0.113.9" } })).toContain("failed");
});

test("[U7] without trusted proxies the header changes nothing: it neither helps a guesser nor locks anybody out", async () => {
  await using secured = await startSecured({ clock: new ManualClock() });
  for (let guess = 0; guess < BURST; guess++) {
    expect(await statusOf(secured, "/v1/models", { ...bearer("g"), "x-forwarded-for": `203.0.113.${guess}` })).toBe(401);
  }
  expect(await statusOf(secured, "/v1/models", { ...bearer("g"), "x-forwarded-for": "203.0.113.99" })).toBe(429);
});

test("[U7] one client behind the proxy uses up nobody else's guesses, and worker secrets count like keys", async () => {
  await using secured = await startSecured({ relay: PROXY, clock: new ManualClock() });
  const { relay } = secured;
  const attacker = { "x-forwarded-for": "203.0.113.7" };
  for (let guess = 0; guess < BURST; guess++) {
    expect(await closeReason(secured, { secret: `g${guess}`, headers: attacker })).toBe("worker authentication failed");
  }
  expect(await closeReason(secured, { secret: "again", headers: attacker })).toBe("worker authentication temporarily rate limited");
  expect(await statusOf(secured, "/v1/models", { ...bearer("g"), ...attacker })).toBe(429);
  expect(await statusOf(secured, "/v1/models", bearer("g"))).toBe(401);
  await using worker = await startV2Worker(relay, { headers: attacker });
  expect(worker.end).toBeNull();
});

test("[U7] where no keys are asked for, strange credentials are nobody's guesses", async () => {
  await using secured = await startSecured({ relay: { requireApiKeys: false }, clock: new ManualClock() });
  for (let request = 0; request < 3 * BURST; request++) {
    expect(await statusOf(secured, "/v1/models", bearer("sk-for-somebody-else"))).toBe(200);
  }
});
