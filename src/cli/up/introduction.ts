// What `up` says first: the backend it connects, its models, and where clients reach the relay.
import { showUrl, type ListenAddress } from "../options/addresses.ts";
import type { FoundBackend } from "../model-server/find-backend.ts";

interface Introduced {
  readonly backend: FoundBackend & { readonly others: readonly FoundBackend[] };
  /** As clients see it. */
  readonly baseUrl: string;
  readonly listen: ListenAddress;
  /** The default port, when it was not to be had. */
  readonly takenPort: number | null;
  /** The worker secret was made up for this run. */
  readonly isPrivate: boolean;
}

export function renderIntroduction({ backend, baseUrl, listen, takenPort, isPrivate }: Introduced): string {
  const { models, others } = backend;
  const lines = [`Backend  ${describeBackend(backend)}`];
  for (const model of models.slice(0, MODELS_SHOWN)) lines.push(`           ${model}`);
  if (models.length > MODELS_SHOWN) lines.push(`           and ${models.length - MODELS_SHOWN} more`);
  for (const other of others) lines.push(`Also     ${describeBackend(other)}; choose it with --backend-url`);
  lines.push(`OpenAI   ${baseUrl}/v1`, `Claude   ${baseUrl}`);
  if (takenPort !== null) lines.push(`         Port ${takenPort} is taken, so the relay took ${listen.port}; --listen chooses another.`);
  if (isPrivate) lines.push("         Workers of other machines can join when the relay is given a --worker-secret-file.");
  return `${lines.join("\n")}\n`;
}

/** A longer list would push the address off the screen. */
export const MODELS_SHOWN = 12;

/** `http://127.0.0.1:11434 (Ollama), 2 models`. */
function describeBackend({ name, url, models }: FoundBackend): string {
  const count = models.length === 1 ? "1 model" : `${models.length} models`;
  return `${showUrl(url)} (${name}), ${count}`;
}
