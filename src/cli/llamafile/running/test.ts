// `modelrelay llamafile test`: whether a running model answers, on this machine and through the relay, and how quickly.
import { CommandError } from "../../../base/errors.ts";
import { printable } from "../../../base/printable.ts";
import { ask, type Reply } from "../../../llamafile/ask.ts";
import { showDuration } from "../../../llamafile/quantity.ts";
import { readLibrary } from "../../../llamafile/library.ts";
import { isUp, modelUrl, statusNow } from "../../../llamafile/run-state.ts";
import type { CommandBody } from "../../commands.ts";
import { readCertificates } from "../../options/certificates.ts";
import { proxyOnTheWay } from "../../relay/client.ts";
import { resolveSecret, warnOfSecretFlag } from "../../options/secrets.ts";
import { TEST_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { showStatus } from "./state-text.ts";
import { MODEL_WORD, startedSlugOf } from "../words.ts";

const LINE = { options: TEST_OPTIONS, words: [MODEL_WORD] };

export const test: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, origins, words, home } = readLine("test", LINE, args, world.env);
    const slug = startedSlugOf(home, words[0]);
    const status = statusNow(home, slug);
    if (!isUp(status) || !status.state.is_ready) {
      throw new CommandError(`${slug} does not run (${showStatus(status)}); 'modelrelay llamafile run ${slug}' starts it`);
    }
    const isForEmbeddings =
      readLibrary(home)
        .find((model) => model.slug === slug)
        ?.tags.includes("embedding") === true;
    const tlsCa = values.tlsCa === null ? null : readCertificates(values.tlsCa);
    warnOfSecretFlag(origins.apiKey, world.tell);
    const apiKey = resolveSecret(
      { value: values.apiKey, origin: origins.apiKey },
      { value: values.apiKeyFile, origin: origins.apiKeyFile },
    );
    const { state } = status;
    const question = { model: slug, prompt: values.prompt, isForEmbeddings, timeoutMs: values.timeoutMs };
    const ways = [{ name: "directly", url: modelUrl(state), apiKey: null, tlsCa: null, proxy: null, keyAdvice: null }];
    const base = state.proxy_url?.replace(/^ws/, "http") ?? null;
    const keyAdvice = `give ${apiKey === null ? "a key" : "another key"} of the relay with --api-key-file PATH (or MODELRELAY_API_KEY)`;
    const through = (url: string) => ({ name: "through the relay", url, apiKey, tlsCa, proxy: proxyOnTheWay(url, world.env), keyAdvice });
    const relays = base === null ? [] : [through(base)];
    let failed = 0;
    for (const { name, ...way } of [...ways, ...relays]) {
      try {
        world.print(`${name} (${way.url}): ${describe(await ask({ ...question, ...way }, world.clock))}\n`);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        failed++;
        world.tell(`${name}: failed: ${error.message}\n`);
      }
    }
    return failed === 0 ? 0 : 1;
  },
};

function describe({ text, firstMs, totalMs, chunks }: Reply): string {
  const seconds = (totalMs - firstMs) / 1000;
  const pace = chunks > 1 && seconds > 0 ? `, ${((chunks - 1) / seconds).toFixed(1)} pieces/s` : "";
  const times = `first word after ${Math.round(firstMs)} ms, all after ${totalMs < 10_000 ? `${Math.round(totalMs)} ms` : showDuration(totalMs)}${pace}`;
  return `answered, ${times}\n  ${printable(text.trim().replaceAll(/\s+/g, " "))}`;
}
