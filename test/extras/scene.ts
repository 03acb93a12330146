// A relay with a worker and a backend, and a server in front of it: what every server in front has to let through is asked of each in the same words.
import { expect } from "bun:test";
import OpenAI from "openai";
import type { ServeConfig } from "../../src/server/config.ts";
import { type Certificates, makeCertificates } from "../security/certificates.ts";
import { listing, sse } from "../support/fake-backend-answers.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import type { Answer, Exchange } from "../support/fake-backend-exchange.ts";
import { type FakeBackend, startFakeBackend } from "../support/fake-backend.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { startTestWorker, type TestWorker } from "../support/running-worker.ts";
import { SseReader } from "../support/sse-reader.ts";
import { until, within } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import type { FrontServer, Place } from "./front-server.ts";

export interface Scene<Front extends FrontServer> extends AsyncDisposable {
  readonly certificates: Certificates;
  readonly relay: TestRelay;
  readonly worker: TestWorker;
  readonly backend: FakeBackend;
  readonly front: Front;
  /** A request through the server in front, which the backend answers like this. */
  ask(answer: Answer, init?: AskInit): Promise<Response>;
  /** The answer the backend gives to requests with this name as `user`. */
  script(user: string, answer: Answer): void;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

interface AskInit {
  readonly stream?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const CHAT = "/v1/chat/completions";

/** The worker connects through the server in front, and trusts nothing but its CA. It serves the model `m` with eight slots. */
export async function startScene<Front extends FrontServer>(
  startFront: (place: Place) => Promise<Front>,
  settings: Partial<ServeConfig> = {},
): Promise<Scene<Front>> {
  await using starting = new AsyncDisposableStack();
  const certificates = starting.use(makeCertificates());
  const scripts = new Map<string, Answer>();
  const backend = starting.use(startFakeBackend(listing(["m"], async (exchange) => await scripts.get(userOf(exchange))!(exchange))));
  const relay = startTestRelay({ trustedProxies: ["127.0.0.1"], publicUrl: "https://relay.example.com", ...settings });
  starting.defer(() => relay.stop());
  const front = starting.use(await startFront({ upstream: relay.url, ...certificates.issue("front") }));
  const tlsCa = certificates.ca;
  const worker = starting.use(startTestWorker({ relay: front, backend: { url: new URL(backend.url) }, tlsCa, maxConcurrency: 8 }));
  await relay.workers(1);
  const started = starting.move();

  const script = (user: string, answer: Answer): void => void scripts.set(user, answer);
  const fetchThrough = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(new URL(path, front.url), { redirect: "manual", keepalive: false, tls: { ca: tlsCa }, ...init });
  return {
    certificates,
    relay,
    worker,
    backend,
    front,
    script,
    fetch: fetchThrough,
    async ask(answer, { stream = true, headers = {}, signal } = {}) {
      const user = crypto.randomUUID();
      script(user, answer);
      const body = JSON.stringify({ model: "m", user, stream, messages: [{ role: "user", content: "hello" }] });
      return await fetchThrough(CHAT, { method: "POST", body, headers, ...(signal === undefined ? {} : { signal }) });
    },
    async [Symbol.asyncDispose]() {
      try {
        await relay[Symbol.asyncDispose]();
      } finally {
        await started.disposeAsync();
      }
    },
  };
}

type AnyScene = Scene<FrontServer>;

/** The backend writes an event only once the client has the one before. */
export async function expectUnbuffered(scene: AnyScene): Promise<void> {
  const events = streamEvents("chat");
  const gates = events.map(() => Promise.withResolvers<void>());
  gates[0]!.resolve();
  const response = await scene.ask(sse(events, { pace: (index) => gates[index]!.promise }));
  expect(response.headers.get("content-type")).toStartWith("text/event-stream");
  const reader = new SseReader(response);
  for (const [index, event] of events.entries()) {
    const arrived = await within(reader.next(), `event ${index} arrives before the next is written`);
    expect(new TextDecoder().decode(arrived?.bytes)).toBe(event);
    gates[index + 1]?.resolve();
  }
  expect(await reader.rest()).toEqual([]);
  expect(reader.end?.kind).toBe("clean");
}

/** A body of 30 MB arrives whole; one of exactly the relay's limit too, and one byte more is refused. */
export async function expectLargeBodies(scene: AnyScene): Promise<void> {
  const limit = 32 * 1024 * 1024;
  for (const bytes of [30_000_000, limit]) {
    const user = crypto.randomUUID();
    const received = Promise.withResolvers<Exchange>();
    scene.script(user, async (exchange) => {
      received.resolve(exchange);
      await exchange.unary(200, "{}");
    });
    const body = bodyOf(user, bytes);
    const response = await scene.fetch(CHAT, { method: "POST", body });
    expect([bytes, response.status, await response.text()]).toEqual([bytes, 200, "{}"]);
    expect(Bun.SHA256.hash((await received.promise).request.body, "hex")).toBe(Bun.SHA256.hash(body, "hex"));
  }
  const tooLarge = await scene.fetch(CHAT, { method: "POST", body: bodyOf("nobody", limit + 1) });
  expect(tooLarge.status).toBe(413);
}

/** Whoever hangs up, in the middle of a stream or before its first byte, ends the work at the backend. */
export async function expectHangUps(scene: AnyScene): Promise<void> {
  const others = scene.relay.hub.requests.size;
  for (const hasBegun of [true, false]) {
    const asked = Promise.withResolvers<Exchange>();
    const client = new AbortController();
    const response = scene.ask(
      async (exchange) => {
        if (hasBegun) await (await exchange.stream()).send(streamEvents("chat")[0]!);
        asked.resolve(exchange);
      },
      { signal: client.signal },
    );
    // Before its headers it fails, and that is what is wanted.
    response.catch(() => {});
    const exchange = await within(asked.promise, "the request reaches the backend");
    if (hasBegun) expect(await new SseReader(await response).next()).not.toBeNull();
    client.abort();
    await within(exchange.closedByPeer, `the backend's connection closes, ${hasBegun ? "in" : "before"} the stream`);
    await until(() => scene.relay.hub.requests.size <= others, "nothing of it is left in the relay");
  }
}

/** The official library reads a stream through it. */
export async function expectOfficialLibrary(scene: AnyScene): Promise<void> {
  const user = crypto.randomUUID();
  scene.script(user, sse(streamEvents("chat", ["Hello", " there"])));
  const fetchOptions = { tls: { ca: scene.certificates.ca } };
  const client = new OpenAI({ apiKey: "none", baseURL: new URL("/v1", scene.front.url).href, maxRetries: 0, fetchOptions });
  const stream = await client.chat.completions.create({ model: "m", user, stream: true, messages: [{ role: "user", content: "hi" }] });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  expect(text).toBe("Hello there");
}

/** A body of exactly so many bytes, with an image's worth of letters in it. */
function bodyOf(user: string, bytes: number): string {
  const [before, after] = [`{"model":"m","user":"${user}","image":"`, `"}`];
  const letters = "QWxsIHRoaXMgaXMgYW4gaW1hZ2Ug";
  const length = bytes - before.length - after.length;
  return before + letters.repeat(Math.ceil(length / letters.length)).slice(0, length) + after;
}

function userOf(exchange: Exchange): string {
  return /"user":"([^"]+)"/.exec(exchange.text.slice(0, 1_000))?.[1] ?? "";
}

