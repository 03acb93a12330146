// `modelrelay status` against running relays: busy ones, empty ones, with and without a token, as tables and as JSON.
import { describe, expect, test } from "bun:test";
import { startSecured } from "../security/rig.ts";
import { hangMidStream, listing } from "../support/fake-backend-answers.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { failureOf, until } from "../support/until.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { startWholePath } from "../support/whole-path.ts";
import { runCli } from "./run-cli.ts";

const TOKEN = "the-token-of-this-test";
const OPERATOR = { MODELRELAY_ADMIN_TOKEN: TOKEN };

const status = (relay: TestRelay, ...args: readonly string[]) => runCli(["status", "--url", relay.url.href, ...args], OPERATOR);

test("[O1] a busy relay: its numbers, its workers and what they do, models, and each live request", async () => {
  await using path = await startWholePath(listing(["m"], hangMidStream(streamEvents("chat").slice(0, 2))), {
    relay: { adminToken: TOKEN },
    worker: { workerName: "gpu 1", maxConcurrency: 2 },
  });
  const { relay } = path;
  const leaving = new AbortController();
  const asked = Array.from({ length: 4 }, () =>
    relay.post("/v1/chat/completions", { model: "m", stream: true }, { signal: leaving.signal }),
  );
  await until(() => [...relay.hub.requests.values()].filter(({ phase }) => phase.kind === "answering").length === 2, "two answers");
  await relay.requests(4);
  const { code, out, err } = await status(relay);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const lines = out.split("\n");
  expect(lines[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+ +0\.1\.0, up \d+ s +\d\d:\d\d:\d\d$/);
  expect(lines[1]).toBe("workers 1   slots 2/2   running 2   waiting 2");
  expect(lines[2]).toStartWith("since it started: 4 taken, 0 complete");
  expect(out).toMatch(/^WORKER +STATE +SLOTS +MODELS +VERSION +PROTOCOL +CONNECTED +HEARD +ADDRESS +ID$/m);
  expect(out).toMatch(/^gpu 1 +full +██ 2\/2 +m +0\.1\.0 +2026-11-bridge-v2 +\d+ s +\d+ s +127\.0\.0\.1 +w1-/m);
  expect(out).toMatch(/^m +1 +2 +2$/m);
  expect(out.match(/^r\d+ +answering +\d+ s +m +gpu 1 +1 +- +\/v1\/chat\/completions +req_/gm)).toHaveLength(2);
  expect(out.match(/^r\d+ +queued, [12]\. +\d+ s +m +- +0 /gm)).toHaveLength(2);
  leaving.abort();
  for (const request of asked)
    await request.then(
      async (response) => failureOf(response.text()),
      () => null,
    );
});

test("[O1] workers in each of their states", async () => {
  await using relay = startTestRelay({ adminToken: TOKEN });
  await using idle = await startV2Worker(relay, { name: "idle one", slots: 3 });
  await using drained = await startV2Worker(relay, { name: "drained one" });
  await using down = await startV2Worker(relay, { name: "down one", models: ["down"] });
  drained.send({ type: "draining" });
  const refused = relay.post("/v1/chat/completions", { model: "down", messages: [] });
  (await down.nextJob()).end("connection_refused");
  await until(() => [...relay.hub.fleet.workers.values()].some(({ drainedBy }) => drainedBy !== null), "one drains");
  expect(idle.jobs).toEqual([]);
  const { out } = await status(relay);
  expect(out).toMatch(/^idle one +idle +░░░ 0\/3 /m);
  expect(out).toMatch(/^drained one +drained +░░░░ 0\/4 /m);
  expect(out).toMatch(/^down one +backend down +░░░░ 0\/4 /m);
  for (const id of relay.hub.requests.keys()) relay.hub.fail(id, "cancelled");
  await refused;
});

test("[O1] a relay with nothing to do says so", async () => {
  await using relay = startTestRelay({ adminToken: TOKEN });
  const { code, out } = await status(relay);
  expect(code).toBe(0);
  expect(out).toContain("no worker is connected");
  expect(out).toContain("no request is waiting or running");
});

describe("without a token", () => {
  test("[O1] what is public, how to see more, and exit code 0", async () => {
    await using path = await startWholePath();
    const { code, out, err } = await runCli(["status", "--url", path.relay.url.href]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^workers 1 +waiting 0$/m);
    expect(out).toMatch(/^MODEL\nm$/m);
    expect(out).toContain("give --admin-token-file PATH");
  });

  test("[O1] the models of a relay that wants keys are not known, which is said", async () => {
    await using secured = await startSecured();
    const { code, out } = await runCli(["status", "--url", secured.relay.url.href]);
    expect(code).toBe(0);
    expect(out).toContain("Models are told only to those with an API key.");
  });
});

test("[O2] what workers and clients name themselves cannot break a line or steer the terminal", async () => {
  await using relay = startTestRelay({ adminToken: TOKEN });
  const name = "evil\u001b[2J\r\nfake row \u202e";
  await using worker = await startV2Worker(relay, { name, models: ["m\u001b]0;title\u0007", "m"], register: { version: "1\n2" } });
  const headers = { "x-request-id": "id-of-the-client", "content-type": "application/json" };
  const asked = relay.post("/v1/chat/completions", { model: "m", messages: [] }, { headers });
  const job = await worker.nextJob();
  const { out } = await status(relay);
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  expect(out.split("\n").filter((line) => line.includes("fake row"))).toHaveLength(2);
  expect(out).toContain("id-of-the-client");
  job.answer();
  await asked;
});

describe("--json", () => {
  test("[O5] one object, with workers and requests as the admin API has them", async () => {
    await using relay = startTestRelay({ adminToken: TOKEN });
    await using worker = await startV2Worker(relay, { name: "box" });
    const asked = relay.post("/v1/chat/completions", { model: "m", messages: [] });
    const job = await worker.nextJob();
    const { code, out, err } = await status(relay, "--json");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toMatchObject({
      url: relay.url.href.replace(/\/$/, ""),
      reachable: true,
      version: "0.1.0",
      workers_connected: 1,
      queue_depth: 0,
      counts: { accepted: 1, running: 1 },
      workers: [{ worker_name: "box", max_concurrent: 4, in_flight_count: 1 }],
      requests: [{ model: "m", state: "dispatched" }],
      requests_total: 1,
    });
    const inPublic: object = JSON.parse((await runCli(["status", "--json", "--url", relay.url.href])).out);
    expect(inPublic).toMatchObject({ reachable: true, workers_connected: 1, models: ["m"] });
    expect(Object.keys(inPublic)).not.toContain("workers");
    job.answer();
    await asked;
  });
});

test("[O6] no relay, no token that opens it, something else there: one line, exit code 1, and the token nowhere", async () => {
  await using relay = startTestRelay({ adminToken: TOKEN });
  const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("<html>") });
  try {
    for (const [url, token, line] of [
      ["http://127.0.0.1:9", "canary", /cannot be reached: no connection\. Is it running\?/],
      [relay.url.href, "canary", /refuses the admin token of variable MODELRELAY_ADMIN_TOKEN/],
      [other.url.href, "canary", /answered 200, not as a relay/],
    ] as const) {
      const { code, out, err } = await runCli(["status", "--url", url], { MODELRELAY_ADMIN_TOKEN: token });
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toMatch(line);
      expect(err).toMatch(/^modelrelay: .*\n$/);
      expect(err).not.toContain("canary");
    }
  } finally {
    await other.stop(true);
  }
  expect((await runCli(["status", "--interval", "0"])).code).toBe(2);
});
