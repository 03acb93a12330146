// The demo model backend: a model server without a model, so that a relay can be tried on a machine that has none.
import { type Clock, systemClock } from "../base/clock.ts";
import { Announcer } from "./announcer.ts";
import { chat } from "./chat.ts";
import { completions } from "./completions.ts";
import { answerWith, type Dialect } from "./dialect.ts";
import { embeddings } from "./embeddings.ts";
import { messages } from "./messages.ts";
import { countTokens } from "./count-tokens.ts";
import { listModels, MODELS_PATH, retrieveModel } from "./models.ts";
import { DemoRefusal, refuse, refuseAs } from "./refusal.ts";
import { rerank } from "./rerank.ts";
import { responses } from "./responses.ts";

export interface DemoOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly host?: string;
  /** How fast it speaks; 0 = as fast as it can. */
  readonly tokensPerSecond?: number;
  readonly firstTokenDelayMs?: number;
  readonly clock?: Clock;
}

export interface DemoBackend {
  readonly url: URL;
  /** Answers being generated at this moment. */
  readonly speaking: () => number;
  /** Ends every answer, closes every connection. */
  stop(): Promise<void>;
}

// As slow as a mid-sized model on a home GPU, so that streaming can be seen.
const DEFAULT_TOKENS_PER_SECOND = 40;

/** Starts listening. @throws when the port is taken */
export function startDemoBackend(options: DemoOptions = {}): DemoBackend {
  const stopping = new AbortController();
  const announcer = new Announcer({
    clock: options.clock ?? systemClock,
    tokensPerSecond: options.tokensPerSecond ?? DEFAULT_TOKENS_PER_SECOND,
    firstTokenDelayMs: options.firstTokenDelayMs ?? 0,
    stopping: stopping.signal,
  });
  const server = Bun.serve({
    hostname: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    development: false,
    // A port that is taken must be said to be taken.
    reusePort: false,
    // A slow answer is silent for as long as it likes.
    idleTimeout: 0,
    fetch: (request) => route(request, announcer),
    error: () => refuse("openai", new DemoRefusal(500, "internal_error", "The demo backend made an error.")),
  });
  return {
    url: server.url,
    speaking: () => announcer.speaking,
    async stop() {
      stopping.abort();
      await server.stop(true);
    },
  };
}

const DIALECTS: ReadonlyMap<string, Dialect> = new Map<string, Dialect>([
  ["/v1/chat/completions", chat],
  ["/v1/responses", responses],
  ["/v1/messages", messages],
  ["/v1/completions", completions],
]);

const LOOKUPS: ReadonlyMap<string, (body: unknown) => object> = new Map([
  ["/v1/messages/count_tokens", countTokens],
  ["/v1/embeddings", embeddings],
  ["/v1/rerank", rerank],
]);

/** 1. the models; 2. what is spoken, at the pace of a model; 3. what is computed, at once; 4. nothing else. */
async function route(request: Request, announcer: Announcer): Promise<Response> {
  const path = new URL(request.url).pathname;
  try {
    // (1)
    if (path === MODELS_PATH || path.startsWith(`${MODELS_PATH}/`)) {
      allowOnly(request, ["GET", "HEAD"]);
      return path === MODELS_PATH ? listModels(request.headers) : retrieveModel(path, request.headers);
    }
    // (2)
    const dialect = DIALECTS.get(path);
    if (dialect !== undefined) {
      allowOnly(request, ["POST"]);
      return await answerWith(dialect, await readJson(request), announcer, request.signal);
    }
    // (3)
    const lookup = LOOKUPS.get(path);
    if (lookup !== undefined) {
      allowOnly(request, ["POST"]);
      return Response.json(lookup(await readJson(request)));
    }
    // (4)
    throw new DemoRefusal(404, "not_found", "The demo backend has nothing at this path.");
  } catch (error) {
    if (error instanceof DemoRefusal) return refuse(refuseAs(path, request.headers), error);
    throw error;
  }
}

function allowOnly(request: Request, methods: readonly string[]): void {
  if (methods.includes(request.method)) return;
  throw new DemoRefusal(405, "method_not_allowed", `This path takes ${methods.join(", ")} only.`, { allow: methods.join(", ") });
}

async function readJson(request: Request): Promise<unknown> {
  const text = await request.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new DemoRefusal(400, "invalid_request", "The request body is not valid JSON.");
  }
}