/** What curl prints while it runs; it speaks HTTP/2, and from whatever address of this machine it is told to. */
export class Curl implements AsyncDisposable {
  out = "";
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #reading: Promise<void>;

  constructor(args: readonly string[]) {
    this.#child = Bun.spawn(["curl", "--no-progress-meter", "--no-buffer", ...args], { stdio: ["ignore", "pipe", "inherit"] });
    this.#reading = this.#read();
  }

  async prints(text: string): Promise<void> {
    await until(() => this.out.includes(text), `curl prints ${text}; it printed ${this.out}`);
  }

  /** All it printed, once it is done. */
  async done(): Promise<string> {
    await within(this.#child.exited, "curl ends", 15_000);
    await this.#reading;
    return this.out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async #read(): Promise<void> {
    for await (const bytes of this.#child.stdout) this.out += new TextDecoder().decode(bytes);
  }
}

/** With HTTP/2 too each event comes before the next is written, and hanging up ends the work at the backend. */
export async function expectHttp2(scene: AnyScene): Promise<void> {
  const events = streamEvents("chat");
  const gates = events.map(() => Promise.withResolvers<void>());
  const asked = Promise.withResolvers<Exchange>();
  const user = crypto.randomUUID();
  scene.script(user, async (exchange) => {
    asked.resolve(exchange);
    await sse(events, { pace: (index) => gates[index]!.promise })(exchange);
  });
  const body = JSON.stringify({ model: "m", user, stream: true });
  const address = new URL(CHAT, scene.front.url).href;
  await using curl = new Curl(["--http2", "--include", "--cacert", scene.certificates.caFile, "--data", body, address]);
  for (const [index, event] of events.slice(0, 3).entries()) {
    gates[index]!.resolve();
    await curl.prints(event);
  }
  expect(curl.out).toStartWith("HTTP/2 200");
  await curl[Symbol.asyncDispose]();
  await within((await asked.promise).closedByPeer, "the backend's connection closes");
}

/** A client's own word on its address counts for nothing: not in the log, and not for who may try how often. */
export async function expectOwnAddresses(scene: AnyScene): Promise<void> {
  const forged = { "X-Forwarded-For": "203.0.113.9", Forwarded: "for=203.0.113.9" };
  await using worker = await startV1Worker(scene.front, { name: "liar", tlsCa: scene.certificates.ca, headers: forged });
  const registered = scene.relay.log.of("worker registered").filter(({ fields }) => fields["worker_name"] === "liar");
  expect(registered.map(({ fields }) => fields["address"])).toEqual(["127.0.0.1"]);
  expect(worker.end).toBeNull();
  const statuses = await guess(scene, "127.0.0.2", 30);
  expect(statuses.filter((status) => status === "403").length).toBeGreaterThanOrEqual(20);
  expect(statuses).toContain("429");
  expect(await guess(scene, "127.0.0.3", 1)).toEqual(["403"]);
}

/** So many requests with wrong tokens from one address, each under a forged address of its own. */
async function guess(scene: AnyScene, from: string, times: number): Promise<readonly string[]> {
  const args = ["--cacert", scene.certificates.caFile, "--interface", from, "--output", "/dev/null", "--write-out", "%{http_code}"];
  const wrong = (index: number): readonly string[] => ["-H", "Authorization: Bearer wrong", "-H", `X-Forwarded-For: 203.0.113.${index}`];
  const address = new URL("/admin/workers", scene.front.url).href;
  // At once, so that no time passes in which tries come back.
  return await Promise.all(Array.from({ length: times }, (_, index) => new Curl([...args, ...wrong(index), address]).done()));
}

/** The statuses of these paths for an operator at this address. */
export async function fromAddress(scene: AnyScene, from: string, paths: readonly string[]): Promise<readonly string[]> {
  const args = ["--cacert", scene.certificates.caFile, "--interface", from, "--output", "/dev/null", "--write-out", "%{http_code}"];
  const auth = ["-H", "Authorization: Bearer admin-token", "--path-as-is"];
  return await Promise.all(paths.map((path) => new Curl([...args, ...auth, `${scene.front.url.origin}${path}`]).done()));
}
