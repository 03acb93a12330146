// `modelrelay serve`: the relay.
import { startSteadyClock } from "../../base/steady-clock.ts";
import type { CommandBody } from "../command.ts";
import { startLog } from "../log/log.ts";
import { openFilesLimit } from "../open-files.ts";
import { SERVE_OPTIONS } from "./options.ts";
import { parseOptions } from "../options/parse.ts";
import { openKeys } from "./keys.ts";
import { toServeConfig, warnOfFewFiles, warnOfOpenAddress, warnOfSecretFlags } from "./config.ts";
import { startOrRefuse } from "../start-or-refuse.ts";
import { listenForStopSignals, runUntilStopped } from "../stop-signals.ts";

export const serve: CommandBody = {
  options: SERVE_OPTIONS,
  async run(args, { env, clock }) {
    const parsed = parseOptions("serve", SERVE_OPTIONS, args, env);
    const config = toServeConfig(parsed);
    const log = startLog(parsed.values, { clock, env });
    warnOfSecretFlags([parsed.origins.workerSecret, parsed.origins.adminToken, parsed.origins.databaseUrl], log);
    warnOfOpenAddress(config, log);
    warnOfFewFiles(openFilesLimit(), log);

    const { startServer } = await import("../../server/server.ts");
    const signals = listenForStopSignals({ clock });
    const opening = openKeys(parsed.values, { env, clock, log, hasAdminToken: config.adminToken !== null });
    // A database may take its time to say that it is not there, and nothing runs yet that would have to be drained.
    const keys = await Promise.race([opening, signals.first]);
    if (typeof keys === "number") return 0;
    const steady = startSteadyClock(clock);
    try {
      const server = startOrRefuse(config.listen, () => startServer(config, { log, clock: steady, keys: keys?.ring ?? null }));
      return await runUntilStopped({ drain: () => server.drain(), finished: NEVER }, signals);
    } finally {
      steady.stop();
      await keys?.stop();
    }
  },
};

const NEVER = new Promise<never>(() => undefined);
