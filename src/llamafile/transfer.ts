// One request for a file's bytes: redirects are followed by hand, so that each hop is judged and what its headers tell is kept.
import { CommandError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { VERSION } from "../base/version.ts";
import { mayRedirect, pastProxy } from "./safe-url.ts";
import { connectionCode, distrust } from "./unreachable.ts";

export interface Answer {
  readonly response: Response;
  /** Of the whole file, when the host tells by its headers (as Hugging Face does for files in its large file storage). */
  readonly linked: { readonly sha256: string | null; readonly sizeBytes: number | null };
}

/** What went wrong on the way and may be gone at another try. */
export class TransferHiccup extends Error {
  /** What the server asks to wait, if it does. */
  readonly retryAfterMs: number | null;

  constructor(message: string, retryAfterMs: number | null = null) {
    super(message);
    this.name = "TransferHiccup";
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * GETs the URL; the answer's status is 200, 206 or 416.
 * @throws TransferHiccup for what may pass (no connection, 408, 429, 5xx)
 * @throws CommandError for what will not
 */
export async function requestFile(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
  let at = url;
  let linked: Answer["linked"] = { sha256: null, sizeBytes: null };
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const response = await fetchOnce(at, headers, signal);
    linked = { sha256: linked.sha256 ?? linkedSha256(response), sizeBytes: linked.sizeBytes ?? linkedSize(response) };
    if (response.status < 300 || response.status > 399) {
      await refuse(at, response);
      return { response, linked };
    }
    await response.body?.cancel();
    at = nextHop(at, response);
  }
  throw new CommandError(`${url.href} leads from one place to the next and nowhere (more than ${REDIRECTS_MAX} redirects)`);
}

/** Of `Content-Range: bytes 5-9/10`; the total may be unknown. */
export function readContentRange(response: Response): { readonly start: number; readonly total: number | null } | null {
  const [, start, total] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(response.headers.get("content-range") ?? "") ?? [];
  return start === undefined ? null : { start: Number(start), total: total === "*" ? null : Number(total) };
}

const REDIRECTS_MAX = 8;
const RETRY_AFTER_MAX_SECS = 120;

async function fetchOnce(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
  const init: BunFetchRequestInit = {
    headers: { "user-agent": `modelrelay/${VERSION}`, "accept-encoding": "identity", ...headers },
    redirect: "manual",
    signal,
    ...pastProxy(url),
    // The stall watch of whoever reads is the limit.
    timeout: false,
  };
  try {
    return await fetch(url.href, init);
  } catch (error) {
    if (signal.aborted) throw error;
    const code = connectionCode(error);
    throw distrust(url, code) ?? new TransferHiccup(`${url.host} cannot be reached (${code})`);
  }
}

function nextHop(from: URL, response: Response): URL {
  const location = response.headers.get("location");
  const to = location === null ? null : URL.parse(location, from.href);
  if (to === null) throw new CommandError(`${from.href} answered ${response.status} without saying where the file is`);
  if (mayRedirect(from, to)) return to;
  throw new CommandError(`${from.href} redirects to ${printable(to.href)}: a download may not leave https`);
}

/** 1. here it is  2. may pass  3. needs a permission  4. is not there  5. anything else */
async function refuse(url: URL, response: Response): Promise<void> {
  const { status } = response;
  if (status === 200 || status === 206 || status === 416) return; // (1)
  await response.body?.cancel();
  if (status === 408 || status === 429 || status >= 500) throw new TransferHiccup(`${url.host} answered ${status}`, retryAfterMs(response)); // (2)
  if (status === 401 || status === 403) {
    throw new CommandError(
      `${url.host} does not give the file to just anybody (${status}): get it with a browser, then 'modelrelay llamafile import PATH'`,
    ); // (3)
  }
  if (status === 404 || status === 410) {
    throw new CommandError(`${url.href} is not there (${status}); 'modelrelay llamafile update-catalog' asks for the addresses of today`); // (4)
  }
  throw new CommandError(`${url.href} answered ${status}`); // (5)
}

function retryAfterMs(response: Response): number | null {
  const header = response.headers.get("retry-after") ?? "";
  return /^\d{1,6}$/.test(header) ? Math.min(Number(header), RETRY_AFTER_MAX_SECS) * 1000 : null;
}

function linkedSha256(response: Response): string | null {
  const etag = /^"?([0-9a-f]{64})"?$/.exec(response.headers.get("x-linked-etag") ?? "");
  return etag?.[1] ?? null;
}

function linkedSize(response: Response): number | null {
  const header = response.headers.get("x-linked-size") ?? "";
  return /^\d{1,15}$/.test(header) ? Number(header) : null;
}
