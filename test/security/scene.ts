// Where a hostile worker does its worst: two honest workers serve a neighbour's stream each, and at the end nobody may have noticed.
import { expect, test } from "bun:test";
import { formatLogLine } from "../../src/cli/log/log-line.ts";
import type { KeyTerms } from "../../src/store/api-key.ts";
import type { ServeConfig } from "../../src/server/config.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RawClient } from "../support/raw-client.ts";
import type { RelaySocket } from "../support/relay-socket.ts";
import type { TestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { startV1Worker, type V1Worker, type V1WorkerScript } from "../support/v1-worker.ts";
import { startV2Worker, type V2Worker, type V2WorkerScript } from "../support/v2-worker.ts";
import { type SecuredRelay, startSecured } from "./rig.ts";

export const CHAT = "/v1/chat/completions";

export interface Scene {
  readonly relay: TestRelay;
  readonly secured: SecuredRelay;
  readonly honest: { readonly old: V1Worker; readonly new: V2Worker };
  readonly clock: ManualClock | null;
  /** A hostile worker that offers "evil". It is gone at the end of the attack. */
  readonly v1: (script?: V1WorkerScript) => Promise<V1Worker>;
  readonly v2: (script?: V2WorkerScript) => Promise<V2Worker>;
  /** With a worker key of its own, of these terms. */
  readonly keyed: (terms: Partial<KeyTerms>, script?: V2WorkerScript) => Promise<V2Worker>;
  /** Another hostile thing to be taken away at the end. */
  readonly owns: <Thing extends { close(): void }>(thing: Thing) => Thing;
  /** What a client that asks for "evil" gets. */
  readonly ask: (body?: object) => Promise<Response>;
  /** The neighbours' streams go on: the next event of each gets through. */
  readonly flow: () => Promise<void>;
  /** Frames that were counted as meaning nothing. */
  readonly ignored: (count: number) => Promise<void>;
}

export interface Stage {
  readonly relay?: Partial<ServeConfig>;
  /** Time stands still; `scene.clock` moves it. */
  readonly isTimeless?: boolean;
}

/** One attack. Afterwards the relay is well, the neighbours have every byte, and the log can be printed. */
export function attack(title: string, body: (scene: Scene) => Promise<void>, stage: Stage = {}): void {
  test(`[U1] ${title}`, () => run(body, stage), 20_000);
}

async function run(body: (scene: Scene) => Promise<void>, { relay: settings = {}, isTimeless = false }: Stage): Promise<void> {
  const clock = isTimeless ? new ManualClock() : null;
  const quiet = clock === null ? {} : { heartbeatIntervalMs: 3_600_000 };
  await using secured = await startSecured({
    relay: { requireApiKeys: false, ...quiet, ...settings },
    ...(clock === null ? {} : { clock }),
  });
  const { relay } = secured;
  await using old = await startV1Worker(relay, { name: "honest old", models: ["honest-1"] });
  await using young = await startV2Worker(relay, { name: "honest new", models: ["honest-2"] });
  using first = await Neighbour.begin(relay, "honest-1");
  const oldJob = await old.nextJob();
  using second = await Neighbour.begin(relay, "honest-2");
  const newJob = await young.nextJob();
  newJob.startStream();
  const send = [(text: string) => oldJob.chunk(text), (text: string) => newJob.data(text)];
  const flow = async (): Promise<void> => {
    await Promise.all([first, second].map((neighbour, index) => neighbour.gets(send[index]!)));
  };
  const guests: { close(): void }[] = [];
  const owns = <Thing extends { close(): void }>(thing: Thing): Thing => {
    guests.push(thing);
    return thing;
  };
  await flow();
  await body({
    relay,
    secured,
    honest: { old, new: young },
    clock,
    owns,
    flow,
    v1: async (script) => owns(await startV1Worker(relay, { name: "hostile", models: ["evil"], ...script })),
    v2: async (script) => owns(await startV2Worker(relay, { name: "hostile", models: ["evil"], ...script })),
    keyed: async (terms, script) => {
      const secret = await secured.secret({ name: "hostile", scopes: ["worker"], ...terms });
      return owns(await startV2Worker(relay, { models: ["evil"], secret, ...script }));
    },
    ask: (fields) => relay.post(CHAT, { model: "evil", ...fields }),
    ignored: (count) => until(() => relay.hub.counters.ignoredFrames >= count, `${count} frames are counted as ignored`),
  });
  await flow();
  oldJob.complete();
  newJob.end();
  for (const neighbour of [first, second]) await neighbour.isWhole();
  for (const guest of guests) guest.close();
  await isUntouched(relay, [old, young]);
  if (clock !== null) clock.advance(3_000);
}

/** Only what the honest workers offer is there, they serve on, and nothing of the attack steers who reads the log. */
async function isUntouched(relay: TestRelay, [old, young]: readonly [V1Worker, V2Worker]): Promise<void> {
  await relay.workers(2);
  const models: { data: { id: string }[] } = JSON.parse(await (await fetch(relay.at("/v1/models"))).text());
  expect(models.data.map(({ id }) => id)).toEqual(["honest-1", "honest-2"]);
  const [first, second] = [relay.post(CHAT, { model: "honest-1" }), relay.post(CHAT, { model: "honest-2" })];
  (await old.nextJob()).complete(200, { body: '"one"' });
  (await young.nextJob()).answer('"two"');
  expect([await (await first).json(), await (await second).json()]).toEqual(["one", "two"]);
  expect(old.end ?? young.end).toBeNull();
  const health: unknown = await (await fetch(relay.at("/health"))).json();
  expect(health).toMatchObject({ status: "ok", workers_connected: 2, queue_depth: 0 });
  expect(Object.keys(Object.prototype)).toEqual([]);
  for (const { level, message, fields } of relay.log.lines) {
    const entry = { unixMs: 0, level, message, fields };
    for (const line of [formatLogLine(entry, "text", false), formatLogLine(entry, "json", false)]) {
      // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
      expect(line.length).toBeLessThan(8_192);
    }
  }
}

/** A client whose stream has nothing to do with any of it. */
class Neighbour {
  readonly #client: RawClient;
  #sent = "";
  #count = 0;

  constructor(client: RawClient) {
    this.#client = client;
  }

  static async begin(relay: TestRelay, model: string): Promise<Neighbour> {
    const client = await RawClient.connect(relay);
    client.post(CHAT, { model, stream: true });
    return new Neighbour(client);
  }

  async gets(send: (text: string) => void): Promise<void> {
    const event = `data: {"n":${this.#count++},"text":"für den Nachbarn 🚀"}\n\n`;
    this.#sent += event;
    send(event);
    await until(() => this.#client.chunkedBody.text === this.#sent, "the neighbour has its next event");
  }

  async isWhole(): Promise<void> {
    await this.#client.terminated();
    const { text, isTerminated } = this.#client.chunkedBody;
    expect([text, isTerminated]).toEqual([this.#sent, true]);
    const { status, headers } = await this.#client.head();
    expect(status).toBe(200);
    const ours =
      /^(?:content-type|cache-control|date|transfer-encoding|connection|keep-alive|x-accel-buffering|x-request-id|x-modelrelay-.*)$/;
    expect([...headers.keys()].filter((name) => !ours.test(name))).toEqual([]);
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** Every frame a worker could send about an attempt. */
export function everyFrameOf(worker: RelaySocket, attempt: number): void {
  worker.send({ type: "response_start", attempt, status_code: 200, headers: { "set-cookie": "stolen=1" } });
  worker.send({ type: "response_end", attempt });
  worker.send({ type: "response_end", attempt, error: { kind: "dropped", message: "x" } });
  worker.send({ type: "reject", attempt, reason: "full" });
  worker.send({ type: "cancelled", attempt });
  worker.send({ type: "credit", attempt, bytes: 1 });
}
