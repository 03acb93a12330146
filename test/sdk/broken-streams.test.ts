// A stream that does not come to its end raises in the official SDKs; it never looks like a short answer.
import { expect, test } from "bun:test";
import { APIError as AnthropicError } from "@anthropic-ai/sdk";
import { APIError as OpenAIError } from "openai";
import * as answers from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { failureOf, within } from "../support/until.ts";
import { type Way, WAYS } from "./dialects.ts";
import { type FakeStack, startFakeStack } from "./stack.ts";

/** How many events of the stream come before it breaks. */
const EVENTS_BEFORE = 3;

interface Break {
  readonly what: string;
  readonly answer: (events: readonly string[], isRead: Promise<void>) => Answer;
  /** Done by the test once the events are read. */
  readonly breakIt?: (stack: FakeStack) => Promise<unknown>;
}

const BREAKS: readonly Break[] = [
  { what: "the backend closes the connection", answer: (events, isRead) => closingAfter(events, isRead) },
  { what: "the backend resets the connection", answer: (events, isRead) => answers.resetMidStream(events, isRead) },
  {
    what: "the backend closes in the middle of an event",
    answer: (events, isRead) => closingAfter([...events, 'data: {"half":'], isRead),
  },
  { what: "the worker is gone", answer: (events) => answers.hangMidStream(events), breakIt: (stack) => stack.worker.stop() },
  { what: "the relay stops", answer: (events) => answers.hangMidStream(events), breakIt: (stack) => stack.relay.stop() },
];

for (const way of WAYS) {
  for (const { what, answer, breakIt } of BREAKS) {
    test(`[P4] ${way.name}: ${what}`, async () => {
      await using stack = await startFakeStack(answers.politely(["m"]));
      const failure = await breakStream(stack, way, answer, breakIt);
      expect(failure).toBeInstanceOf(Error);
    });
  }

  test(`[P4] ${way.name}: the backend falls silent for longer than the relay allows`, async () => {
    await using stack = await startFakeStack(answers.hangMidStream(streamEvents(way.dialect).slice(0, EVENTS_BEFORE)), {
      chunkTimeoutMs: 50,
    });
    expect(await within(failureOf(way.streamed(stack)), "the stream raises")).toBeInstanceOf(Error);
  });

  test(`[P4] ${way.name}: the accumulator raises too`, async () => {
    await using stack = await startFakeStack(answers.unterminatedStream(streamEvents(way.dialect).slice(0, EVENTS_BEFORE)));
    expect(await within(failureOf(way.accumulated(stack)), "the stream raises")).toBeInstanceOf(Error);
  });
}

for (const way of WAYS.filter(({ dialect }) => dialect !== "responses")) {
  test(`[P4] ${way.name}: the exception carries the relay's own words`, async () => {
    await using stack = await startFakeStack(answers.politely(["m"]));
    const failure = await breakStream(stack, way, closingAfter);
    expect(failure).toBeInstanceOf(way.dialect === "messages" ? AnthropicError : OpenAIError);
    expect(String(failure)).toContain("model backend");
  });
}

/** Streams until EVENTS_BEFORE events are there, lets it break, and resolves to what the SDK threw. */
async function breakStream(stack: FakeStack, way: Way, answer: Break["answer"], breakIt?: Break["breakIt"]): Promise<unknown> {
  const isRead = Promise.withResolvers<void>();
  stack.backend.answer = answer(streamEvents(way.dialect).slice(0, EVENTS_BEFORE), isRead.promise);
  let seen = 0;
  const wanted = streamEvents(way.dialect)
    .slice(0, EVENTS_BEFORE)
    .filter((event) => !event.includes("event: ping")).length;
  const reading = way.streamed(stack, () => {
    seen += 1;
    if (seen === wanted) isRead.resolve();
  });
  const failure = within(failureOf(reading), "the stream raises");
  await Promise.race([isRead.promise, failure]);
  await breakIt?.(stack);
  expect(seen).toBe(wanted);
  return await failure;
}

function closingAfter(events: readonly string[], isRead: Promise<void>): Answer {
  return async (exchange) => {
    const stream = await exchange.stream();
    for (const event of events) await stream.send(event);
    await isRead;
    await exchange.close();
  };
}
