// `modelrelay llamafile test`: whether a running model answers, on this machine and through the relay, and how quickly.
import { certificateTrouble } from "../../../base/certificate-trouble.ts";
import { CommandError } from "../../../base/errors.ts";
import { printable } from "../../../base/printable.ts";
import { showDuration } from "../../../base/quantity.ts";
import { readLibrary } from "../../../llamafile/library.ts";
import { isUp, modelUrl, statusNow } from "../../../llamafile/run-state.ts";
import type { CommandBody, CommandWorld } from "../../command.ts";
import type { AskedModel, FailedTry } from "../../model-server/ask-model.ts";
import { tryEmbedding } from "../../model-server/try-embedding.ts";
import { tryOut } from "../../model-server/try-out.ts";
import { readCertificates } from "../../options/certificates.ts";
import { CERTIFICATE_FIXES, proxyOnTheWay, viaProxy } from "../../relay/client.ts";
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
    const ways: Way[] = [{ name: "directly", url: modelUrl(state), apiKey: null, reach: { proxy: false }, keyAdvice: null }];
    const url = state.proxy_url?.replace(/^ws/, "http") ?? null;
    if (url !== null) {
      const reach = { ...viaProxy(proxyOnTheWay(url, world.env)), ...(tlsCa === null ? {} : { tls: { ca: tlsCa } }) };
      const keyAdvice = `give ${apiKey === null ? "a key" : "another key"} of the relay with --api-key-file PATH (or MODELRELAY_API_KEY)`;
      ways.push({ name: "through the relay", url, apiKey, reach, keyAdvice });
    }
    let failed = 0;
    for (const way of ways) {
      const asked = { ...way, baseUrl: way.url, model: slug, prompt: values.prompt, signal: AbortSignal.timeout(values.timeoutMs) };
      const told = isForEmbeddings ? await askForEmbedding(asked, world) : await askForWords(asked, world);
      if (told.kind === "answered") {
        world.print(`${way.name} (${way.url}): answered, ${told.text}\n`);
        continue;
      }
      failed++;
      world.tell(`${way.name}: failed: ${explain(told, way, asked.signal.aborted ? values.timeoutMs : null)}\n`);
    }
    return failed === 0 ? 0 : 1;
  },
};

interface Way {
  readonly name: string;
  readonly url: string;
  readonly apiKey: string | null;
  readonly reach: Pick<BunFetchRequestInit, "proxy" | "tls">;
  /** What is said of a 401, beside its own words. */
  readonly keyAdvice: string | null;
}

type Told = { readonly kind: "answered"; readonly text: string } | FailedTry;

async function askForWords(asked: AskedModel, { clock }: CommandWorld): Promise<Told> {
  let words = "";
  const tried = await tryOut({ ...asked, maxTokens: ANSWER_MAX_TOKENS }, { clock, print: (text) => void (words += text) });
  if (tried.kind === "failed") return tried;
  const { firstTokenMs, totalMs, pieces } = tried;
  const seconds = (totalMs - firstTokenMs) / 1000;
  const pace = pieces > 1 && seconds > 0 ? `, ${((pieces - 1) / seconds).toFixed(1)} pieces/s` : "";
  const times = `first word after ${Math.round(firstTokenMs)} ms, all after ${totalMs < 10_000 ? `${Math.round(totalMs)} ms` : showDuration(totalMs)}${pace}`;
  return { kind: "answered", text: `${times}\n  ${printable(words.trim().replaceAll(/\s+/g, " "))}` };
}

async function askForEmbedding(asked: AskedModel, { clock }: CommandWorld): Promise<Told> {
  const tried = await tryEmbedding(asked, clock);
  if (tried.kind === "failed") return tried;
  return { kind: "answered", text: `an embedding of ${tried.numbers} numbers after ${Math.round(tried.totalMs)} ms` };
}

/** 1. too late  2. refused  3. a certificate  4. nobody there, or half an answer */
function explain({ reason, status, code }: FailedTry, { url, keyAdvice }: Way, outOfTimeMs: number | null): string {
  if (outOfTimeMs !== null) return `${url} had not answered to the end after ${outOfTimeMs / 1000} s; --timeout gives it longer`; // (1)
  const advice = status === UNAUTHORIZED && keyAdvice !== null ? `; ${keyAdvice}` : "";
  if (status !== undefined) return `${url} answered ${reason}${advice}`; // (2)
  const trouble = code === undefined ? null : certificateTrouble(code);
  if (trouble !== null) return `the certificate of ${url} is not trusted (${code}); ${FIXES[trouble]}`; // (3)
  return code === undefined ? `${url}: ${reason}` : `${url} cannot be asked (${printable(code)})`; // (4)
}

const UNAUTHORIZED = 401;
const ANSWER_MAX_TOKENS = 256;

/** Its address is the one that the model was started with. */
const FIXES = { ...CERTIFICATE_FIXES, misnamed: "serve the model with a --proxy-url that names the relay as its certificate does" };
