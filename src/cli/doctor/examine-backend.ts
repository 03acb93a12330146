// The model server, asked as the worker asks it: what it lists, whether it streams, and whether it stops when nobody listens.
import * as v from "valibot";
import { readBodyJson } from "../../base/bounded-body.ts";
import type { Clock } from "../../base/clock.ts";
import { nearestNames } from "../../base/nearest.ts";
import { printable, quote } from "../../base/printable.ts";
import { backendUrl } from "../../worker/backend-address.ts";
import { ollamaList, openAiList } from "../../worker/models.ts";
import { RelayHealth } from "../health/health.ts";
import { showUrl } from "../options/addresses.ts";
import { viaProxy } from "../relay/client.ts";
import { findBackends, pickChatModel } from "../model-server/find-backend.ts";
import { describeTimings, type TryOutResult } from "../model-server/try-out.ts";
import { type AnsweredTry, askForCount, cameAtOnce } from "./ask-for-count.ts";
import { failed, ok, type Outcome, type Say, skipAll, skipped, warning } from "./finding.ts";
import { examineHangUp } from "./hang-up.ts";
import { codeOf } from "./reach.ts";

export interface BackendPlace {
  readonly url: URL;
  /** Nobody named it: another one of this machine will do. */
  readonly isDefault: boolean;
  readonly apiKey: string | null;
  /** As `--models` has them; null: not given. */
  readonly models: readonly string[] | null;
  /** The one to ask; null: the first that fits. */
  readonly model: string | null;
  /** Where the relay is said to be. */
  readonly relay: URL;
  readonly clock: Clock;
}

/** Resolves to the answer it streamed, or null. */
export async function examineBackend(given: BackendPlace, say: Say): Promise<AnsweredTry | null> {
  const { place, listed, outcome } = await lookForBackend(given);
  say("backend", outcome);
  if (listed === null) {
    skipAll(["models", "answer", "hang-up"], "the backend does not answer", say);
    return null;
  }
  say("models", judgeModels(place.models, listed));
  const model = place.model ?? pickChatModel((place.models ?? []).filter((name) => name !== "*")) ?? pickChatModel(listed);
  if (model === null) {
    skipAll(["answer", "hang-up"], "no model is known to ask; --model names one", say);
    return null;
  }
  const asked = { baseUrl: baseOf(place.url), model, apiKey: place.apiKey, reach: viaProxy(null), limitMs: ANSWER_LIMIT_MS };
  const tried = await askForCount(asked, place.clock);
  say("answer", judgeAnswer(tried, model));
  if (tried.kind === "failed") {
    say("hang-up", skipped("there is no streamed answer to hang up on"));
    return null;
  }
  say("hang-up", await examineHangUp({ ...asked, url: place.url, usualMs: tried.firstTokenMs }, place.clock));
  return tried;
}

const OWN_ADDRESS_FIX = "give --backend-url the model server's own address";
const LIST_LIMIT_MS = 4_000;
/** A model that is loaded first may need longer; that is said. */
const ANSWER_LIMIT_MS = 18_000;

interface Looked {
  readonly place: BackendPlace;
  /** Null: it does not answer, or refuses. */
  readonly listed: readonly string[] | null;
  readonly outcome: Outcome;
}

/** 1. it is there  2. nothing is there, and nobody named it: the first other one of this machine  3. nothing is there */
async function lookForBackend(place: BackendPlace): Promise<Looked> {
  const here = await askForModels(place);
  if (!here.isSilent) return { place, ...here }; // (1)
  const others = (await findBackends()).filter(({ url }) => url.origin !== place.url.origin);
  const [other] = others;
  if (place.isDefault && other !== undefined) {
    const at = showUrl(other.url);
    const outcome = warning(
      `nothing at ${baseOf(place.url)}, but ${other.name} at ${at}: looking at that`,
      `give the worker --backend-url ${at}`,
    );
    return { place: { ...place, url: other.url }, listed: other.models, outcome }; // (2)
  }
  const found = others.map(({ name, url }) => `${name} at ${showUrl(url)}`).join(", ");
  const fix =
    found === ""
      ? "start the model server, or name yours with --backend-url http://HOST:PORT"
      : `found instead: ${found}; name it with --backend-url`;
  const { detail } = here.outcome;
  return { place, listed: null, outcome: failed(detail, fix) }; // (3)
}

/**
 * 1. nobody answers  2. it is our own relay  3. the key is refused  4. it is not well
 * 5. it lists models as OpenAI does, and may be another relay  6. as Ollama does  7. in no way known here
 */
