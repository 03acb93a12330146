// `modelrelay doctor`: from a worker's machine, every step from the name of the relay to a streamed answer, each with what to do.
import { outputWidth } from "../columns.ts";
import type { CommandBody, CommandWorld } from "../command.ts";
import { readCertificates } from "../options/certificates.ts";
import type { GivenSecret } from "../options/secrets.ts";
import { type Parsed, parseOptions } from "../options/parse.ts";
import { resolveSecret } from "../options/secrets.ts";
import { proxyOnTheWay } from "../relay/client.ts";
import { type BackendPlace, examineBackend } from "./examine-backend.ts";
import { examineMachine, type Machine } from "./examine-machine.ts";
import { examineRelay, httpBase, type RelayPlace } from "./examine-relay.ts";
import { examineRelayed } from "./examine-relayed.ts";
import { CHECKS, type Say, skipped } from "./finding.ts";
import { DOCTOR_OPTIONS } from "./options.ts";
import { Report } from "./report.ts";

export const doctor: CommandBody = {
  options: DOCTOR_OPTIONS,
  async run(args, world) {
    const parsed = parseOptions("doctor", DOCTOR_OPTIONS, args, world.env);
    const { json } = parsed.values;
    const plan = toPlan(parsed, world);
    const report = new Report(CHECKS, json ? null : world.print, outputWidth());
    await examine(plan, report.say, world);
    world.print(json ? `${JSON.stringify(report.json, null, 2)}\n` : report.summary);
    return report.isFine ? 0 : 1;
  },
};

interface Plan {
  readonly machine: Machine;
  readonly relay: RelayPlace;
  readonly backend: BackendPlace;
  /** A client's; null: none. */
  readonly apiKey: string | null;
}

/** The ways to the relay and to the backend are gone at the same time, and told one after the other. */
async function examine({ machine, relay, backend, apiKey }: Plan, say: Say, { clock }: CommandWorld): Promise<void> {
  examineMachine(machine, say);
  const held = hold(say);
  const fromBackend = examineBackend(backend, held.say);
  // What goes wrong there is heard where it is waited for, and not while the relay is still looked at.
  fromBackend.catch(() => {});
  const isRelay = await examineRelay(relay, say);
  held.release();
  const direct = await fromBackend;
  if (!isRelay) return say("relayed answer", skipped("no relay answers"));
  const models = backend.model === null ? (backend.models ?? []).filter((name) => name !== "*") : [backend.model];
  const { proxy, tlsCa } = relay;
  say("relayed answer", await examineRelayed({ base: httpBase(relay.url), proxy, tlsCa, apiKey, models, direct }, clock));
}

/** @throws UsageError when a secret or a CA is unusable */
function toPlan({ values, origins }: Parsed<typeof DOCTOR_OPTIONS>, { env, clock }: CommandWorld): Plan {
  const given = (key: keyof typeof origins, value: string | null): GivenSecret => ({ value, origin: origins[key] });
  const secret = resolveSecret(given("workerSecret", values.workerSecret), given("workerSecretFile", values.workerSecretFile));
  const backendKey = resolveSecret(given("backendApiKey", values.backendApiKey), given("backendApiKeyFile", values.backendApiKeyFile));
  const apiKey = resolveSecret(given("apiKey", values.apiKey), given("apiKeyFile", values.apiKeyFile));
  const { models, model, maxConcurrency, provider } = values;
  const files = [values.workerSecretFile, values.backendApiKeyFile, values.apiKeyFile];
  return {
    machine: {
      env,
      maxConcurrency,
      secretFiles: files.filter((file) => file !== null),
      secretOrigins: [origins.workerSecret, origins.backendApiKey, origins.apiKey],
    },
    relay: {
      url: values.proxyUrl,
      proxy: proxyOnTheWay(httpBase(values.proxyUrl), env),
      tlsCa: values.tlsCa === null ? null : readCertificates(values.tlsCa),
      provider,
      secret,
      nowUnixMs: () => clock.unixMs(),
    },
    backend: {
      url: values.backendUrl,
      isDefault: origins.backendUrl.kind === "default",
      apiKey: backendKey,
      models,
      model,
      clock,
      relay: values.proxyUrl,
    },
    apiKey,
  };
}

interface Held {
  readonly say: Say;
  /** Says what was held back, and from then on everything at once. */
  readonly release: () => void;
}

function hold(say: Say): Held {
  let waiting: Parameters<Say>[] | null = [];
  return {
    say: (check, outcome) => {
      if (waiting === null) say(check, outcome);
      else waiting.push([check, outcome]);
    },
    release() {
      for (const finding of waiting ?? []) say(...finding);
      waiting = null;
    },
  };
}
