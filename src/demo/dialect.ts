// What the four ways of asking for text have in common: read the request, compose a reply, send it whole or as a stream.
import { type Announcer } from "./announcer.ts";
import { type Conversation } from "./conversation.ts";
import { composeReply, countPromptTokens, type Reply } from "./reply.ts";
import { requireDemoModel } from "./models.ts";
import { eventStream } from "./event-stream.ts";

/** A request as the demo understands it, whatever its dialect. */
export interface Ask {
  readonly model: string | null;
  readonly isStreaming: boolean;
  /** Chat and completions: the client wants a last chunk with the usage. */
  readonly includesUsage: boolean;
  readonly conversation: Conversation;
}

/** All that an answer is built from. */
export interface Answer {
  readonly ask: Ask;
  readonly reply: Reply;
  /** Unique, without a prefix: each dialect puts its own before it. */
  readonly id: string;
  readonly unixSecs: number;
  readonly promptTokens: number;
  readonly replyTokens: number;
}

export interface Dialect {
  /** @throws DemoRefusal 400 naming the field */
  read(body: unknown): Ask;
  /** The answer in one piece. */
  whole(answer: Answer): object;
  /** The answer as server-sent events, each built when `tokens` gives the next token. */
  events(answer: Answer, tokens: AsyncIterable<string>): AsyncGenerator<string, void>;
}

/** @throws DemoRefusal 400, 404 */
export async function answerWith(dialect: Dialect, body: unknown, announcer: Announcer, listener: AbortSignal): Promise<Response> {
  const ask = dialect.read(body);
  requireDemoModel(ask.model);
  const reply = composeReply(ask.conversation);
  const answer: Answer = {
    ask,
    reply,
    id: crypto.randomUUID().replaceAll("-", ""),
    unixSecs: announcer.unixSecs(),
    promptTokens: countPromptTokens(ask.conversation),
    replyTokens: reply.tokens.length,
  };
  const tokens = announcer.speak(reply.tokens, listener);
  if (ask.isStreaming) return eventStream(dialect.events(answer, tokens), listener);
  try {
    for await (const _ of tokens); // The time a model would take.
  } catch (error) {
    if (announcer.isSilenced(listener)) return new Response(null, { status: 503 });
    throw error;
  }
  return Response.json(dialect.whole(answer));
}
