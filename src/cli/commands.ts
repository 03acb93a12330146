// The commands there are. Each is loaded only when it is the one to run, which keeps start-up quick.
import type { Command } from "./command.ts";

export const COMMANDS: readonly Command[] = [
  {
    name: "serve",
    summary: "the relay: takes clients' requests and gives them to workers",
    load: async () => (await import("./serve/serve.ts")).serve,
  },
  {
    name: "work",
    summary: "the worker: connects a model server to a relay",
    load: async () => (await import("./work/work.ts")).work,
  },
  {
    name: "up",
    summary: "relay and worker in one, for the model server of this machine",
    load: async () => (await import("./up/up.ts")).up,
  },
  {
    name: "status",
    summary: "shows workers, queue and live requests of a relay",
    load: async () => (await import("./status/status.ts")).status,
  },
  {
    name: "doctor",
    summary: "tries every step from a worker's box to an answer, and says what to do",
    load: async () => (await import("./doctor/doctor.ts")).doctor,
  },
  {
    name: "health",
    summary: "asks a relay whether it is well; exit code 0 or 1",
    load: async () => (await import("./health/health.ts")).health,
  },
  {
    name: "bench",
    summary: "load test of any OpenAI-compatible endpoint: throughput, latencies, errors by kind",
    load: async () => (await import("./bench/bench.ts")).bench,
  },
  {
    name: "keys",
    summary: "API keys of a relay: create, list, revoke",
    load: async () => (await import("./keys/keys.ts")).keys,
  },
  {
    name: "llamafile",
    summary: "finds, downloads, runs and relays models that are one executable file each",
    load: async () => (await import("./llamafile/llamafile.ts")).llamafile,
  },
  {
    name: "service",
    summary: "runs the relay or a worker as a service of this machine: install, uninstall, status",
    load: async () => (await import("./service/service.ts")).service,
  },
  {
    name: "completions",
    summary: "prints what makes a shell complete commands, flags and values",
    load: async () => (await import("./completions/completions.ts")).completions,
  },
];
