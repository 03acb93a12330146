// What an ended connection means for the operator who reads the log, and for when to try again.
import { CLOSE } from "../protocol/close.ts";
import type { ConnectionEnd } from "./connection.ts";
import type { NamedProxy } from "./relay-address.ts";

export interface Explanation {
  /** A fixed phrase for the log. */
  readonly message: string;
  /** What would put it right, when it will not heal by itself. */
  readonly fix: string | null;
  /** Only a human can lift it: try again slowly. */
  readonly isRefusal: boolean;
}

const refusal = (message: string, fix: string): Explanation => ({ message, fix, isRefusal: true });
const hiccup = (message: string, fix: string | null = null): Explanation => ({ message, fix, isRefusal: false });

const untrusted = (fix: string): Explanation => refusal("relay's certificate is not trusted", fix);

const SECRET_FIX =
  "give this worker the relay's secret, or a good worker key of it (--worker-secret, WORKER_SECRET), " +
  "and the provider the relay serves (--provider, default local)";

/**
 * 1 credentials or provider refused; 2 too many tries; 3 closed by the relay on purpose; 4 no relay there; 5 the network.
 * `proxy` is what the connection went through.
 */
export function explainEnd({ code, reason, wasOpen }: ConnectionEnd, proxy: NamedProxy | null = null): Explanation {
  if (code === CLOSE.authenticationFailed.code) {
    if (reason === CLOSE.authenticationRateLimited.reason) {
      return refusal("relay is rate limiting this worker after failed attempts", `wait; then ${SECRET_FIX}`); // (2)
    }
    return refusal("relay refused this worker", SECRET_FIX); // (1)
  }
  if (!wasOpen) return proxy === null ? explainFailedUpgrade(reason) : explainFailedProxying(reason, proxy);
  if (reason === CLOSE.registrationError.reason) {
    return hiccup("relay did not understand the registration", "check that both sides run compatible versions"); // (3)
  }
  if (reason === CLOSE.superseded.reason) return hiccup("superseded by a newer connection of this worker"); // (3)
  return hiccup("connection to proxy lost"); // (3) (5)
}

/** 1. the proxy wants to know who asks   2. it answers for itself   3. there was no answer at all, perhaps its own   4. it let us through */
function explainFailedProxying(reason: string, { url, variable }: NamedProxy): Explanation {
  // Never its `href`, which has the password.
  const proxy = `the proxy ${url.host} (${variable})`;
  const past = "where the relay is reached without a proxy, name it in NO_PROXY";
  if (reason.includes("Proxy authentication required")) {
    const fix = `write the user and password that ${proxy} wants into the variable, as http://USER:PASSWORD@HOST:PORT; ${past}`;
    return refusal("proxy on the way wants credentials", fix); // (1)
  }
  if (reason.includes("Proxy connection failed")) {
    return hiccup("proxy on the way does not reach the relay", `allow the relay at ${proxy}, and check --proxy-url; ${past}`); // (2)
  }
  if (!/TLS handshake failed|status code: \d{3}/.test(reason)) {
    return hiccup("cannot reach the relay", `check that ${proxy} is up and the right one, then --proxy-url; ${past}`); // (3)
  }
  const { message, fix, isRefusal } = explainFailedUpgrade(reason);
  return { message, fix: `${fix}; the way there is through ${proxy}`, isRefusal }; // (4)
}

function explainFailedUpgrade(reason: string): Explanation {
  if (reason.includes("TLS handshake failed")) return explainHandshake(reason);
  const status = /status code: (\d{3})/.exec(reason)?.[1];
  switch (status) {
    case undefined:
      return hiccup(
        "cannot reach the relay",
        "check --proxy-url (https:// where the relay has a certificate), and that the relay runs there",
      ); // (5)
    case "401":
    case "403":
      return refusal("relay refused this worker", SECRET_FIX); // (1)
    case "404":
      return hiccup("no relay at this address", "check the host, port and path prefix of --proxy-url"); // (4)
    default:
      return hiccup("relay did not accept a WebSocket", "check --proxy-url, and that proxies on the way pass WebSockets"); // (4)
  }
}

/** 1. no TLS there at all; else a certificate that 2. has run out, 3. is for another host, 4. nobody here trusts. */
function explainHandshake(reason: string): Explanation {
  if (/WRONG_VERSION_NUMBER|record layer/i.test(reason)) {
    return hiccup("cannot reach the relay", "it does not speak TLS there: give --proxy-url with http://, or the relay --tls-cert"); // (1)
  }
  if (/expired|not yet valid/i.test(reason)) {
    return untrusted("it has expired, or one of the clocks is wrong: renew the file of the relay's --tls-cert"); // (2)
  }
  if (/altnames|host ?name/i.test(reason)) return untrusted("write the relay in --proxy-url by a name that its certificate has"); // (3)
  return untrusted("give this worker the CA that signed it (--tls-ca FILE, TLS_CA)"); // (4)
}
