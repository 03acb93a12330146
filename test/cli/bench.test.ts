// `modelrelay bench` as a process of its own: through a relay and a worker, and against endpoints that misbehave.
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { BenchReport } from "../../src/cli/bench/report.ts";
import { readDocument, sectionOf, tableRows } from "../docs/documents.ts";
import { makeCertificates } from "../security/certificates.ts";
import { hangMidStream, listing, modelList, politely, sse, unary, unterminatedStream } from "../support/fake-backend-answers.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { until } from "../support/until.ts";
import { startWholePath } from "../support/whole-path.ts";
import { type CliResult, RunningCli, runCli } from "./run-cli.ts";

const CHAT = streamEvents("chat");
const QUICK = ["--requests", "12", "--concurrency", "3"];

/** The report, which has to be exactly what is documented. */
function reportOf({ out }: CliResult): BenchReport {
  return v.parse(BenchReport, JSON.parse(out));
}

function sent(backend: ReturnType<typeof startFakeBackend>): readonly string[] {
  return backend.requests.filter(({ method }) => method === "POST").map(({ path }) => path);
}

test.each([
  // This backend counts no tokens in the streams of chat.
  ["chat", true, null],
  ["chat", false, 36],
  ["messages", true, 36],
  ["responses", true, 36],
] as const)("[J1] [J9] a load of %s (streaming: %p) through relay and worker is reported as it was", async (api, isStreaming, tokens) => {
  await using path = await startWholePath(politely(["m"]), { worker: { maxConcurrency: 2 } });
  const flags = ["--url", `${path.relay.url.origin}/v1`, "--model", "m", "--api", api, "--json", ...(isStreaming ? ["--stream"] : [])];
  const result = await runCli(["bench", ...flags, ...QUICK]);
  expect({ code: result.code, err: result.err }).toEqual({ code: 0, err: "" });
  const report = reportOf(result);
  expect(report).toMatchObject({ api, model: "m", stream: isStreaming, concurrency: 3, interrupted: false, errors: [], tokens });
  expect(report.requests).toEqual({ started: 12, ok: 12, failed: 0, hung_up: 0, not_started: 0, warm_up: 0 });
  expect(report.workers).toEqual([{ name: "box", count: 12, share: 1 }]);
  expect([report.latency_ms?.count, report.first_byte_ms?.count, report.queue_ms?.count]).toEqual([12, 12, 12]);
  expect([report.first_chunk_ms?.count, report.gap_ms === null, report.chunks === null]).toEqual(
    isStreaming ? [12, false, false] : [undefined, true, true],
  );
  expect(sent(path.backend).length).toBe(12);
});

test("[J9] the table for people has counts, rates, percentiles, errors and workers, and says when requests failed", async () => {
  let arrived = 0;
  const third: Answer = (exchange) =>
    (++arrived % 3 === 0 ? unary(500, '{"error":{"code":"boom","message":"It broke."}}') : sse(CHAT))(exchange);
  await using path = await startWholePath(third);
  const result = await runCli(["bench", "--url", path.relay.url.origin, "--model", "m", "--stream", ...QUICK]);
  expect({ code: result.code, err: result.err }).toEqual({ code: 1, err: "" });
  expect(result.out).toMatch(/^POST http:\S+\/v1\/chat\/completions\nmodel m, streaming, 3 at a time\n/);
  expect(result.out).toMatch(/\nrequests +8 ok, 4 failed in [\d.]+ s\nthroughput +[\d.]+ requests\/s, [\d.]+ chunks\/s\n/);
  expect(result.out).toMatch(
    /\nmilliseconds +p50 +p90 +p99 +max\nlatency( +[\d.]+){4}\nfirst byte.*\nfirst chunk.*\nbetween chunks.*\nin the queue.*\n/,
  );
  expect(result.out).toMatch(/\nerrors\n {2}500 boom +4 +33\.3 % {2}It broke\.\n/);
  expect(result.out).toMatch(/\nanswered by\n {2}box +12 +100\.0 %\n$/);
});