async function askForModels(place: BackendPlace): Promise<Omit<Looked, "place"> & { readonly isSilent?: boolean }> {
  const base = baseOf(place.url);
  const first = await ask(place, "/v1/models");
  if (typeof first === "string" && /EPROTO|WRONG_VERSION_NUMBER/.test(first))
    return { listed: null, outcome: failed(`${base} speaks no TLS (${printable(first)})`, "write --backend-url with http://") }; // (1)
  if (typeof first === "string")
    return { isSilent: true, listed: null, outcome: failed(`${base} does not answer (${printable(first)})`, "") }; // (1)
  if (place.url.host === place.relay.host) {
    return { listed: null, outcome: failed(`${base} is the relay itself: requests would go round in circles`, OWN_ADDRESS_FIX) }; // (2)
  }
  if (first.status === 401 || first.status === 403) {
    const what = place.apiKey === null ? "wants a key" : "refuses the key";
    return {
      listed: null,
      outcome: failed(
        `${base} ${what} (${first.status})`,
        "give its own key: --backend-api-key-file PATH, or the variable BACKEND_API_KEY",
      ),
    }; // (3)
  }
  if (first.status >= 500) {
    return {
      listed: null,
      outcome: failed(`${base}/v1/models answers ${first.status}`, "it may still be starting; else its own log says what is wrong"),
    }; // (4)
  }
  const openAi = v.safeParse(openAiList, first.body);
  if (openAi.success) {
    const health = await ask(place, "/health");
    const isRelay = typeof health !== "string" && v.is(RelayHealth, health.body);
    const outcome = isRelay ? warning(`${base} is a relay, not a model server`, OWN_ADDRESS_FIX) : ok(`${base} lists models at /v1/models`);
    return { listed: (openAi.output.data ?? []).map(({ id }) => id), outcome }; // (5)
  }
  const tags = await ask(place, "/api/tags");
  const ollama = v.safeParse(ollamaList, typeof tags === "string" ? null : tags.body);
  if (ollama.success)
    return { listed: (ollama.output.models ?? []).map(({ name }) => name), outcome: ok(`${base} lists models at /api/tags`) }; // (6)
  const outcome = warning(
    `${base} answers, but lists models neither at /v1/models (${first.status}) nor at /api/tags`,
    "is it a model server? If so, name its models with --models",
  );
  return { listed: [], outcome }; // (7)
}

function judgeModels(wanted: readonly string[] | null, listed: readonly string[]): Outcome {
  const named = (wanted ?? []).filter((name) => name !== "*");
  const missing = named.filter((name) => !listed.includes(name));
  if (listed.length === 0 && named.length > 0)
    return warning(`none listed; the worker offers ${shown(named)} all the same`, "see that the backend knows them");
  if (listed.length === 0)
    return warning("none listed: the worker has nothing to offer but 'default'", "load a model, or name some with --models");
  if (missing.length === 0) return ok(named.length > 0 ? `${shown(named)}: all there` : `${listed.length} listed: ${shown(listed)}`);
  const nearest = nearestNames(missing[0] ?? "", listed);
  return failed(`not there: ${shown(missing)}`, `write --models as the backend does: ${shown(nearest.length > 0 ? nearest : listed)}`);
}

function judgeAnswer(tried: TryOutResult, model: string): Outcome {
  if (tried.kind === "answered") {
    const timings = `${quote(model)}: ${describeTimings(tried)}`;
    return cameAtOnce(tried, null)
      ? warning(`${timings}, all at once`, "does the server, or something before it, hold its stream back?")
      : ok(timings);
  }
  if (tried.reason === "stopped") {
    return failed(
      `${quote(model)}: no whole answer within ${ANSWER_LIMIT_MS / 1000} s`,
      "a model that is being loaded needs longer: run this again; else look at the backend's own log",
    );
  }
  const fix = /^4\d\d/.test(tried.reason)
    ? "does it take /v1/chat/completions for this model? --model names another"
    : "its own log says more";
  return failed(`${quote(model)}: ${tried.reason}`, fix);
}

const SHOWN_MAX = 5;

function shown(names: readonly string[]): string {
  const more = names.length > SHOWN_MAX ? ` and ${names.length - SHOWN_MAX} more` : "";
  return `${names.slice(0, SHOWN_MAX).map(quote).join(", ")}${more}`;
}

function baseOf(url: URL): string {
  return showUrl(url);
}

/** An answer, or why there is none. The worker asks its backend past every proxy, so this does too. */
async function ask({ url, apiKey }: BackendPlace, path: string): Promise<{ readonly status: number; readonly body: unknown } | string> {
  try {
    const headers: Record<string, string> = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
    const init = { headers, redirect: "manual", signal: AbortSignal.timeout(LIST_LIMIT_MS), ...viaProxy(null) } as const;
    const response = await fetch(backendUrl(url, path), init);
    return { status: response.status, body: await readBodyJson(response) };
  } catch (error) {
    return codeOf(error);
  }
}
