// `modelrelay service`: installs, removes and shows the services of this machine.
import type { CommandBody, CommandGroup } from "../command.ts";
import type { Role } from "../../service/service.ts";
import { parseOptions } from "../options/parse.ts";
import { install } from "./install.ts";
import { CHANGE_OPTIONS, INSTALL_OPTIONS, SERVICE_OPTIONS } from "./options.ts";
import { ROLE_OPTIONS } from "./request.ts";
import { showService } from "./show.ts";
import { uninstall } from "./uninstall.ts";

export const service: CommandGroup = {
  commands: [
    {
      name: "install",
      summary: "writes a service of this machine for serve or work with the flags given, and starts it: now and at every boot",
      load: async () =>
        eachRole("installs", (role) => ({
          options: { ...ROLE_OPTIONS[role], ...INSTALL_OPTIONS },
          run: (args, world) => install(role, args, world),
        })),
    },
    {
      name: "uninstall",
      summary: "stops a service and removes what install wrote; keys and other data stay",
      load: async () =>
        eachRole("removes", (role) => ({
          options: CHANGE_OPTIONS,
          run: (args, world) => uninstall(role, parseOptions(`service uninstall ${role}`, CHANGE_OPTIONS, args, world.env).values, world),
        })),
    },
    {
      name: "status",
      summary: "says whether a service is installed, enabled and running; exit code 0 when it runs",
      load: async () =>
        eachRole("shows", (role) => ({
          options: SERVICE_OPTIONS,
          run: (args, world) => showService(role, parseOptions(`service status ${role}`, SERVICE_OPTIONS, args, world.env).values, world),
        })),
    },
  ],
};

function eachRole(does: string, toBody: (role: Role) => CommandBody): CommandGroup {
  return {
    commands: [
      { name: "serve", summary: `${does} the relay's service`, load: async () => toBody("serve") },
      { name: "work", summary: `${does} a worker's service`, load: async () => toBody("work") },
    ],
  };
}
