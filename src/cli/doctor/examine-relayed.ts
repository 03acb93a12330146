// The whole way as a client goes it: a streamed answer through the relay, and whether it comes piece by piece.
import * as v from "valibot";
import { readBodyJson } from "../../base/bounded-body.ts";
import type { Clock } from "../../base/clock.ts";
import { printable, quote } from "../../base/printable.ts";
import { openAiList } from "../../worker/models.ts";
import { viaProxy } from "../relay/client.ts";
import { pickChatModel } from "../model-server/find-backend.ts";
import { describeTimings } from "../model-server/try-out.ts";
import { type AnsweredTry, askForCount, cameAtOnce } from "./ask-for-count.ts";
import { failed, ok, type Outcome, skipped, warning } from "./finding.ts";
import { codeOf } from "./reach.ts";

export interface RelayedPlace {
  readonly base: string;
  readonly proxy: URL | null;
  readonly tlsCa: string | null;
  /** A client's; null: none. */
  readonly apiKey: string | null;
  /** Those of which one is wanted; none: any. */
  readonly models: readonly string[];
  /** How the same answer came directly from the backend; null: it did not. */
  readonly direct: AnsweredTry | null;
}

const LIST_LIMIT_MS = 4_000;
const ANSWER_LIMIT_MS = 12_000;

/**
 * 1. keys are required and none was given  2. the key is refused  3. no list  4. no worker offers a model that was asked for
 * 5. no answer  6. it was held back somewhere  7. all is well
 */
export async function examineRelayed(place: RelayedPlace, clock: Clock): Promise<Outcome> {
  const { base, apiKey } = place;
  const reach = { ...viaProxy(place.proxy), ...(place.tlsCa === null ? {} : { tls: { ca: place.tlsCa } }) };
  const list = await listModels(base, apiKey, reach);
  if (typeof list === "string")
    return failed(`${base}/v1/models is not answered (${printable(list)})`, "run this again; the checks of the relay say more"); // (3)
  if (list.status === 401 && apiKey === null) return skipped("the relay requires API keys: --api-key-file PATH has one of a client"); // (1)
  if (list.status === 401 || list.status === 403) {
    return failed(
      `the relay refuses the client's key (${list.status})`,
      "'modelrelay keys list --all' at the relay says whether it is revoked or expired",
    ); // (2)
  }
  if (list.models === null)
    return failed(`${base}/v1/models answers ${list.status}, not as a relay does`, "is --proxy-url the relay's own address?"); // (3)
  const { models } = list;
  const offered = place.models.length === 0 ? models : place.models.filter((name) => models.includes(name));
  const model = pickChatModel(offered);
  if (model === null) {
    const what = place.models.length === 0 ? "any model" : place.models.slice(0, 3).map(quote).join(", ");
    return skipped(`no connected worker offers ${what} yet: start the worker, then run this again`); // (4)
  }
  const tried = await askForCount({ baseUrl: base, model, apiKey, reach, limitMs: ANSWER_LIMIT_MS }, clock);
  if (tried.kind === "failed") {
    const late = `no whole answer within ${ANSWER_LIMIT_MS / 1000} s`;
    return failed(
      `${quote(model)}: ${tried.reason === "stopped" ? late : tried.reason}`,
      "'modelrelay status' shows whether it waits, and which workers there are",
    ); // (5)
  }
  const timings = `${quote(model)}: ${describeTimings(tried)}`;
  return cameAtOnce(tried, place.direct) ? warning(`${timings}, all at once`, BUFFERED_FIX) : ok(timings); // (6) (7)
}

const BUFFERED_FIX =
  "something between here and the relay holds streams back: switch its response buffering off (nginx: proxy_buffering off); " +
  "or another, quicker worker answered";

interface Listing {
  readonly status: number;
  /** Null: the answer is no list. */
  readonly models: readonly string[] | null;
}

/** A list, or why there is no answer. */
async function listModels(
  base: string,
  apiKey: string | null,
  reach: Pick<BunFetchRequestInit, "proxy" | "tls">,
): Promise<Listing | string> {
  try {
    const headers: Record<string, string> = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
    const init = { headers, redirect: "manual", signal: AbortSignal.timeout(LIST_LIMIT_MS), ...reach } as const;
    const response = await fetch(`${base}/v1/models`, init);
    const body = v.safeParse(openAiList, await readBodyJson(response));
    return {
      status: response.status,
      models: response.status === 200 && body.success ? (body.output.data ?? []).map(({ id }) => id) : null,
    };
  } catch (error) {
    return codeOf(error);
  }
}
