// Fetches small documents: bounded in size and time, redirects judged as those of downloads are.
import { BodyTooLong, readBodyText } from "../base/bounded-body.ts";
import { CommandError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { VERSION } from "../base/version.ts";
import { mayRedirect, pastProxy } from "./safe-url.ts";
import { connectionCode, distrust } from "./unreachable.ts";

export interface FetchLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** @throws CommandError naming the host and what is wrong */
export async function fetchJson(url: URL, limits: FetchLimits): Promise<{ readonly body: unknown; readonly link: string }> {
  const { text, link } = await fetchText(url, limits);
  try {
    return { body: JSON.parse(text), link };
  } catch {
    throw new CommandError(`${url.href} answered with something that is no JSON`);
  }
}

/** @throws CommandError naming the host and what is wrong */
export async function fetchText(url: URL, limits: FetchLimits): Promise<{ readonly text: string; readonly link: string }> {
  const signal = AbortSignal.any([limits.signal, AbortSignal.timeout(limits.timeoutMs)]);
  try {
    const response = await follow(url, signal);
    if (response.status !== 200) throw new CommandError(`${url.href} answered ${response.status}`);
    return { text: await readBounded(url, response), link: response.headers.get("link") ?? "" };
  } catch (error) {
    if (limits.signal.aborted || error instanceof CommandError) throw error;
    if (signal.aborted) throw new CommandError(`${url.host} did not answer in ${limits.timeoutMs / 1000} s`);
    throw new CommandError(`${url.host} broke off its answer (${connectionCode(error)})`);
  }
}

async function follow(url: URL, signal: AbortSignal): Promise<Response> {
  let at = url;
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const response = await fetchOnce(at, signal);
    if (response.status < 300 || response.status > 399) return response;
    await response.body?.cancel();
    const to = URL.parse(response.headers.get("location") ?? "", at.href);
    if (to === null || !mayRedirect(at, to))
      throw new CommandError(`${at.href} redirects to where nothing is fetched from: ${printable(to?.href ?? "nowhere")}`);
    at = to;
  }
  throw new CommandError(`${url.href} leads from one place to the next and nowhere (more than ${REDIRECTS_MAX} redirects)`);
}

/** Each hop may be another host. */
async function fetchOnce(url: URL, signal: AbortSignal): Promise<Response> {
  const headers = { "user-agent": `modelrelay/${VERSION}` };
  try {
    return await fetch(url.href, { redirect: "manual", signal, headers, ...pastProxy(url) });
  } catch (error) {
    if (signal.aborted) throw error;
    const code = connectionCode(error);
    throw distrust(url, code) ?? new CommandError(`${url.host} cannot be reached (${code})`);
  }
}

async function readBounded(url: URL, response: Response): Promise<string> {
  try {
    return await readBodyText(response, DOCUMENT_MAX_BYTES);
  } catch (error) {
    if (!(error instanceof BodyTooLong)) throw error;
    throw new CommandError(`${url.href} is larger than ${DOCUMENT_MAX_BYTES / 1024 ** 2} MiB: no catalogue`);
  }
}

const REDIRECTS_MAX = 8;
const DOCUMENT_MAX_BYTES = 8 * 1024 ** 2;
