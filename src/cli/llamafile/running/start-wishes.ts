// What is asked for when a model is started: the same for the terminal that asks and for the process that keeps the model.
import { hostname } from "node:os";
import { resolve } from "node:path";
import { UsageError } from "../../../base/errors.ts";
import type { Home } from "../../../llamafile/home.ts";
import { WORKER_DRAIN_MS } from "../../../llamafile/keeper.ts";
import type { Model } from "../../../llamafile/library.ts";
import type { PortRange } from "../../../llamafile/port.ts";
import { WORKER_NAME_MAX_CHARS } from "../../../protocol/limits.ts";
import { showUrl } from "../../options/addresses.ts";
import { resolveSecret, warnOfSecretFlag } from "../../options/secrets.ts";
import type { Origin, OptionValues } from "../../options/option.ts";
import type { RELAY_OPTIONS, WORKER_OPTIONS } from "../option-groups.ts";
import { thisProgram } from "../../this-program.ts";

export interface StartWishes {
  readonly home: Home;
  readonly model: Model;
  /** Null takes a free one of the range. */
  readonly port: number | null;
  readonly portRange: PortRange;
  readonly gpuLayers: number | null;
  readonly contextSize: number | null;
  readonly loadTimeoutMs: number;
  /** For the llamafile: what the settings say, and what this line says. */
  readonly defaultArgs: readonly string[];
  readonly args: readonly string[];
  /** Null: it is not relayed. */
  readonly relay: RelayWishes | null;
}

export interface RelayWishes {
  readonly proxyUrl: string;
  readonly workerSecret: string;
  readonly tlsCa: string | null;
  readonly provider: string;
  readonly maxConcurrency: number;
}

type Values = OptionValues<typeof RELAY_OPTIONS & typeof WORKER_OPTIONS>;
type Origins = { readonly [K in "workerSecret" | "workerSecretFile"]: Origin };

/** @throws UsageError when the relay or its secret is not said */
export function relayWishes(values: Values, origins: Origins, tell: (text: string) => void): RelayWishes {
  if (values.proxyUrl === null) {
    throw new UsageError("a relay is needed: --proxy-url URL, or once and for all 'modelrelay llamafile config set proxy-url URL'");
  }
  warnOfSecretFlag(origins.workerSecret, tell);
  const workerSecret = resolveSecret(
    { value: values.workerSecret, origin: origins.workerSecret },
    { value: values.workerSecretFile, origin: origins.workerSecretFile },
  );
  if (workerSecret === null) {
    throw new UsageError(
      "the relay's worker secret is needed: --worker-secret-file PATH, the variable WORKER_SECRET, " +
        "or once and for all 'modelrelay llamafile config set worker-secret < FILE'",
    );
  }
  const { provider, maxConcurrency } = values;
  // The keeper and the worker are started in a directory of their own.
  const tlsCa = values.tlsCa === null ? null : resolve(values.tlsCa);
  return { proxyUrl: showUrl(values.proxyUrl), workerSecret, tlsCa, provider, maxConcurrency };
}

/** The line that has this program keep the model: all of it but the secret, as a keeper reads no settings. */
export function keeperCommand(wishes: StartWishes): readonly string[] {
  const { home, model, port, portRange, gpuLayers, contextSize, relay } = wishes;
  const args = [...wishes.defaultArgs, ...wishes.args];
  const relayed = relay === null ? [] : ["--proxy-url", relay.proxyUrl, ...relayFlags(relay)];
  return [
    ...thisProgram(),
    "llamafile",
    relay === null ? "run" : "serve",
    model.slug,
    "--foreground",
    `--home=${home.root}`,
    `--port-range=${portRange.first}-${portRange.last}`,
    ...(port === null ? [] : [`--port=${port}`]),
    ...(gpuLayers === null ? [] : [`--gpu-layers=${gpuLayers}`]),
    ...(contextSize === null ? [] : [`--context-size=${contextSize}`]),
    ...relayed,
    ...(args.length === 0 ? [] : ["--", ...args]),
  ];
}

/** The line that connects the model at `backendUrl` to the relay. The secret is not on it. */
export function workerCommand(slug: string, relay: RelayWishes, backendUrl: string): readonly string[] {
  const name = `${hostname()}-${slug}`.slice(-WORKER_NAME_MAX_CHARS);
  const drain = String(WORKER_DRAIN_MS / 1000);
  const flags = [
    "--proxy-url",
    relay.proxyUrl,
    "--backend-url",
    backendUrl,
    "--models",
    slug,
    `--worker-name=${name}`,
    "--drain-timeout",
    drain,
  ];
  return [...thisProgram(), "work", ...flags, ...relayFlags(relay)];
}

function relayFlags({ tlsCa, provider, maxConcurrency }: RelayWishes): readonly string[] {
  return [`--provider=${provider}`, `--max-concurrency=${maxConcurrency}`, ...(tlsCa === null ? [] : [`--tls-ca=${tlsCa}`])];
}
