// A secret of its own in every input of the real program, and then a look into every output: none may be anywhere it does not belong.
import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../src/store/api-key.ts";
import { Child } from "../processes/child.ts";
import * as answers from "../support/fake-backend-answers.ts";
import { type FakeBackend, startFakeBackend } from "../support/fake-backend.ts";
import { RelaySocket } from "../support/relay-socket.ts";
import { until } from "../support/until.ts";
import { bearer } from "./rig.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

const canary = (what: string): string => `canary-${what}-${crypto.randomUUID()}`;

/** One for each place a secret can come in at. */
const SECRETS = {
  workerSecret: canary("worker-secret"),
  adminToken: canary("admin-token"),
  backendKey: canary("backend-key"),
  upstreamKey: canary("upstream-key"),
  wrongKey: canary("wrong-key"),
  wrongWorkerSecret: canary("wrong-worker-secret"),
  wrongAdminToken: canary("wrong-admin-token"),
  prompt: canary("prompt"),
  answer: canary("answer"),
  answerHeader: canary("answer-header"),
  cookie: canary("cookie"),
  header: canary("header"),
  query: canary("query"),
  databasePassword: canary("database-password"),
};

interface Stage extends AsyncDisposable {
  readonly directory: string;
  readonly relay: Child;
  readonly worker: Child;
  readonly backend: FakeBackend;
  readonly url: URL;
}

