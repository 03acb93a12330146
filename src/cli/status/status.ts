// `modelrelay status`: workers, queue and live requests of a running relay, once or over and over.
import type { CommandBody } from "../command.ts";
import { parseOptions } from "../options/parse.ts";
import { adminDoor } from "../relay/client.ts";
import { STATUS_OPTIONS } from "./options.ts";
import { renderStatus } from "./render.ts";
import { roomForOneLook } from "./screen.ts";
import { lookAt, toJson } from "./snapshot.ts";

export const status: CommandBody = {
  options: STATUS_OPTIONS,
  async run(args, world) {
    const parsed = parseOptions("status", STATUS_OPTIONS, args, world.env);
    const { watch, intervalMs, json } = parsed.values;
    const door = adminDoor(parsed, world);
    if (watch) {
      const { watchRelay } = await import("./watch.ts");
      return await watchRelay({ door, intervalMs, isJson: json, clock: world.clock });
    }
    const seen = await lookAt(door, world.clock.unixMs());
    world.print(json ? `${JSON.stringify(toJson(seen), null, 2)}\n` : `${renderStatus(seen, roomForOneLook()).join("\n")}\n`);
    return 0;
  },
};
