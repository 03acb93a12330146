// What every dialect's request comes down to: the one shape the demo thinks in.

export interface Turn {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly text: string;
}

export interface OfferedTool {
  readonly name: string;
  /** A JSON Schema, as the client wrote it. */
  readonly schema: unknown;
}

/** `auto`: when the user asks for it; `none`: never; `any`: always; an object: always this one. */
export type ToolChoice = "auto" | "none" | "any" | { readonly name: string };

export interface Conversation {
  readonly turns: readonly Turn[];
  readonly tools: readonly OfferedTool[];
  readonly toolChoice: ToolChoice;
  readonly maxTokens: number | null;
}

/** The text of the last thing the user said, or "". */
export function lastUserText(turns: readonly Turn[]): string {
  return turns.findLast((turn) => turn.role === "user")?.text ?? "";
}

/** The tool results the model has not answered yet: those after its own last turn. */
export function freshToolResults(turns: readonly Turn[]): readonly string[] {
  const lastOwn = turns.findLastIndex((turn) => turn.role === "assistant");
  return turns.slice(lastOwn + 1).flatMap((turn) => (turn.role === "tool" ? [turn.text] : []));
}
