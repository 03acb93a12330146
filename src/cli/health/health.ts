// `modelrelay health`: one question to a relay, for container health checks. Images without curl have this program.
import * as v from "valibot";
import { CommandError } from "../../base/errors.ts";
import type { CommandBody } from "../command.ts";
import { HEALTH_OPTIONS } from "./options.ts";
import { parseOptions } from "../options/parse.ts";
import { askRelay, readJson, type RelayDoor, relayDoor } from "../relay/client.ts";
import { printable } from "../../base/printable.ts";

/** What tells a relay's answer to `GET /health` from that of any other server. */
export const RelayHealth = v.object({
  status: v.literal("ok"),
  version: v.pipe(v.string(), v.transform(printable)),
  workers_connected: v.number(),
  queue_depth: v.number(),
  uptime_secs: v.optional(v.number()),
});

export const health: CommandBody = {
  options: HEALTH_OPTIONS,
  async run(args, { env, print }) {
    const { values } = parseOptions("health", HEALTH_OPTIONS, args, env);
    const answer = await askHealth(relayDoor(values, env));
    print(`${answer.line}\n`);
    return answer.isHealthy ? 0 : 1;
  },
};

interface HealthAnswer {
  readonly isHealthy: boolean;
  readonly line: string;
}

/** Whatever goes wrong is the answer. */
async function askHealth(door: RelayDoor): Promise<HealthAnswer> {
  try {
    const response = await askRelay(door, "GET", "/health");
    const body = v.safeParse(RelayHealth, await readJson(door, response));
    if (response.status !== 200 || !body.success) {
      return { isHealthy: false, line: `unhealthy: ${door.base} answered ${response.status}, not as a relay does` };
    }
    const { version, workers_connected, queue_depth } = body.output;
    return {
      isHealthy: true,
      line: `ok: ${door.base} version=${version} workers_connected=${workers_connected} queue_depth=${queue_depth}`,
    };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { isHealthy: false, line: `unhealthy: ${error.message}` };
  }
}
