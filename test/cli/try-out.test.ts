// The first request: what is printed of a good answer, and what becomes of a bad one.
import { expect, test } from "bun:test";
import { describeTimings, tryOut, type TryOutResult } from "../../src/cli/model-server/try-out.ts";
import { startDemoBackend } from "../../src/demo/demo.ts";
import { redirect, sse, unary } from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { ManualClock } from "../support/manual-clock.ts";

const delta = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const DONE = "data: [DONE]\n\n";

/** The result and what was printed of an answer. */
async function tryAt(answer: Answer, signal = new AbortController().signal): Promise<{ result: TryOutResult; printed: string }> {
  const backend = startFakeBackend(answer);
  let printed = "";
  try {
    const print = (text: string) => void (printed += text);
    const result = await tryOut({ baseUrl: backend.url, model: "m", prompt: "hi", signal }, { clock: new ManualClock(), print });
    return { result, printed };
  } finally {
    await backend.stop();
  }
}

test.each([{ reasoning_content: "Hmm. " }, { reasoning: "Hmm. " }, { content: "", reasoning_content: "Hmm. " }])(
  "[K23] the answer is printed as it comes, comments and thoughts included in the right way: %p",
  async (thinking) => {
    const thought = `data: ${JSON.stringify({ choices: [{ delta: thinking }] })}\n\n`;
    const { result, printed } = await tryAt(
      sse([": queued, position 1\n\n", thought, delta("Hel"), delta("lo\nyou\u001b[2J"), DONE], { slicing: 3 }),
    );
    expect(printed).toBe("Hmm. Hello\nyou\\u001b[2J");
    expect(result).toMatchObject({ kind: "answered", pieces: 3 });
  },
);

test.each<[string, Answer, string]>([
  ["a refusal", unary(404, '{"error":{"message":"No worker offers this model."}}'), "404 No worker offers this model."],
  ["an error in the stream", sse([delta("a"), 'data: {"error":{"message":"broke off"}}\n\n']), "broke off"],
  ["an answer without its end", sse([delta("a")]), "the answer ended before it was complete"],
  ["an empty answer", sse([DONE]), "the answer ended without a word"],
])("[K23] %s is a failure with its reason", async (_what, answer, reason) => {
  expect((await tryAt(answer)).result).toMatchObject({ kind: "failed", reason });
});

test("[K23] a stop signal ends it", async () => {
  expect((await tryAt(redirect("/"), AbortSignal.abort())).result).toEqual({ kind: "failed", reason: "stopped" });
});

test("[K23] the demo backend speaks", async () => {
  const demo = startDemoBackend({ port: 0, tokensPerSecond: 0 });
  try {
    let printed = "";
    const world = { clock: new ManualClock(), print: (text: string) => void (printed += text) };
    const baseUrl = demo.url.href.replace(/\/$/, "");
    const result = await tryOut({ baseUrl, model: "demo", prompt: "hi", signal: new AbortController().signal }, world);
    expect(result.kind).toBe("answered");
    expect(printed).not.toBe("");
  } finally {
    await demo.stop();
  }
});

test("[K23] the timings say when the first token came and how fast the rest", () => {
  expect(describeTimings({ kind: "answered", firstTokenMs: 11.6, totalMs: 640, pieces: 24 })).toBe(
    "first token after 12 ms, 24 tokens in 640 ms (37 tokens/s)",
  );
  expect(describeTimings({ kind: "answered", firstTokenMs: 5, totalMs: 5, pieces: 1 })).toBe("first token after 5 ms, 1 token in 5 ms");
});
