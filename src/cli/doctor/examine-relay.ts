// The way to the relay, step by step: each check stands on those before it.
import * as v from "valibot";
import { CLOSE } from "../../protocol/close.ts";
import { readBodyJson } from "../../base/bounded-body.ts";
import { certificateTrouble } from "../../base/certificate-trouble.ts";
import { printable } from "../../base/printable.ts";
import { VERSION } from "../../base/version.ts";
import { explainEnd } from "../../worker/explain.ts";
import { relayAddress } from "../../worker/relay-address.ts";
import { RelayHealth } from "../health/health.ts";
import { showListenAddress, showUrl } from "../options/addresses.ts";
import { viaProxy } from "../relay/client.ts";
import { failed, ok, type Say, skipAll, skipped, warning } from "./finding.ts";
import { type Knock, knock } from "./knock.ts";
import { codeOf, dial, endpointOf, resolveName, seeCertificate, tunnel } from "./reach.ts";

export interface RelayPlace {
  readonly url: URL;
  readonly proxy: URL | null;
  /** PEM text; null: what this machine trusts. */
  readonly tlsCa: string | null;
  readonly provider: string;
  readonly secret: string | null;
  readonly nowUnixMs: () => number;
}

/** Resolves to whether a relay answers there over HTTP. */
export async function examineRelay(place: RelayPlace, say: Say): Promise<boolean> {
  const { proxy } = place;
  if (proxy !== null) say("proxy", ok(`through ${proxy.host}, as the variables HTTPS_PROXY, HTTP_PROXY or ALL_PROXY say`));
  if (!(await examineConnection(place, say))) {
    skipAll(["certificate", "relay", "clock", "websocket", "secret"], "there is no connection", say);
    return false;
  }
  if (!(await examineCertificate(place, say))) {
    skipAll(["relay", "clock", "websocket", "secret"], "no connection with TLS came about", say);
    return false;
  }
  const isRelay = await examineHealth(place, say);
  await examineDoor(place, say);
  return isRelay;
}

/** http(s), without a slash at its end. */
export function httpBase(url: URL): string {
  return showUrl(url).replace(/^ws/, "http");
}

const HEALTH_LIMIT_MS = 5_000;
/** More than this makes log lines, certificates and ends of keys confusing. */
const CLOCK_TOLERANCE_MS = 30_000;
const CERTIFICATE_WARNING_DAYS = 14;
const DAY_MS = 86_400_000;

async function examineConnection({ url, proxy }: RelayPlace, say: Say): Promise<boolean> {
  const first = endpointOf(proxy ?? url);
  const whose = proxy === null ? "--proxy-url" : "the proxy variable (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY)";
  try {
    const addresses = await resolveName(first.host);
    say("name", ok(addresses[0] === first.host ? `${first.host} is an address` : `${first.host} is ${addresses.slice(0, 3).join(", ")}`));
  } catch (error) {
    say(
      "name",
      failed(`${printable(first.host)} has no address (${codeOf(error)})`, `check the spelling in ${whose}, and this machine's DNS`),
    );
    say("connection", skipped("the name has no address"));
    return false;
  }
  const startMs = performance.now();
  try {
    const socket = await dial(first);
    socket.destroy();
  } catch (error) {
    const fix =
      proxy === null
        ? "is the relay running, and listening on an address that this machine reaches (--listen 0.0.0.0:8080, not 127.0.0.1)? Does a firewall stand between?"
        : "is the proxy of the variable right? Where the relay is reached without one, name it in NO_PROXY";
    say("connection", failed(`${showListenAddress(first)} takes no connection (${codeOf(error)})`, fix));
    return false;
  }
  say("connection", ok(`${showListenAddress(first)} takes connections, after ${Math.round(performance.now() - startMs)} ms`));
  return true;
}

async function examineCertificate({ url, proxy, tlsCa, nowUnixMs }: RelayPlace, say: Say): Promise<boolean> {
  if (!/^(https|wss):$/.test(url.protocol)) {
    say("certificate", skipped("http:// has none; keys and prompts cross the network in the clear"));
    return true;
  }
  if (proxy?.protocol === "https:") {
    say("certificate", skipped("not looked at behind a proxy that is itself spoken to with TLS"));
    return true;
  }
  const target = endpointOf(url);
  try {
    const socket = await dial(endpointOf(proxy ?? url));
    const { problem, validUntilMs } = await seeCertificate(
      proxy === null ? socket : await tunnel(socket, target, proxy),
      target.host,
      tlsCa,
    );
    const until = new Date(validUntilMs).toISOString().slice(0, 10);
    const days = Math.floor((validUntilMs - nowUnixMs()) / DAY_MS);
    if (problem !== null) say("certificate", failed(`not trusted (${printable(problem)}); it ends on ${until}`, fixCertificate(problem)));
    else if (days < CERTIFICATE_WARNING_DAYS)
      say("certificate", warning(`trusted, but it ends in ${days} days, on ${until}`, "renew it at the relay"));
    else say("certificate", ok(`trusted, for ${target.host}, until ${until}`));
    return problem === null;
  } catch (error) {
    const isTunnel = proxy !== null && /^\d{3}$|^no HTTP$/.test(codeOf(error));
    if (isTunnel)
      say(
        "certificate",
        failed(
          `the proxy lets nobody through to ${target.host} (${codeOf(error)})`,
          "name the relay in NO_PROXY, or allow it at the proxy",
        ),
      );
    else
      say(
        "certificate",
        failed(`no TLS is spoken there (${codeOf(error)})`, "write --proxy-url with http://, or give the relay --tls-cert"),
      );
    return false;
  }
}

