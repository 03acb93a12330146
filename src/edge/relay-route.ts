// The relayed routes: take the body in, read what it is routed by, hand it to the hub, and give back the answer.
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import type { Reservation } from "../hub/byte-budget.ts";
import type { Hub } from "../hub/hub.ts";
import type { Admission, Caller } from "./admission.ts";
import { takeBody } from "./body.ts";
import type { Dialect } from "./dialect.ts";
import { Exchange } from "./exchange.ts";
import { headersToWorker, type RequestHeaderRules } from "./headers.ts";
import { readRouting } from "./json-gate.ts";
import type { Uploads } from "./uploads.ts";

export interface RelayRouteWorld {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly bodyLimitBytes: number;
  readonly keepaliveAfterMs: number;
  readonly keepaliveMs: number;
  readonly forwardHeaders: readonly string[];
  readonly admission: Admission;
  readonly uploads: Uploads;
  readonly isDraining: () => boolean;
}

export interface IncomingRequest {
  readonly request: Request;
  /** Path and query. */
  readonly target: string;
  readonly dialect: Dialect;
  readonly requestId: string;
  /** Of the client, as far as proxies we trust tell. */
  readonly address: () => string;
  /** Sets the connection's idle limit in seconds; 0: none. */
  readonly setIdleSecs: (secs: number) => void;
}

/** A client that does not read the end of its answer, or asks nothing more, keeps its connection this long. */
const TAIL_IDLE_SECS = 120;

/** @throws RelayError when the request is refused before it is submitted */
export async function relay(incoming: IncomingRequest, world: RelayRouteWorld): Promise<Response> {
  const { request, target, dialect, requestId, setIdleSecs } = incoming;
  const { hub, clock, admission, uploads } = world;
  if (world.isDraining()) throw new RelayError("draining");
  const caller = await admission.admit(request.headers, incoming.address);
  // From here on the wait is bounded by the upload's pace and the relay's own deadlines. The connection's limit would cut even an
  // upload that is fast enough, without an answer: the runtime counts one below about 16 KiB/s as silent.
  setIdleSecs(0);
  let held: Reservation | null = null;
  try {
    const { bytes, reservation } = await takeBody(request, { limitBytes: world.bodyLimitBytes, budget: hub.bodies, clock, uploads });
    held = reservation;
    // The upload may have taken long enough for the key to have been revoked.
    if (caller.key !== null) await admission.admit(request.headers, incoming.address);
    const routing = readRouting(bytes);
    const model = routing.model ?? hub.fleet.catalogue.onlyModel();
    if (model === null) throw new RelayError("invalid_request", "The body has no 'model', and more than one may be meant.");
    admission.checkModel(caller, model);
    admission.countRequest(caller);
    // Nothing is started for a client that is gone: there will be no second word of it.
    if (request.signal.aborted) throw new RelayError("invalid_request", "The client left.");
    const exchange = new Exchange(world, {
      publicId: requestId,
      dialect,
      model,
      isStreaming: routing.isStreaming,
      mayUse: modelsOf(admission, caller),
      onOver: restoreIdle(setIdleSecs),
    });
    onAbort(request.signal, exchange);
    const headers = headersToWorker(request.headers, headerRules(world), requestId);
    const keyLimit = caller.key?.maxConcurrent ?? 0;
    const relayed = {
      publicId: requestId,
      model,
      key: caller.id,
      keyLimit,
      path: target,
      headers,
      isStreaming: routing.isStreaming,
      body: bytes,
    };
    exchange.id = hub.submit(relayed, exchange, reservation);
    return await exchange.response;
  } catch (error) {
    held?.release();
    setIdleSecs(TAIL_IDLE_SECS);
    throw error;
  }
}

// Each of these lives as long as its stream, and would keep the request's body and headers with it if it were made in `relay`.

function restoreIdle(setIdleSecs: (secs: number) => void): () => void {
  return () => setIdleSecs(TAIL_IDLE_SECS);
}

function modelsOf(admission: Admission, caller: Caller): (model: string) => boolean {
  return (model) => admission.mayUse(caller, model);
}

function onAbort(signal: AbortSignal, exchange: Exchange): void {
  signal.addEventListener("abort", () => exchange.onClientGone(), { once: true });
}

function headerRules({ forwardHeaders, admission }: RelayRouteWorld): RequestHeaderRules {
  return { forwarded: forwardHeaders, isOurCredential: (value) => admission.isOurs(value) };
}
