// What of this machine itself stands in a worker's way, or tells its secrets to others.
import { statSync } from "node:fs";
import manifest from "../../../package.json" with { type: "json" };
import { openFilesLimit } from "../open-files.ts";
import type { Environment } from "../options/parse.ts";
import type { Origin } from "../options/option.ts";
import { failed, ok, type Outcome, type Say, warning } from "./finding.ts";

export interface Machine {
  readonly env: Environment;
  /** Files that hold secrets. */
  readonly secretFiles: readonly string[];
  /** Where secrets came from that were given as such. */
  readonly secretOrigins: readonly Origin[];
  readonly maxConcurrency: number;
}

export function examineMachine(machine: Machine, say: Say): void {
  const files = judgeFileLimit(machine.maxConcurrency);
  if (files !== null) say("files", files);
  say("secrets", judgeSecrets(machine));
  say("runtime", judgeRuntime(machine.env));
}

/** Of the program itself: its libraries, log, database, timers. */
const FILES_OF_ITS_OWN = 64;
/** A request is a connection to the backend; twice that, for those that are just closing. */
const FILES_PER_REQUEST = 2;

/** Null where the system does not tell. */
function judgeFileLimit(maxConcurrency: number): Outcome | null {
  const limit = openFilesLimit();
  if (limit === null) return null;
  const needed = FILES_OF_ITS_OWN + maxConcurrency * FILES_PER_REQUEST;
  const shown = limit === Infinity ? "no limit of open files" : `up to ${limit} open files`;
  if (limit >= needed) return ok(shown);
  return warning(
    `${shown}, and ${maxConcurrency} requests at once may need ${needed}`,
    "raise it: 'ulimit -n 65536', or LimitNOFILE=65536 in the systemd unit",
  );
}

/** 1. a secret on the command line  2. a file that others may read  3. neither */
function judgeSecrets({ secretFiles, secretOrigins }: Machine): Outcome {
  const flags = secretOrigins.flatMap((origin) => (origin.kind === "flag" ? [origin.name] : []));
  if (flags.length > 0) {
    const instead = flags.map((name) => `--${name}-file`).join(", ");
    return warning(
      `${flags.map((name) => `--${name}`).join(", ")}: every user of this machine can read it in the process list`,
      `give it in a file: ${instead}`,
    ); // (1)
  }
  const open = secretFiles.filter(isOpenToOthers);
  if (open.length > 0) return warning(`other users of this machine may read ${open.join(", ")}`, `chmod 600 ${open.join(" ")}`); // (2)
  return ok(secretFiles.length === 0 ? "none is kept where others can read it" : `only their owner may read ${secretFiles.join(", ")}`); // (3)
}

function isOpenToOthers(path: string): boolean {
  // Windows has no such bits.
  return process.platform !== "win32" && (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) % 0o100 !== 0;
}

/** 1. certificates are not looked at  2. another Bun than this was tested with  3. as it should be */
function judgeRuntime(env: Environment): Outcome {
  if (env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    return failed("NODE_TLS_REJECT_UNAUTHORIZED=0 lets anybody pass for the relay", "unset it, and give the CA with --tls-ca FILE"); // (1)
  }
  const tested = manifest.engines.bun;
  if (Bun.version !== tested) return warning(`Bun ${Bun.version}, and this was tested with ${tested}`, `use Bun ${tested}`); // (2)
  return ok(`Bun ${Bun.version} on ${process.platform} ${process.arch}`); // (3)
}
