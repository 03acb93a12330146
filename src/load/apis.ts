// The APIs that can be loaded: their paths, a request of each, and what the events of their streams mean.

export const API_NAMES = ["chat", "responses", "messages", "completions", "embeddings"] as const;
export type ApiName = (typeof API_NAMES)[number];

/**
 * 1. chunk    a piece of the answer
 * 2. end      the event that says the answer is complete
 * 3. error    the answer failed, whatever the status was
 * 4. nothing  neither, such as a ping
 */
export type EventMeaning =
  | { readonly kind: "chunk" | "end" | "nothing"; readonly tokens: number | null }
  | { readonly kind: "error"; readonly code: string | null; readonly message: string | null };

export interface Api {
  readonly path: string;
  /** Embeddings come whole. */
  readonly canStream: boolean;
  readonly body: (wish: Wish) => object;
  readonly meaningOf: (name: string, data: Buffer) => EventMeaning;
}

export interface Wish {
  readonly model: string;
  readonly prompt: string;
  readonly maxTokens: number;
  readonly isStreaming: boolean;
}

const messagesOf = (prompt: string) => [{ role: "user", content: prompt }];
/** Asks for the count of tokens at the end of a stream. */
const countTokens = (isStreaming: boolean): object => (isStreaming ? { stream_options: { include_usage: true } } : {});

export const APIS: Readonly<Record<ApiName, Api>> = {
  chat: {
    path: "/v1/chat/completions",
    canStream: true,
    body: ({ model, prompt, maxTokens, isStreaming }) => ({
      model,
      messages: messagesOf(prompt),
      max_tokens: maxTokens,
      stream: isStreaming,
      ...countTokens(isStreaming),
    }),
    meaningOf: meaningWithoutNames,
  },
  responses: {
    path: "/v1/responses",
    canStream: true,
    body: ({ model, prompt, maxTokens, isStreaming }) => ({ model, input: prompt, max_output_tokens: maxTokens, stream: isStreaming }),
    meaningOf: (name, data) => meaningByName(name, data, RESPONSES_EVENTS),
  },
  messages: {
    path: "/v1/messages",
    canStream: true,
    body: ({ model, prompt, maxTokens, isStreaming }) => ({
      model,
      messages: messagesOf(prompt),
      max_tokens: maxTokens,
      stream: isStreaming,
    }),
    meaningOf: (name, data) => meaningByName(name, data, MESSAGES_EVENTS),
  },
  completions: {
    path: "/v1/completions",
    canStream: true,
    body: ({ model, prompt, maxTokens, isStreaming }) => ({
      model,
      prompt,
      max_tokens: maxTokens,
      stream: isStreaming,
      ...countTokens(isStreaming),
    }),
    meaningOf: meaningWithoutNames,
  },
  embeddings: {
    path: "/v1/embeddings",
    canStream: false,
    body: ({ model, prompt }) => ({ model, input: prompt }),
    meaningOf: meaningWithoutNames,
  },
};

type NamedEvents = ReadonlyMap<string, "end" | "error" | "nothing">;

const MESSAGES_EVENTS: NamedEvents = new Map([
  ["message_stop", "end"],
  ["error", "error"],
  ["ping", "nothing"],
] as const);

// "incomplete" is how an answer ends that reached its limit of tokens.
const RESPONSES_EVENTS: NamedEvents = new Map([
  ["response.completed", "end"],
  ["response.incomplete", "end"],
  ["response.failed", "error"],
  ["response.cancelled", "error"],
  ["error", "error"],
] as const);

const DONE = Buffer.from("[DONE]");
const ERROR_KEY = Buffer.from('"error"');
const USAGE_KEY = Buffer.from('"usage"');
const NULL_BEGINS = 0x6e;

/** Chat and completions: events have no names, and the end is a word that is no JSON. */
function meaningWithoutNames(_name: string, data: Buffer): EventMeaning {
  if (data.equals(DONE)) return { kind: "end", tokens: null };
  if (!holdsObject(data, ERROR_KEY) && !holdsObject(data, USAGE_KEY)) return CHUNK;
  const event = parseObject(data.toString());
  const error = event["error"];
  if (error !== undefined && error !== null) return { kind: "error", ...complaintOf(event) };
  return { kind: "chunk", tokens: tokensOf(event) };
}

function meaningByName(name: string, data: Buffer, named: NamedEvents): EventMeaning {
  const type = name === "" ? parseObject(data.toString())["type"] : name;
  const kind = named.get(String(type)) ?? "chunk";
  if (kind === "error") return { kind, ...complaintOf(parseObject(data.toString())) };
  if (!holdsObject(data, USAGE_KEY)) return { kind, tokens: null };
  return { kind, tokens: tokensOf(parseObject(data.toString())) };
}

const CHUNK: EventMeaning = { kind: "chunk", tokens: null };

/** The key is there with a value other than null. Within texts of the event its quotes would be escaped. */
function holdsObject(data: Buffer, key: Buffer): boolean {
  for (let at = data.indexOf(key); at >= 0; at = data.indexOf(key, at + key.length)) {
    let value = at + key.length;
    while (data[value] === 0x20 || data[value] === 0x3a) value++;
    if (data[value] !== NULL_BEGINS) return true;
  }
  return false;
}

/** What a body or event says went wrong; the code, or the type where there is no code. Both are text of others. */
export function complaintOf(body: Fields): { readonly code: string | null; readonly message: string | null } {
  const error = body["error"] ?? fieldsOf(body["response"])["error"] ?? body;
  if (typeof error === "string") return { code: null, message: error };
  const { code, type, message } = fieldsOf(error);
  return { code: textOf(code) ?? textOf(type), message: textOf(message) };
}

/** Tokens the model wrote, as an answer or event counts them; null when it does not. */
export function tokensOf(body: Fields): number | null {
  const usage = fieldsOf(body["usage"] ?? fieldsOf(body["response"])["usage"]);
  const tokens = usage["completion_tokens"] ?? usage["output_tokens"];
  return typeof tokens === "number" && Number.isFinite(tokens) && tokens >= 0 ? tokens : null;
}

export type Fields = Readonly<Record<string, unknown>>;

/** Empty when it is no JSON object. */
function parseObject(text: string): Fields {
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return {};
  }
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : null;
}