async function startStage(format: "text" | "json", flags: readonly string[]): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), "modelrelay-canary-"));
  writeFileSync(join(directory, "token"), SECRETS.adminToken);
  const logging = ["--log-format", format, "--log-level", "trace"];
  const files = ["--data-dir", join(directory, "state"), "--admin-token-file", join(directory, "token")];
  const env = { WORKER_SECRET: SECRETS.workerSecret };
  const relay = new Child("relay", [MAIN, "serve", "--listen", "127.0.0.1:0", ...logging, ...files, ...flags], env);
  let url = "";
  await until(() => {
    url = /(http:\/\/127\.0\.0\.1:\d+)/.exec(relay.transcript)?.[1] ?? "";
    return url !== "" || !relay.isRunning;
  }, "the relay listens");
  const backend = startFakeBackend(answers.politely(["m"]));
  const wiring = ["--proxy-url", url, "--backend-url", backend.url, "--worker-name", "box", "--models", "m"];
  const worker = new Child("worker", [MAIN, "work", ...wiring, ...logging], { ...env, BACKEND_API_KEY: SECRETS.backendKey });
  await until(async () => (await (await fetch(`${url}/health`)).text()).includes('"workers_connected":1'), "the worker is there");
  return {
    directory,
    relay,
    worker,
    backend,
    url: new URL(url),
    async [Symbol.asyncDispose]() {
      await Promise.all([relay[Symbol.asyncDispose](), worker[Symbol.asyncDispose](), backend.stop()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Everything clients and operators were told, but for the two places where a secret belongs. */
class Answers {
  readonly told: string[] = [];
  readonly #url: URL;

  constructor(url: URL) {
    this.#url = url;
  }

  async ask(path: string, init: RequestInit = {}): Promise<string> {
    const response = await fetch(new URL(path, this.#url), init).catch((error: unknown) => String(error));
    // A broken answer may be cut off before its head is out.
    if (typeof response === "string") return response;
    const text = await response.text().catch((error: unknown) => String(error));
    this.told.push(`${response.status} ${JSON.stringify([...response.headers])}`);
    this.told.push(text.replaceAll(SECRETS.answer, ""));
    return text;
  }

  /** The secret of a new key, shown this once. */
  async newKey(terms: object): Promise<{ readonly id: string; readonly secret: string }> {
    const init = { method: "POST", headers: bearer(SECRETS.adminToken), body: JSON.stringify(terms) };
    const made: { id: string; secret: string } = JSON.parse(await (await fetch(new URL("/admin/keys", this.#url), init)).text());
    return made;
  }
}

const CHAT = "/v1/chat/completions";

function request(credential: Readonly<Record<string, string>>, stream: boolean): RequestInit {
  const hidden = { cookie: `session=${SECRETS.cookie}`, "x-private": SECRETS.header, "x-worker-secret": SECRETS.header };
  return {
    method: "POST",
    headers: { ...hidden, ...credential },
    body: JSON.stringify({ model: "m", stream, messages: [{ role: "user", content: SECRETS.prompt }] }),
  };
}

/** Requests that go well and that do not, each with all the secrets there are. */
async function everythingOnce(stage: Stage, talk: Answers, keys: readonly string[]): Promise<void> {
  const { backend } = stage;
  const hidden = { "set-cookie": SECRETS.answerHeader, "x-private": SECRETS.answerHeader, location: SECRETS.answerHeader };
  const replies = [
    answers.unary(200, JSON.stringify({ text: SECRETS.answer }), hidden),
    answers.sse([`data: ${SECRETS.answer}\n\n`], { headers: { ...hidden, "content-type": "text/event-stream" } }),
    answers.unary(500, JSON.stringify({ error: { message: SECRETS.answer } }), hidden),
    answers.unterminatedStream([`data: ${SECRETS.answer}\n\n`]),
    answers.truncatedBody(SECRETS.answer.repeat(3), 20),
    answers.closeSilently(),
    answers.garbage(),
    answers.redirect(`https://${SECRETS.answerHeader}.example/`),
  ];
  for (const reply of replies) {
    backend.answer = reply;
    for (const key of keys) {
      for (const stream of [true, false]) {
        await talk.ask(`${CHAT}?api_key=${SECRETS.query}`, request(bearer(key), stream));
        await talk.ask(`/v1/messages?beta=true&k=${SECRETS.query}`, request({ "x-api-key": key }, stream));
      }
    }
  }
  const [key = ""] = keys;
  const wrong: readonly Readonly<Record<string, string>>[] = [
    bearer(SECRETS.wrongKey),
    { "x-api-key": SECRETS.wrongKey },
    { authorization: `Basic ${SECRETS.wrongKey}` },
    { ...bearer(key), "x-api-key": SECRETS.wrongKey },
  ];
  for (const credential of wrong) await talk.ask(`${CHAT}?k=${SECRETS.query}`, request(credential, false));
  await talk.ask(`/v1/nothing/${SECRETS.query}?k=${SECRETS.query}`, request(bearer(key), false));
  await talk.ask(`/v1//models?k=${SECRETS.query}`, { headers: bearer(key) });
  await talk.ask(CHAT, { method: "POST", headers: bearer(key), body: `{"model":"m","x":"${SECRETS.prompt}` });
  await talk.ask(CHAT, { method: "POST", headers: bearer(key), body: `{"model":"m","model":"${SECRETS.prompt}"}` });
  await talk.ask(CHAT, { method: "POST", headers: { ...bearer(key), "content-encoding": "gzip" }, body: SECRETS.prompt });
  await talk.ask("/v1/models", { headers: { ...bearer(key), origin: `https://${SECRETS.header}.example` } });
  for (const path of ["/", "/health", "/livez", "/readyz", "/openapi.json", "/v1/models"]) await talk.ask(path, { headers: bearer(key) });
  for (const path of ["/admin/workers", "/admin/stats", "/admin/requests", "/admin/keys", "/admin/nothing"]) {
    await talk.ask(path, { headers: bearer(SECRETS.adminToken) });
    await talk.ask(path, { headers: bearer(SECRETS.wrongAdminToken) });
  }
  await talk.ask("/admin/keys", {
    method: "POST",
    headers: bearer(SECRETS.adminToken),
    body: `{"name":7,"${SECRETS.prompt.slice(0, 5)}":1}`,
  });
  for (const script of [
    { secret: SECRETS.wrongWorkerSecret },
    { secret: null, query: `?worker_secret=${SECRETS.wrongWorkerSecret}` },
    { secret: null, query: `?worker_secret=${SECRETS.workerSecret}&provider=elsewhere` },
  ]) {
    await using socket = new RelaySocket(stage, script);
    await socket.closedByRelay();
  }
}

/** The database, its log and its index, byte for byte. */
function databaseOf({ directory }: Stage): string {
  const state = join(directory, "state");
  const files = readdirSync(state);
  expect(files).toContainEqual(expect.stringMatching(/-wal$/));
  return files.map((file) => readFileSync(join(state, file), "latin1")).join("\n");
}

function holdsNone(what: string, text: string, secrets: readonly string[]): void {
  const found = secrets.filter((secret) => text.includes(secret)).map((secret) => secret.slice(0, 24));
  expect([what, found]).toEqual([what, []]);
}

for (const [format, flags] of [
  ["json", ["--require-api-keys"]],
  ["text", []],
] as const) {
  test(`[U3] no secret of any input is in any output: ${format} log, ${flags[0] ?? "keys not required"}`, async () => {
    await using stage = await startStage(format, flags);
    const { relay, worker, backend, url } = stage;
    const talk = new Answers(url);
    const [app, revoked, box] = [
      await talk.newKey({ name: "app" }),
      await talk.newKey({ name: "old" }),
      await talk.newKey({ name: "box", scopes: ["worker"] }),
    ];
    await talk.ask(`/admin/keys/${revoked.id}`, { method: "DELETE", headers: bearer(SECRETS.adminToken) });
    const isOpen = flags.length === 0;
    await everythingOnce(stage, talk, isOpen ? [app.secret, SECRETS.upstreamKey] : [app.secret]);
    for (const secret of [revoked.secret, box.secret]) await talk.ask(CHAT, request(bearer(secret), false));

    const everything = [...Object.values(SECRETS), app.secret, revoked.secret, box.secret];
    const database = databaseOf(stage);
    holdsNone("the database", database, everything);
    expect(database).toContain(Buffer.from(digestOf(app.secret), "hex").toString("latin1"));
    holdsNone("answers", talk.told.join("\n"), everything);
    for (const child of [worker, relay]) {
      child.signal("SIGTERM");
      await child.exit();
    }
    holdsNone("the relay's output", relay.transcript + relay.out, everything);
    holdsNone("the worker's output", worker.transcript + worker.out, everything);
    expect(relay.transcript).toContain("request dispatched");
    expect(worker.transcript).toContain("forwarding request");

    // The backend gets the prompt, its own key and the query, and of the relay's credentials none.
    const seen = backend.requests
      .map(({ path, headers, body }) => JSON.stringify([path, [...headers], Buffer.from(body).toString()]))
      .join("\n");
    for (const wanted of [SECRETS.prompt, SECRETS.backendKey, SECRETS.query]) expect(seen).toContain(wanted);
    const ours = [SECRETS.workerSecret, SECRETS.adminToken, app.secret, revoked.secret, box.secret];
    holdsNone("what the backend saw", seen, [...ours, SECRETS.cookie, SECRETS.header]);
  }, 60_000);
}

test("[U3] [Y13] the database's address does not give its password away, at start or in a refusal", async () => {
  const address = `postgres://relay:${SECRETS.databasePassword}@127.0.0.1:9/keys`;
  for (const [args, env] of [
    [["--database-url", address], {}],
    [[], { DATABASE_URL: address }],
    [["--database-url", `nonsense ${SECRETS.databasePassword}`], {}],
  ] as const) {
    const flags = ["serve", "--listen", "127.0.0.1:0", "--log-level", "trace", ...args];
    await using child = new Child("relay", [MAIN, ...flags], { WORKER_SECRET: SECRETS.workerSecret, ...env });
    expect(await child.exit()).not.toBe(0);
    holdsNone(flags.join(" ").slice(0, 40), child.transcript + child.out, Object.values(SECRETS));
  }
}, 40_000);

test("[U3] [K8] secrets that cannot be used are refused without being shown", async () => {
  const cases: readonly (readonly [readonly string[], Readonly<Record<string, string>>])[] = [
    [["serve", "--worker-secret", `${SECRETS.workerSecret}\u0007`], {}],
    [["serve", "--worker-secret-file", MAIN, "--worker-secret", SECRETS.workerSecret], {}],
    [["work", "--backend-api-key", `${SECRETS.backendKey}é`], { WORKER_SECRET: "s" }],
    [["serve", `--worker-secrt=${SECRETS.workerSecret}`], {}],
    [["serve", "--admin-token", SECRETS.adminToken, "--admin-token", SECRETS.adminToken], { WORKER_SECRET: "s" }],
    [["work", "--proxy-url", `http://user:${SECRETS.upstreamKey}@relay.example`], { WORKER_SECRET: "s" }],
  ];
  for (const [args, env] of cases) {
    await using child = new Child("modelrelay", [MAIN, ...args], env);
    expect([args[1], await child.exit()]).toEqual([args[1], 2]);
    holdsNone(args[1]!, child.transcript + child.out, Object.values(SECRETS));
  }
}, 40_000);