test("[J1] [J4] broken streams and stalls through a relay are failures, and as many requests arrive as are reported", async () => {
  let arrived = 0;
  const answers: readonly Answer[] = [sse(CHAT), unterminatedStream(CHAT.slice(0, 2)), hangMidStream(CHAT.slice(0, 1))];
  await using path = await startWholePath((exchange) => answers[arrived++ % 3]!(exchange), { worker: { maxConcurrency: 4 } });
  const result = await runCli(["bench", "--url", path.relay.url.origin, "--model", "m", "--stream", "--json", "--timeout", "3", ...QUICK]);
  expect(result.code).toBe(1);
  const { requests, errors } = reportOf(result);
  expect(requests).toMatchObject({ started: 12, ok: 4, failed: 8 });
  expect(Object.fromEntries(errors.map(({ kind, count }) => [kind, count]))).toEqual({ "error_event backend_error": 4, timeout: 4 });
  expect(sent(path.backend).length).toBe(12);
}, 30_000);

test("[J7] each worker's share is shown", async () => {
  await using one = startFakeBackend(politely(["m"]));
  await using relay = startTestRelay();
  await using first = startTestWorker({ relay, backend: { url: new URL(one.url) }, workerName: "east" });
  await using second = startTestWorker({ relay, backend: { url: new URL(one.url) }, workerName: "wést 2" });
  await relay.workers(2);
  const { workers } = reportOf(await runCli(["bench", "--url", relay.url.origin, "--model", "m", "--json", ...QUICK]));
  expect(workers.map(({ name }) => name).sort()).toEqual(["east", "wést 2"]);
  expect(workers.reduce((sum, { count }) => sum + count, 0)).toBe(12);
  expect([first.status().active, second.status().active]).toEqual([0, 0]);
});

test("[J3] refusals of a relay keep their code", async () => {
  await using relay = startTestRelay({ modelGraceMs: 0 });
  await using backend = startFakeBackend();
  await using worker = startTestWorker({ relay, backend: { url: new URL(backend.url) } });
  await relay.workers(1);
  const result = await runCli(["bench", "--url", relay.url.origin, "--model", "nope", "--json", ...QUICK]);
  expect(result.code).toBe(1);
  expect(reportOf(result).errors).toEqual([
    { kind: "404 model_not_found", count: 12, message: expect.stringContaining("No worker offers") },
  ]);
  expect(worker.status().active).toBe(0);
});

test("[J11] without a model the first on the list is taken, and that is said", async () => {
  await using backend = startFakeBackend(politely(["first", "second"]));
  const result = await runCli(["bench", "--json", ...QUICK], { PROXY_URL: `${backend.url}/v1/` });
  expect([result.code, reportOf(result).model]).toEqual([0, "first"]);
  expect(result.err).toMatch(/^modelrelay: no --model is given; taking first, the first of 2 that http:\S+ lists\n$/);
  expect(sent(backend).length).toBe(12);
});

test.each<[string, Answer, RegExp]>([
  ["lists none", modelList(() => []), /lists no model\. Is a worker connected\? --model NAME/],
  ["lists nothing that can be read", unary(200, "<html>"), /asked for its models, http:\S+ answered 200\. --model NAME names one/],
  [
    "refuses the question",
    unary(401, '{"error":{"code":"invalid_api_key","message":"No\\u001b[2J."}}'),
    /answered 401 \(invalid_api_key\): No\\u001b\[2J\. --api-key-file PATH/,
  ],
])("[J11] an endpoint that %s is one line, and gets no request", async (_what, answer, line) => {
  await using backend = startFakeBackend(answer);
  const result = await runCli(["bench", "--url", backend.url, ...QUICK]);
  expect([result.code, result.out, result.err.split("\n").length]).toEqual([1, "", 2]);
  expect(result.err).toMatch(line);
  expect(sent(backend)).toEqual([]);
});

test("[J11] an endpoint that is not there is one line with the way out", async () => {
  const backend = startFakeBackend();
  await backend.stop();
  const result = await runCli(["bench", "--url", backend.url, "--model", "m"]);
  expect(result).toEqual({
    code: 1,
    out: "",
    err: `modelrelay: ${backend.url} cannot be reached (ECONNREFUSED). Is it running? --url gives another address\n`,
  });
});

test("[J8] over https the CA of --tls-ca is trusted and no other", async () => {
  using certificates = makeCertificates();
  const { certFile, keyFile } = certificates.issue("relay");
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    tls: { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") },
    fetch: (request) => Response.json(request.method === "GET" ? { data: [{ id: "m" }] } : { choices: [] }),
  });
  try {
    const url = `https://localhost:${server.port}`;
    const trusted = await runCli(["bench", "--url", url, "--tls-ca", certificates.caFile, "--json", ...QUICK]);
    expect([trusted.code, reportOf(trusted).requests.ok, reportOf(trusted).model]).toEqual([0, 12, "m"]);
    const untrusted = await runCli(["bench", "--url", url, "--model", "m", ...QUICK]);
    expect([untrusted.code, untrusted.out]).toEqual([1, ""]);
    expect(untrusted.err).toMatch(/^modelrelay: the certificate of https:\S+ is not trusted \([A-Z_]+\); --tls-ca PATH/);
  } finally {
    await server.stop(true);
  }
});

