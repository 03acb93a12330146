// What the demo answers: a friendly text about the input, or a call of one of the offered tools.
import { type Conversation, freshToolResults, lastUserText, type OfferedTool } from "./conversation.ts";
import { exampleArguments } from "./example-arguments.ts";
import { countTextTokens, countWords, shorten, splitTokens } from "./tokens.ts";

export interface TextReply {
  readonly kind: "text";
  readonly tokens: readonly string[];
  /** The answer was longer than the request's limit. */
  readonly isCut: boolean;
}

export interface ToolReply {
  readonly kind: "tool";
  readonly name: string;
  /** The arguments' JSON text, in pieces. */
  readonly tokens: readonly string[];
}

export type Reply = TextReply | ToolReply;

export function composeReply(conversation: Conversation): Reply {
  const limit = conversation.maxTokens ?? Infinity;
  const tool = wantedTool(conversation);
  if (tool !== null) {
    const tokens = splitTokens(exampleArguments(tool.schema, lastUserText(conversation.turns)));
    // A call cut in half is of no use to anyone: with too little room the demo speaks instead.
    if (tokens.length <= limit) return { kind: "tool", name: tool.name, tokens };
  }
  const tokens = splitTokens(composeText(conversation));
  return { kind: "text", tokens: tokens.slice(0, limit), isCut: tokens.length > limit };
}

/** Tokens of everything the request made the demo read. */
export function countPromptTokens(conversation: Conversation): number {
  const spoken = conversation.turns.reduce((sum, turn) => sum + countTextTokens(turn.text), 0);
  return conversation.tools.reduce((sum, tool) => sum + countTextTokens(JSON.stringify(tool)), spoken);
}

/**
 * 1. results are there to be answered, or tools are not wanted: none;
 * 2. the request demands one; 3. the user names one; 4. the user asks for any; 5. otherwise none.
 */
function wantedTool({ turns, tools, toolChoice }: Conversation): OfferedTool | null {
  const first = tools[0];
  if (first === undefined || toolChoice === "none" || freshToolResults(turns).length > 0) return null; // (1)
  if (typeof toolChoice === "object") return tools.find((tool) => tool.name === toolChoice.name) ?? null; // (2)
  const text = lastUserText(turns);
  const named = tools.find((tool) => mentions(text, tool.name));
  if (named !== undefined) return named; // (3)
  if (toolChoice === "any" || /\buse (a|the|any) tool\b/i.test(text)) return first; // (2), (4)
  return null; // (5)
}

/** Whether `text` holds `name` as a word of its own. */
function mentions(text: string, name: string): boolean {
  let at = name === "" ? -1 : text.indexOf(name);
  while (at !== -1) {
    const isWord = !isWordCharacter(text[at - 1]) && !isWordCharacter(text[at + name.length]);
    if (isWord) return true;
    at = text.indexOf(name, at + 1);
  }
  return false;
}

function isWordCharacter(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}_]/u.test(character);
}

const ECHO_MAX_CHARS = 200;
const COUNT_MAX = 10_000;

function composeText(conversation: Conversation): string {
  const asked = lastUserText(conversation.turns);
  const results = freshToolResults(conversation.turns);
  const said =
    results.length > 0
      ? `The tool answered: “${results.map(echo).join("”, “")}”. That is ${plural(countWords(results.join(" ")), "word")} to work with.`
      : `You wrote ${plural(countWords(asked), "word")}: “${echo(asked)}”.`;
  return [
    "Hello from the demo backend! 👋 I am not a model, I only count and repeat – but your request and this answer really travelled the whole way. 🚀",
    said,
    ...counting(asked),
    "Connect a real model server whenever you like – nothing else has to change. Voilà!",
  ].join("\n\n");
}

/** "Count to 500" makes a long answer, for trying out streams and cancelling. */
function counting(asked: string): readonly string[] {
  const wanted = /\bcount to (\d{1,6})\b/i.exec(asked)?.[1];
  if (wanted === undefined) return [];
  const last = Math.min(Number(wanted), COUNT_MAX);
  return [Array.from({ length: last }, (_, index) => index + 1).join(" ")];
}

function echo(text: string): string {
  return shorten(text, ECHO_MAX_CHARS);
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}
