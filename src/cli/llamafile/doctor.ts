// `modelrelay llamafile doctor`: what this machine needs to run and relay llamafiles, each with what to do where it is missing.
import type { CommandBody, CommandWorld } from "../commands.ts";
import { examineRelay, httpBase } from "../doctor/examine-relay.ts";
import { failed, type Outcome, skipped } from "../doctor/finding.ts";
import { readCertificates } from "../options/certificates.ts";
import { resolveSecret } from "../options/secrets.ts";
import { proxyOnTheWay } from "../relay/client.ts";
import { examineMachine } from "./examine-machine.ts";
import { DOCTOR_OPTIONS } from "./options.ts";
import { type LlamafileLine, readLine } from "./settings.ts";

const LINE = { options: DOCTOR_OPTIONS };

interface Line {
  readonly check: string;
  readonly outcome: Outcome;
}

export const doctor: CommandBody = {
  ...LINE,
  async run(args, world) {
    const line = readLine("doctor", LINE, args, world.env);
    const { values, home } = line;
    const lines: Line[] = [];
    const say = (check: string, outcome: Outcome): void => {
      lines.push({ check, outcome });
      if (!values.json) world.print(render(check, outcome));
    };
    await examineMachine(home, world.env, say);
    await examineConfiguredRelay(line, world, say);
    const bad = lines.filter(({ outcome }) => outcome.verdict === "failed").length;
    if (values.json) world.print(`${JSON.stringify({ ok: bad === 0, checks: lines.map(toJson) }, null, 2)}\n`);
    else world.print(bad === 0 ? "\nNothing is broken.\n" : `\n${bad} of ${lines.length} checks failed.\n`);
    return bad === 0 ? 0 : 1;
  },
};

type Say = (check: string, outcome: Outcome) => void;

/** A relay that nobody named is none to complain of: `run` needs none. */
async function examineConfiguredRelay(line: LlamafileLine<typeof DOCTOR_OPTIONS>, world: CommandWorld, say: Say): Promise<void> {
  const { values, origins } = line;
  if (values.proxyUrl === null) {
    return say("relay", skipped("none is set; 'serve' needs one: 'modelrelay llamafile config set proxy-url URL'"));
  }
  const secret = resolveSecret(
    { value: values.workerSecret, origin: origins.workerSecret },
    { value: values.workerSecretFile, origin: origins.workerSecretFile },
  );
  await examineRelay(
    {
      url: values.proxyUrl,
      proxy: proxyOnTheWay(httpBase(values.proxyUrl), world.env),
      tlsCa: values.tlsCa === null ? null : readCertificates(values.tlsCa),
      provider: values.provider,
      secret,
      nowUnixMs: () => world.clock.unixMs(),
    },
    say,
  );
  if (secret !== null) return;
  say(
    "worker secret",
    failed("none is set, and 'serve' needs it", "'modelrelay llamafile config set worker-secret', with the relay's WORKER_SECRET"),
  );
}

const VERDICT_CHARS = 8;
const NAME_CHARS = 13;

function render(check: string, outcome: Outcome): string {
  const verdict = outcome.verdict === "failed" ? "FAILED" : outcome.verdict;
  const fix = "fix" in outcome ? `${" ".repeat(VERDICT_CHARS + NAME_CHARS + 2)}-> ${outcome.fix}\n` : "";
  return `${verdict.padEnd(VERDICT_CHARS)} ${check.padEnd(NAME_CHARS)} ${outcome.detail}\n${fix}`;
}

function toJson({ check, outcome }: Line): object {
  return { check, verdict: outcome.verdict, detail: outcome.detail, fix: "fix" in outcome ? outcome.fix : null };
}
