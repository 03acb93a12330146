// The end of a refusal that names what was probably meant.
import { nearestNames } from "../../base/nearest.ts";
import { printable } from "../../base/printable.ts";

/** `; did you mean --listen?`, or a full stop when no known name is near. */
export function didYouMean(wrong: string, known: readonly string[], prefix = ""): string {
  const [nearest] = nearestNames(wrong, known, 1);
  return nearest === undefined ? "." : `; did you mean ${prefix}${nearest}?`;
}

/** As above, for a flag: what other programs call it counts more than its letters. */
export function didYouMeanFlag(wrong: string, known: readonly string[]): string {
  const meant = lookUp(NAMES_ELSEWHERE, wrong).find((flag) => known.includes(flag));
  return meant === undefined ? didYouMean(wrong, known, "--") : `; did you mean --${meant}?`;
}

/** What is said of `-p`: the long flags it may stand for, if they are few. */
export function explainShortFlag(letter: string, known: readonly string[]): string {
  const small = letter.toLowerCase();
  const elsewhere = lookUp(NAMES_ELSEWHERE, small).filter((flag) => known.includes(flag));
  const meant = [...new Set([...elsewhere.slice(0, 1), ...known.filter((flag) => flag.startsWith(small))])].map((flag) => `--${flag}`);
  const isFew = meant.length > 0 && meant.length <= SHORT_MEANINGS_MAX;
  // The one command that follows a file takes -f, as every program that does.
  const short = known.includes("follow") ? "-f, -h and -V" : "-h and -V";
  return `${isFew ? `; did you mean ${meant.join(", ").replace(/, (\S+)$/, " or $1")}?` : "."} The only short flags are ${short}.`;
}

// More of them would be a list to read, which --help has with sentences.
const SHORT_MEANINGS_MAX = 4;

/** As at the flags, for a command. */
export function didYouMeanCommand(wrong: string, known: readonly string[], prefix: string): string {
  const meant = lookUp(COMMANDS_ELSEWHERE, wrong).find((name) => known.includes(name));
  return meant === undefined ? didYouMean(wrong, known, prefix) : `; did you mean ${prefix}${meant}?`;
}

/** The same for a word that only a flag could give a meaning. */
export function didYouMeanValue(word: string, known: readonly string[]): string {
  const flags = /^(https?|wss?):/.test(word) ? ["url", "proxy-url", "backend-url"] : ["name"];
  const meant = flags.find((flag) => known.includes(flag));
  const byLetters = didYouMean(word, known, "--");
  return meant === undefined || byLetters !== "." ? byLetters : `; did you mean --${meant} ${printable(word)}?`;
}

function lookUp(names: Readonly<Record<string, readonly string[]>>, wrong: string): readonly string[] {
  return Object.hasOwn(names, wrong) ? names[wrong]! : [];
}

const NAMES_ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  p: ["port", "listen"],
  n: ["lines", "requests", "name"],
  port: ["listen"],
  host: ["listen"],
  bind: ["listen"],
  address: ["listen"],
  url: ["proxy-url"],
  "base-url": ["url", "proxy-url"],
  relay: ["proxy-url", "url"],
  "relay-url": ["proxy-url", "url"],
  server: ["proxy-url", "url"],
  "proxy-url": ["url"],
  backend: ["backend-url"],
  upstream: ["backend-url"],
  secret: ["worker-secret-file"],
  "secret-file": ["worker-secret-file"],
  token: ["admin-token-file", "api-key-file", "worker-secret-file"],
  "token-file": ["admin-token-file"],
  key: ["api-key-file", "tls-key"],
  cert: ["tls-cert"],
  ca: ["tls-ca"],
  cacert: ["tls-ca"],
  name: ["worker-name"],
  model: ["models"],
  parallel: ["max-concurrency", "max-concurrent", "concurrency"],
  slots: ["max-concurrency", "max-slots"],
  verbose: ["log-level"],
  debug: ["log-level"],
  ttl: ["expires"],
};

const COMMANDS_ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  ls: ["list"],
  add: ["create", "install"],
  new: ["create"],
  rm: ["revoke", "uninstall"],
  delete: ["revoke", "uninstall", "rm"],
  remove: ["revoke", "uninstall", "rm"],
  relay: ["serve"],
  server: ["serve"],
  worker: ["work"],
  agent: ["work"],
  demo: ["up"],
  check: ["doctor"],
  key: ["keys"],
  completion: ["completions"],
};
