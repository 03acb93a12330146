// `modelrelay health`: one question to a relay, for container health checks. Images without curl have this program.
import * as v from "valibot";
import { listenAddress, reachableUrl, showUrl } from "../options/addresses.ts";
import type { CommandBody } from "../commands.ts";
import { HEALTH_OPTIONS } from "./options.ts";
import { parseOptions, type Environment } from "../options/parse.ts";
import { printable } from "../../base/printable.ts";

export const health: CommandBody = {
  options: HEALTH_OPTIONS,
  async run(args, { env, print }) {
    const { values } = parseOptions("health", HEALTH_OPTIONS, args, env);
    const base = values.url === null ? listeningUrl(env) : toHttp(values.url);
    const answer = await askHealth(base, values.timeoutMs);
    print(`${answer.line}\n`);
    return answer.isHealthy ? 0 : 1;
  },
};

interface HealthAnswer {
  readonly isHealthy: boolean;
  readonly line: string;
}

/** Never throws: whatever goes wrong is the answer. */
export async function askHealth(base: string, timeoutMs: number): Promise<HealthAnswer> {
  try {
    const response = await fetch(`${base}/health`, { redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
    const body = v.safeParse(HealthBody, await response.json().catch(() => null));
    if (response.status !== 200 || !body.success) {
      return { isHealthy: false, line: `unhealthy: ${base} answered ${response.status}, not as a relay does` };
    }
    const { version, workers_connected, queue_depth } = body.output;
    return { isHealthy: true, line: `ok: ${base} version=${version} workers_connected=${workers_connected} queue_depth=${queue_depth}` };
  } catch (error) {
    const reason = error instanceof Error && error.name === "TimeoutError" ? `no answer in ${timeoutMs} ms` : "no connection";
    return { isHealthy: false, line: `unhealthy: ${base}: ${reason}` };
  }
}

const HealthBody = v.object({
  status: v.literal("ok"),
  version: v.pipe(v.string(), v.transform(printable)),
  workers_connected: v.number(),
  queue_depth: v.number(),
});

/** In the relay's own container its LISTEN_ADDR says where it is; one that cannot be read is the relay's to complain of. */
function listeningUrl(env: Environment): string {
  const given = listenAddress().parse(env["LISTEN_ADDR"] ?? "");
  return reachableUrl(given.ok ? given.value : { host: "127.0.0.1", port: 8080 });
}

function toHttp(url: URL): string {
  return showUrl(url).replace(/^ws/, "http");
}
