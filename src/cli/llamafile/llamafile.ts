// `modelrelay llamafile`: finds, downloads, runs and relays models that are one executable file each.
// A file for each verb: in models/ those about files, in running/ those about processes. What verbs share: how a line is read (options.ts,
// option-groups.ts, settings.ts, words.ts), how a model gets here (models/get-model.ts), how it is started (running/start.ts, then
// start-in-background.ts or keep-here.ts, with start-wishes.ts and environments.ts), how its state is said (running/state-text.ts).
import type { CommandGroup } from "../command.ts";

export const llamafile: CommandGroup = {
  commands: [
    {
      name: "list",
      summary: "shows which models there are and which are here, smallest first; what does not fit comes last",
      load: async () => (await import("./models/list.ts")).list,
    },
    {
      name: "recommend",
      summary: "shows which models suit this machine",
      load: async () => (await import("./models/recommend.ts")).recommend,
    },
    {
      name: "download",
      summary: "downloads models, and goes on with what was begun",
      load: async () => (await import("./models/download.ts")).download,
    },
    {
      name: "run",
      summary: "starts a model in the background, for this machine",
      load: async () => (await import("./running/run.ts")).run,
    },
    { name: "serve", summary: "starts a model and a worker that relays it", load: async () => (await import("./running/serve.ts")).serve },
    {
      name: "test",
      summary: "asks a running model something, directly and through the relay",
      load: async () => (await import("./running/test.ts")).test,
    },
    { name: "status", summary: "shows which models run", load: async () => (await import("./running/status.ts")).status },
    { name: "stop", summary: "stops models", load: async () => (await import("./running/stop.ts")).stop },
    { name: "restart", summary: "stops a model and starts it as it was", load: async () => (await import("./running/restart.ts")).restart },
    { name: "logs", summary: "shows what a model or its worker said", load: async () => (await import("./running/logs.ts")).logs },
    { name: "import", summary: "takes in a llamafile of your own", load: async () => (await import("./models/import.ts")).importOwn },
    { name: "rm", summary: "removes a model's file", load: async () => (await import("./models/rm.ts")).rm },
    {
      name: "update-catalog",
      summary: "asks which models are published today",
      load: async () => (await import("./models/update-catalog.ts")).updateCatalog,
    },
    { name: "config", summary: "settings that last: get, set, unset, list", load: async () => (await import("./config.ts")).config },
    { name: "doctor", summary: "checks what this machine needs for all this", load: async () => (await import("./doctor.ts")).doctor },
  ],
};
