// One request to a model, as its users send them, and what is said where no answer comes of it.
import * as v from "valibot";
import { readBodyText } from "../../base/bounded-body.ts";
import { printable } from "../../base/printable.ts";

export interface AskedModel {
  /** Without a trailing slash and without `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly prompt: string;
  readonly signal: AbortSignal;
  /** A client's key. */
  readonly apiKey?: string | null;
  /** How the server is reached: a proxy, a CA of its own; directly when not given. */
  readonly reach?: Pick<BunFetchRequestInit, "proxy" | "tls">;
}

export interface FailedTry {
  readonly kind: "failed";
  /** Printable; "stopped" when the signal ended it. */
  readonly reason: string;
  /** Of an answer that is a refusal. */
  readonly status?: number;
  /** The runtime's code, where there was no answer. */
  readonly code?: string;
}

export async function postTo(
  { baseUrl, signal, apiKey = null, reach = { proxy: false } }: AskedModel,
  path: string,
  body: object,
): Promise<Response> {
  return await fetch(`${baseUrl}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }) },
    body: JSON.stringify(body),
    signal,
    // A worker follows none either, and what is asked is meant for this server.
    redirect: "manual",
    // The relay's own deadlines end it; a cold model may take minutes to load.
    timeout: false,
    ...reach,
  });
}

export const ErrorBody = v.object({ message: v.string() });

/** As in `404 No worker offers this model.`. */
export async function refusalOf(response: Response): Promise<FailedTry> {
  const body = v.safeParse(v.pipe(v.string(), v.parseJson(), v.object({ error: ErrorBody })), await readBodyText(response));
  const { status } = response;
  return { kind: "failed", reason: `${status} ${body.success ? printable(body.output.error.message) : ""}`.trim(), status };
}

export function failureOf(error: unknown, { signal }: Pick<AskedModel, "signal">): FailedTry {
  if (signal.aborted) return { kind: "failed", reason: "stopped" };
  const reason = printable(error instanceof Error ? error.message : String(error));
  return error instanceof Error && "code" in error ? { kind: "failed", reason, code: String(error.code) } : { kind: "failed", reason };
}