test("[J8] a certificate that has run out is not mended by another CA, and that is not advised", async () => {
  using certificates = makeCertificates();
  const { certFile, keyFile } = certificates.issue("relay", { days: -1 });
  const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: () => new Response("") });
  try {
    const words = ["bench", "--url", `https://localhost:${server.port}`, "--tls-ca", certificates.caFile, "--model", "m", ...QUICK];
    const { code, err } = await runCli(words);
    expect(err).toMatch(/ is not trusted \(CERT_HAS_EXPIRED\); renew it at the relay/);
    expect(code).toBe(1);
  } finally {
    await server.stop(true);
  }
});

test("[J10] SIGINT hangs up, prints what was measured and ends with 130", async () => {
  let arrived = 0;
  await using backend = startFakeBackend((exchange) => (++arrived <= 5 ? sse(CHAT) : hangMidStream(CHAT.slice(0, 2)))(exchange));
  const flags = ["--url", backend.url, "--model", "m", "--stream", "--json", "--duration", "60", "--concurrency", "2"];
  await using cli = new RunningCli(["bench", ...flags]);
  await until(() => arrived === 7, "two streams hang");
  cli.signal("SIGINT");
  expect(await cli.exit()).toBe(130);
  const report = v.parse(BenchReport, JSON.parse(cli.out));
  expect(report).toMatchObject({ interrupted: true, requests: { started: 7, ok: 5, failed: 0, hung_up: 2 } });
  await until(() => backend.open === 0, "the streams are hung up");
});

test("[J10] SIGTERM does so too, also before there is anything to measure", async () => {
  let isAsked = false;
  await using backend = startFakeBackend(async () => void (isAsked = true));
  await using cli = new RunningCli(["bench", "--url", backend.url]);
  await until(() => isAsked, "the models are asked for");
  cli.signal("SIGTERM");
  expect([await cli.exit(), cli.out, cli.err]).toEqual([143, "", ""]);
});

