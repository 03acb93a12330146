// Looking at the requests that live in the relay, and ending one of them.
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Hub } from "../hub/hub.ts";
import { toLiveRequest } from "./live-schema.ts";
import { type AdminContext, answer } from "./refusal.ts";

export interface RequestsWorld {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Log;
}

/** An answer of about 500 KB at most; more is not read by people. */
export const LISTED_MAX = 1_000;
export const LISTED_DEFAULT = 200;
/** Looking up a place costs a walk along the queue. */
const POSITIONS_MAX = 200;

export function listRequests(c: AdminContext, { hub, clock }: RequestsWorld): Response {
  const limit = limitOf(c.req.query("limit"));
  let looked = 0;
  const requests = hub.requests
    .values()
    .take(limit)
    .map((live) => {
      const isLookedUp = live.phase.kind === "queued" && looked++ < POSITIONS_MAX;
      return toLiveRequest(live, isLookedUp ? hub.position(live.id) : null, clock);
    });
  return answer(c, 200, { requests: [...requests], total: hub.requests.size });
}

/** Its client gets the error `cancelled`, its worker is told to stop. */
export function cancelRequest(c: AdminContext, { hub, log }: RequestsWorld, id: string): Response {
  const live = hub.requests.get(id);
  if (live === undefined) throw new RelayError("not_found", "There is no live request with this id; GET /admin/requests lists them.");
  const { publicId, model } = live.request;
  log.info("request cancelled by an operator", { request_id: publicId, model });
  hub.fail(id, "cancelled");
  return answer(c, 202, { id, request_id: publicId });
}

const ListLimit = v.pipe(v.string(), v.regex(/^\d{1,4}$/), v.transform(Number), v.minValue(1), v.maxValue(LISTED_MAX));

function limitOf(text: string | undefined): number {
  if (text === undefined) return LISTED_DEFAULT;
  const limit = v.safeParse(ListLimit, text);
  if (!limit.success) throw new RelayError("invalid_request", `Parameter 'limit' must be a whole number from 1 to ${LISTED_MAX}.`);
  return limit.output;
}
