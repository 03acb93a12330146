// Where a load goes and what it sends: the address, the credential, and the model, which is asked for when none is named.
import * as v from "valibot";
import { certificateTrouble } from "../../base/certificate-trouble.ts";
import { CommandError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { APIS, complaintOf, fieldsOf } from "../../load/apis.ts";
import { type Endpoint, endpointOf, postBytes } from "../../load/endpoint.ts";
import type { Asked } from "../../load/exchange.ts";
import { HttpClient } from "../../load/http-client.ts";
import type { CommandWorld } from "../command.ts";
import type { Parsed } from "../options/parse.ts";
import { resolveSecret, warnOfSecretFlag } from "../options/secrets.ts";
import { askRelay, CERTIFICATE_FIXES, readJson, relayDoor, type RelayDoor } from "../relay/client.ts";
import { draftBodies, finishBody, lacksModel } from "./bodies.ts";
import type { BENCH_OPTIONS } from "./options.ts";

export interface BenchTarget {
  readonly url: URL;
  readonly endpoint: Endpoint;
  /** Null: the bodies of the file name several. */
  readonly model: string | null;
  readonly requests: readonly [Asked, ...Asked[]];
  readonly isStreaming: boolean;
  /** Never to be shown. */
  readonly apiKey: string | null;
}

type BenchOptions = Parsed<typeof BENCH_OPTIONS>;

const MODELS_DEADLINE_MS = 10_000;
const CONNECT_DEADLINE_MS = 10_000;

/** @throws UsageError, or CommandError when nobody is there or no model is known */
export async function findTarget(parsed: BenchOptions, world: CommandWorld): Promise<BenchTarget> {
  const { values } = parsed;
  const api = APIS[values.api];
  const apiKey = resolveApiKey(parsed, world);
  const drafts = draftBodies(parsed);
  const token = apiKey === null ? null : { text: apiKey, from: parsed.origins.apiKey };
  // The load goes straight to its target, past any proxy of this machine; so does the question before it.
  const door: RelayDoor = { ...relayDoor({ ...values, timeoutMs: MODELS_DEADLINE_MS }, world.env), proxy: null, token };
  const url = new URL(`${door.base}${api.path}`);
  const endpoint = endpointOf(url, door.tlsCa);
  await tryConnection(endpoint, door.base, world);
  const found = drafts.some(lacksModel) ? await firstModel(door, world) : null;
  const bodies = drafts.map((draft) => finishBody(draft, found));
  const headers = credentialHeaders(values.api === "messages", apiKey);
  const [first, ...others] = bodies.map(({ text, isStreaming }) => ({ bytes: postBytes(url, text, headers), isStreaming }));
  const models = new Set(drafts.map((draft) => (lacksModel(draft) ? found : String(draft.fields["model"]))));
  return {
    url,
    endpoint,
    model: models.size === 1 ? [...models][0]! : null,
    requests: [first!, ...others],
    isStreaming: bodies.some(({ isStreaming }) => isStreaming),
    apiKey,
  };
}

function resolveApiKey({ values, origins }: BenchOptions, { tell }: CommandWorld): string | null {
  warnOfSecretFlag(origins.apiKey, tell);
  return resolveSecret({ value: values.apiKey, origin: origins.apiKey }, { value: values.apiKeyFile, origin: origins.apiKeyFile });
}

function credentialHeaders(isAnthropic: boolean, apiKey: string | null): Readonly<Record<string, string>> {
  const version = isAnthropic ? { "anthropic-version": "2023-06-01" } : {};
  if (apiKey === null) return version;
  return isAnthropic ? { ...version, "x-api-key": apiKey } : { authorization: `Bearer ${apiKey}` };
}

/** An address where nobody is found out here, once, and not by every request. */
async function tryConnection(endpoint: Endpoint, base: string, { clock }: CommandWorld): Promise<void> {
  const client = new HttpClient(endpoint, () => clock.nowMs());
  const { promise: tooLate, resolve } = Promise.withResolvers<string>();
  const timer = clock.startTimer(CONNECT_DEADLINE_MS, () => resolve("connect ETIMEDOUT"));
  const failure = await Promise.race([client.connect(), tooLate]);
  timer.stop();
  client.hangUp();
  if (failure !== null) throw new CommandError(explainNoConnection(base, failure));
}

/** 1. a certificate  2. something else about TLS  3. nobody there */
function explainNoConnection(base: string, failure: string): string {
  const code = failure.split(" ")[1] ?? "";
  const trouble = certificateTrouble(code);
  if (trouble !== null) return `the certificate of ${base} is not trusted (${code}); ${CERTIFICATE_FIXES[trouble]}`; // (1)
  if (failure.startsWith("tls ")) return `${base} does not speak TLS as it should (${code}); is it http:// rather than https://?`; // (2)
  return `${base} cannot be reached (${code}). Is it running? --url gives another address`; // (3)
}

const ModelList = v.object({ data: v.array(v.object({ id: v.pipe(v.string(), v.minLength(1)) })) });

async function firstModel(door: RelayDoor, { tell }: CommandWorld): Promise<string> {
  const response = await askRelay(door, "GET", "/v1/models");
  const body = await readJson(door, response);
  const list = v.safeParse(ModelList, body);
  if (response.status !== 200 || !list.success) {
    const { code, message } = complaintOf(fieldsOf(body));
    const said = [code === null ? "" : ` (${printable(code)})`, message === null ? "" : `: ${printable(message).replace(/\.$/, "")}`].join(
      "",
    );
    const fix = response.status === 401 ? "--api-key-file PATH gives it a key" : "--model NAME names one";
    throw new CommandError(`asked for its models, ${door.base} answered ${response.status}${said}. ${fix}`);
  }
  const [first, ...others] = list.output.data;
  if (first === undefined) {
    throw new CommandError(`${door.base} lists no model. Is a worker connected? --model NAME asks for one all the same`);
  }
  const choice = others.length === 0 ? "the only one" : `the first of ${others.length + 1}`;
  tell(`modelrelay: no --model is given; taking ${printable(first.id)}, ${choice} that ${door.base} lists\n`);
  return first.id;
}