/** The same distinctions as the worker's own log makes. What the runtime has no name for is one that nobody vouches for, too. */
function fixCertificate(code: string): string {
  return CERTIFICATE_FIXES[certificateTrouble(code) ?? "untrusted"];
}

/** Of a relay that is named by `--proxy-url`. */
const CERTIFICATE_FIXES = {
  expired: "renew it at the relay (--tls-cert), or put this machine's clock right",
  misnamed: "write the relay in --proxy-url by a name that its certificate has",
  untrusted: "give the CA that signed it: --tls-ca FILE, or the variable TLS_CA",
} as const;

async function examineHealth(place: RelayPlace, say: Say): Promise<boolean> {
  const base = httpBase(place.url);
  const wrongPlace = "check the host, port and path prefix of --proxy-url; without --proxy-url it is http://127.0.0.1:8080";
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(`${base}/health`, {
      redirect: "manual",
      signal: AbortSignal.timeout(HEALTH_LIMIT_MS),
      ...viaProxy(place.proxy),
      ...(place.tlsCa === null ? {} : { tls: { ca: place.tlsCa } }),
    });
    body = await readBodyJson(response);
  } catch (error) {
    const fix = /^ECONNRESET|CLOSED|SOCKET/i.test(codeOf(error)) ? "a port with TLS needs https:// in --proxy-url" : wrongPlace;
    say("relay", failed(`${base}/health is not answered (${printable(codeOf(error))})`, fix));
    say("clock", skipped("no relay answers"));
    return false;
  }
  const health = v.safeParse(RelayHealth, body);
  if (response.status !== 200 || !health.success) {
    const where = response.headers.get("location");
    const elsewhere = where === null ? "" : `, and points to ${printable(where)}`;
    say("relay", failed(`${base}/health answers ${response.status}, not as a relay does${elsewhere}`, wrongPlace));
    say("clock", skipped("no relay answers"));
    return false;
  }
  const { version, workers_connected } = health.output;
  const other = version === VERSION ? "" : ` (this program is ${VERSION}; they agree on a protocol when they connect)`;
  say("relay", ok(`version ${version}${other}, ${workers_connected} ${workers_connected === 1 ? "worker" : "workers"} connected`));
  examineClock(response, place.nowUnixMs(), say);
  return true;
}

function examineClock(response: Response, nowUnixMs: number, say: Say): void {
  const theirs = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(theirs)) return say("clock", skipped("the answer has no date"));
  const apartMs = Math.abs(nowUnixMs - theirs);
  // The header has whole seconds.
  if (apartMs <= CLOCK_TOLERANCE_MS) return say("clock", ok("this machine and the relay agree, to a few seconds"));
  say(
    "clock",
    warning(
      `this machine and the relay are ${Math.round(apartMs / 1000)} s apart`,
      "put both clocks right (NTP): certificates and keys begin and end by them",
    ),
  );
}

/** One knock tells of the WebSocket and of the secret. Without a secret it shows none, which the relay's log calls a rejected worker. */
async function examineDoor(place: RelayPlace, say: Say): Promise<void> {
  const seen = await knockAs(place, place.provider);
  if (seen.kind === "not open") {
    say("websocket", explainNotOpen(seen));
    say("secret", skipped("no WebSocket came about"));
    return;
  }
  say("websocket", ok("the upgrade passes"));
  if (place.secret === null) {
    say("secret", skipped("none was given: --worker-secret-file PATH, or the variable WORKER_SECRET"));
    return;
  }
  if (seen.kind === "let in") {
    say("secret", ok(`accepted, for the provider '${place.provider}' (left again before registering, so no request could come)`));
    return;
  }
  const isRefused = seen.code === CLOSE.authenticationFailed.code && seen.reason !== CLOSE.authenticationRateLimited.reason;
  if (isRefused && place.provider !== USUAL_PROVIDER && (await knockAs(place, USUAL_PROVIDER)).kind === "let in") {
    say(
      "secret",
      failed(
        `accepted, but not for the provider '${printable(place.provider)}'`,
        `give --provider ${USUAL_PROVIDER}, or start the relay with the same --provider`,
      ),
    );
    return;
  }
  const { message, fix } = explainEnd({ code: seen.code, reason: seen.reason, wasOpen: true });
  const log = "; the relay's log line 'worker rejected' has the cause";
  say("secret", failed(`${message} (${seen.code} ${printable(seen.reason)})`, `${fix ?? "try again"}${isRefused ? log : ""}`));
}

const USUAL_PROVIDER = "local";

async function knockAs({ url, proxy, tlsCa, secret }: RelayPlace, provider: string): Promise<Knock> {
  return await knock({ address: relayAddress(url, provider), proxy, tlsCa, secret });
}

function explainNotOpen({ reason, status }: Knock & { kind: "not open" }): ReturnType<typeof failed> {
  if (status === null) {
    const { message, fix } = explainEnd({ code: 1006, reason, wasOpen: false });
    return failed(`${message} (${printable(reason)})`, fix ?? "check --proxy-url");
  }
  if (status === 404) return failed("the path for workers is answered with 404", "check the path prefix of --proxy-url");
  const dropped =
    status === 426 ? "the relay was not asked for one: something in between drops the header Upgrade" : "something in between keeps it";
  return failed(`answered with ${status} instead of 101; ${dropped}`, UPGRADE_FIX);
}

const UPGRADE_FIX =
  "let the reverse proxy pass WebSockets to /v1/worker/connect (nginx: proxy_http_version 1.1; " +
  "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade)";
