// `modelrelay llamafile doctor`: what this machine needs to run and relay llamafiles, each with what to do where it is missing.
import { outputWidth } from "../columns.ts";
import type { CommandBody, CommandWorld } from "../command.ts";
import { examineRelay, httpBase } from "../doctor/examine-relay.ts";
import { CHECKS, failed, type Outcome, skipped } from "../doctor/finding.ts";
import { Report } from "../doctor/report.ts";
import { readCertificates } from "../options/certificates.ts";
import { resolveSecret } from "../options/secrets.ts";
import { proxyOnTheWay } from "../relay/client.ts";
import { examineMachine, MACHINE_CHECKS } from "./examine-machine.ts";
import { DOCTOR_OPTIONS } from "./options.ts";
import { type LlamafileLine, readLine } from "./settings.ts";

const LINE = { options: DOCTOR_OPTIONS };

/** Those of the machine are its own, those of the relay the ones that `modelrelay doctor` has. */
const PARTS = { ...MACHINE_CHECKS, ...CHECKS, "worker secret": CHECKS.secret } as const;

export const doctor: CommandBody = {
  ...LINE,
  async run(args, world) {
    const line = readLine("doctor", LINE, args, world.env);
    const { values, home } = line;
    const report = new Report(PARTS, values.json ? null : world.print, outputWidth());
    await examineMachine(home, world.env, report.say);
    await examineConfiguredRelay(line, world, report.say);
    world.print(values.json ? `${JSON.stringify(report.json, null, 2)}\n` : report.summary);
    return report.isFine ? 0 : 1;
  },
};

type Say = (check: keyof typeof PARTS, outcome: Outcome) => void;

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
    failed(
      "none is set, and 'serve' needs it",
      "'modelrelay llamafile config set worker-secret < FILE', with the relay's WORKER_SECRET in it",
    ),
  );
}
