// `modelrelay llamafile logs`: the last lines, and what is written from then on.
import { existsSync } from "node:fs";
import { CommandError } from "../../../base/errors.ts";
import { followLog, logPath, readTail } from "../../../llamafile/log-file.ts";
import type { CommandBody } from "../../command.ts";
import { listenForStopSignals } from "../../stop-signals.ts";
import { writeNow } from "../../write-now.ts";
import { LOGS_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { MODEL_WORD, startedSlugOf } from "../words.ts";
import { shownLog, STANDARD_OUTPUT } from "./shown-log.ts";

const LINE = { options: LOGS_OPTIONS, words: [MODEL_WORD] };

export const logs: CommandBody = {
  ...LINE,
  async run(args, world) {
    const spelled = args.map((arg) => (arg === "-f" ? "--follow" : arg));
    const { values, words, home } = readLine("logs", LINE, spelled, world.env);
    const slug = startedSlugOf(home, words[0]);
    const path = logPath(home, slug, values.worker ? "worker" : "model");
    if (!existsSync(path) && !values.follow) {
      throw new CommandError(`${slug} has said nothing yet: there is no ${path}. 'modelrelay llamafile run ${slug}' starts it`);
    }
    const { text, end } = readTail(path, values.lines);
    if (!values.follow) {
      world.print(shownLog(text));
      return 0;
    }
    const signals = listenForStopSignals();
    const stopping = new AbortController();
    void signals.first.then(() => stopping.abort());
    // As `head` ends a pipe: whoever does not read any more waits for nothing.
    const onText = (written: string): void => {
      if (!writeNow(STANDARD_OUTPUT, shownLog(written))) stopping.abort();
    };
    onText(text);
    try {
      await followLog(path, end, onText, world.clock, stopping.signal);
    } finally {
      signals.stop();
    }
    return 0;
  },
};
