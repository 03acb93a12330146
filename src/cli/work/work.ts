// `modelrelay work`: the worker daemon.
import type { CommandBody } from "../command.ts";
import { startLog } from "../log/log.ts";
import { WORK_OPTIONS } from "./options.ts";
import { parseOptions } from "../options/parse.ts";
import { warnOfSecretFlags } from "../serve/config.ts";
import { runUntilStopped } from "../stop-signals.ts";
import { toWorkConfig } from "./config.ts";
import { listenForStops } from "./stop-request.ts";

export const work: CommandBody = {
  options: WORK_OPTIONS,
  async run(args, { env, clock }) {
    const parsed = parseOptions("work", WORK_OPTIONS, args, env);
    const config = toWorkConfig(parsed);
    const log = startLog(parsed.values, { clock, env });
    warnOfSecretFlags([parsed.origins.workerSecret, parsed.origins.backendApiKey], log);

    const { startWorker } = await import("../../worker/worker.ts");
    const signals = listenForStops({ env, clock });
    const worker = startWorker(config, { log, clock });
    const drain = async () => {
      worker.drain();
      await worker.finished;
    };
    return await runUntilStopped({ drain, finished: worker.finished }, signals);
  },
};
