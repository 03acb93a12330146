// The three dialects as a client of the official SDKs uses them, so that one test can be said for all.
import type { Dialect } from "../support/fake-backend-events.ts";
import type { Clients } from "./stack.ts";

export interface Way {
  readonly name: string;
  readonly dialect: Dialect;
  /** Asks for a whole answer and resolves to its text. */
  whole(clients: Clients, signal?: AbortSignal): Promise<string>;
  /** The same, streamed and put together from the deltas; `onEvent` is called with each event that came. */
  streamed(clients: Clients, onEvent?: () => void, signal?: AbortSignal): Promise<string>;
  /** The same, put together by the SDK's own accumulator. */
  accumulated(clients: Clients): Promise<string>;
}

const SAY_HI: { role: "user"; content: string }[] = [{ role: "user", content: "Hi" }];
const CHAT = { messages: SAY_HI };
const RESPONSES = { input: "Hi" };
const MESSAGES = { max_tokens: 100, messages: SAY_HI };

export const WAYS: readonly Way[] = [
  {
    name: "chat completions",
    dialect: "chat",
    async whole({ openai, model }, signal) {
      const answer = await openai.chat.completions.create({ model, ...CHAT }, signalled(signal));
      return answer.choices[0]?.message.content ?? "";
    },
    async streamed({ openai, model }, onEvent, signal) {
      let text = "";
      for await (const chunk of await openai.chat.completions.create({ model, ...CHAT, stream: true }, signalled(signal))) {
        onEvent?.();
        text += chunk.choices[0]?.delta.content ?? "";
      }
      return text;
    },
    async accumulated({ openai, model }) {
      return (await openai.chat.completions.stream({ model, ...CHAT }).finalContent()) ?? "";
    },
  },
  {
    name: "responses",
    dialect: "responses",
    async whole({ openai, model }, signal) {
      return (await openai.responses.create({ model, ...RESPONSES }, signalled(signal))).output_text;
    },
    async streamed({ openai, model }, onEvent, signal) {
      let text = "";
      for await (const event of await openai.responses.create({ model, ...RESPONSES, stream: true }, signalled(signal))) {
        onEvent?.();
        if (event.type === "response.output_text.delta") text += event.delta;
      }
      return text;
    },
    async accumulated({ openai, model }) {
      return (await openai.responses.stream({ model, ...RESPONSES }).finalResponse()).output_text;
    },
  },
  {
    name: "messages",
    dialect: "messages",
    async whole({ anthropic, model }, signal) {
      const answer = await anthropic.messages.create({ model, ...MESSAGES }, signalled(signal));
      return answer.content.map((block) => (block.type === "text" ? block.text : "")).join("");
    },
    async streamed({ anthropic, model }, onEvent, signal) {
      let text = "";
      for await (const event of await anthropic.messages.create({ model, ...MESSAGES, stream: true }, signalled(signal))) {
        onEvent?.();
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text;
      }
      return text;
    },
    async accumulated({ anthropic, model }) {
      return await anthropic.messages.stream({ model, ...MESSAGES }).finalText();
    },
  },
];

function signalled(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