test("[J13] the key goes to the endpoint, as its API wants it, and is in nothing that is printed", async () => {
  const key = "mr-key-4f1c9a7b2d";
  const echo = unary(401, `{"error":{"code":"invalid_api_key","message":"wrong key ${key}"}}`);
  await using backend = startFakeBackend(listing(["m"], echo));
  const folder = mkdtempSync(join(tmpdir(), "bench-key-"));
  try {
    writeFileSync(join(folder, "key"), `${key}\n`);
    const byFile = await runCli(["bench", "--url", backend.url, "--api-key-file", join(folder, "key"), ...QUICK]);
    const byVariable = await runCli(["bench", "--url", backend.url, "--api", "messages", ...QUICK], { MODELRELAY_API_KEY: key });
    const byFlag = await runCli(["bench", "--url", backend.url, "--api-key", key, "--json", ...QUICK]);
    expect(byFlag.err).toContain("a secret given as a flag shows in the process list; use --api-key-file");
    for (const { code, out, err } of [byFile, byVariable, byFlag]) {
      expect(code).toBe(1);
      expect(`${out}${err}`).toContain("wrong key (secret)");
      expect(`${out}${err}`).not.toContain(key);
    }
    const shown = backend.requests.map(({ method, path, headers }) => {
      return `${method} ${path} ${headers.get("authorization") ?? headers.get("x-api-key")}`;
    });
    expect(new Set(shown)).toEqual(
      new Set([`GET /v1/models Bearer ${key}`, `POST /v1/chat/completions Bearer ${key}`, `POST /v1/messages ${key}`]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("[J9] own bodies are sent as they are, in turn, with model and stream replaced where they are given", async () => {
  await using backend = startFakeBackend(politely(["m"]));
  const folder = mkdtempSync(join(tmpdir(), "bench-bodies-"));
  const file = join(folder, "bodies.jsonl");
  try {
    writeFileSync(file, '{"model":"a","seed":1,"messages":[]}\n\n{"seed":2,"stream":true}\n');
    const run = async (...flags: readonly string[]) => {
      const { code, err, out } = await runCli([
        "bench",
        "--url",
        backend.url,
        "--body-file",
        file,
        "--requests",
        "4",
        "--concurrency",
        "1",
        ...flags,
      ]);
      expect({ code, err: err.replace(/^modelrelay: no --model.*\n/, ""), out }).toEqual({ code: 0, err: "", out: expect.any(String) });
    };
    await run();
    await run("--model", "x", "--no-stream");
    const bodies = backend.requests.filter(({ method }) => method === "POST").map(({ body }) => JSON.parse(Buffer.from(body).toString()));
    const [one, two] = [
      { model: "a", seed: 1, messages: [] },
      { model: "m", seed: 2, stream: true },
    ];
    const [third, fourth] = [
      { ...one, model: "x", stream: false },
      { model: "x", seed: 2, stream: false },
    ];
    expect(bodies).toEqual([one, two, one, two, third, fourth, third, fourth]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each<[string, readonly string[], RegExp]>([
  ["a flag there is not", ["--request", "3"], /unknown flag --request; did you mean --requests\?/],
  ["no requests at all", ["--requests", "0"], /--requests: "0" is not a whole number from 1/],
  ["an API there is not", ["--api", "chats"], /--api: "chats" is not one of .*; did you mean chat\?/],
  ["embeddings as a stream", ["--api", "embeddings", "--stream"], /--stream: the API embeddings has no streams/],
  [
    "a body file that is not there",
    ["--body-file", "/nonexistent"],
    /--body-file: the file \/nonexistent cannot be read \(no such file or directory, ENOENT\)/,
  ],
  ["a body file that is none", ["--body-file", import.meta.path], /is neither one JSON object nor one on each line \(line 1\)/],
  ["two bodies", ["--body-file", import.meta.path, "--prompt", "x"], /--prompt and --body-file are both given/],
  ["a key that is a placeholder", ["--api-key", "changeme"], /--api-key: this is the placeholder of an example/],
])("[J9] %s is wrong use", async (_what, flags, line) => {
  const result = await runCli(["bench", "--url", "http://127.0.0.1:9", ...flags]);
  expect([result.code, result.out]).toEqual([2, ""]);
  expect(result.err).toMatch(line);
});

test("[J5] [J6] a rate and a warm-up are in the report", async () => {
  await using backend = startFakeBackend(politely(["m"]));
  const flags = ["--rate", "500", "--arrivals", "constant", "--requests", "50", "--warm-up", "7", "--json"];
  const report = reportOf(await runCli(["bench", "--url", backend.url, "--model", "m", ...flags]));
  expect(report).toMatchObject({ rate_per_sec: 500, arrivals: "constant", concurrency: 1_000, requests: { started: 50, warm_up: 7 } });
  expect(report.start_delay_ms?.count).toBe(50);
  expect(report.elapsed_secs).toBeGreaterThanOrEqual(49 / 500);
  expect(sent(backend).length).toBe(57);
});

test("[J9] docs/load-testing.md has every field of the report, and no other", () => {
  const rows = tableRows(sectionOf(readDocument("docs/load-testing.md").text, "## The JSON report"));
  const named = rows.flatMap(([cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!));
  expect(named.sort()).toEqual(Object.keys(BenchReport.entries).sort());
});
