// `modelrelay keys create`: the secret alone on the standard output, so that a script can catch it; the rest is for people.
import { UsageError } from "../../base/errors.ts";
import type { CommandBody } from "../command.ts";
import { createKeysClient } from "./client.ts";
import { CREATE_OPTIONS, type Expiry } from "./options.ts";
import { parseOptions } from "../options/parse.ts";
import { quote } from "../../base/printable.ts";

export const createKey: CommandBody = {
  options: CREATE_OPTIONS,
  async run(args, world) {
    const parsed = parseOptions("keys create", CREATE_OPTIONS, args, world.env);
    const { values } = parsed;
    const { name, scopes } = values;
    if (name === null) throw new UsageError("a name is needed: --name NAME says what the key is called in lists and logs");
    const client = createKeysClient(parsed, world);
    const key = await client.create({
      name,
      scopes: [...scopes],
      models: values.models === null ? null : [...values.models],
      provider: values.provider,
      worker_name: values.workerName,
      max_slots: values.maxSlots,
      max_concurrent: values.maxConcurrent,
      requests_per_minute: values.requestsPerMinute,
      expires_at: values.expires === null ? null : expiresAt(values.expires, world.clock.unixMs()),
    });
    if (values.json) {
      world.print(`${JSON.stringify(key, null, 2)}\n`);
      return 0;
    }
    const end = key.expires_at === null ? "does not expire" : `expires ${new Date(key.expires_at * 1000).toISOString()}`;
    world.tell(`Created the key ${quote(key.name)} (id ${key.id}, scopes ${key.scopes.join(", ")}, ${end}).\n`);
    world.tell("Its secret goes to the standard output, this once; keep it in a safe place:\n");
    world.print(`${key.secret}\n`);
    return 0;
  },
};

/** @throws UsageError for a moment that is over */
function expiresAt(expiry: Expiry, nowMs: number): number {
  if (expiry.kind === "after") return Math.floor(nowMs / 1000) + expiry.secs;
  if (expiry.unixSecs * 1000 > nowMs) return expiry.unixSecs;
  throw new UsageError("--expires: this moment is over; a key has to end in the future");
}
