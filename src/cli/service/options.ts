// Every option of `modelrelay service` besides those of the services themselves.
import { flag } from "../options/kinds.ts";
import { serviceName } from "./kinds.ts";
import { option } from "../options/option.ts";

const GROUP = "Service";

/** Which service is meant. */
export const SERVICE_OPTIONS = {
  name: option({
    flag: "name",
    variables: [],
    kind: serviceName(),
    fallback: null,
    group: GROUP,
    help: "Tells several services of a kind on one machine apart, as in --name gpu0.",
  }),
  user: option({
    flag: "user",
    variables: [],
    kind: flag(),
    fallback: false,
    group: GROUP,
    help: "A service of this user's own instead of one of the machine, which needs root; not on Windows.",
  }),
};

export const CHANGE_OPTIONS = {
  ...SERVICE_OPTIONS,
  dryRun: option({
    flag: "dry-run",
    variables: [],
    kind: flag(),
    fallback: false,
    group: GROUP,
    help: "Shows what would be written and run, and does nothing.",
  }),
};

export const INSTALL_OPTIONS = {
  ...CHANGE_OPTIONS,
  force: option({
    flag: "force",
    variables: [],
    kind: flag(),
    fallback: false,
    group: GROUP,
    help: "Replaces files that this command did not write.",
  }),
};
