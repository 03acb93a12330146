// A program that gives up with the official SDKs' own means stops the backend, in every phase.
import { expect, test } from "bun:test";
import { hangBeforeHeaders, hangMidStream, politely } from "../support/fake-backend-answers.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { failureOf, until, within } from "../support/until.ts";
import { WAYS } from "./dialects.ts";
import { clientsOf, startDemoStack, startFakeStack } from "./stack.ts";

for (const way of WAYS) {
  test(`[P3] ${way.name}: given up before the backend answered`, async () => {
    await using stack = await startFakeStack(hangBeforeHeaders());
    for (const ask of [
      (signal: AbortSignal) => way.whole(stack, signal),
      (signal: AbortSignal) => way.streamed(stack, undefined, signal),
    ]) {
      const giveUp = new AbortController();
      const failure = failureOf(ask(giveUp.signal));
      const exchange = await stack.backend.nextExchange();
      expect(exchange.isClosedByPeer).toBe(false);
      giveUp.abort();
      await within(exchange.closedByPeer, "the backend sees that nobody waits");
      expect(String(await failure)).toContain("aborted");
    }
  });

  test(`[P3] ${way.name}: given up in the middle of a stream`, async () => {
    await using stack = await startFakeStack(hangMidStream(streamEvents(way.dialect).slice(0, 3)));
    const giveUp = new AbortController();
    const first = Promise.withResolvers<void>();
    const reading = way.streamed(stack, first.resolve, giveUp.signal).catch(() => "aborted");
    const exchange = await stack.backend.nextExchange();
    await within(first.promise, "the first event is there");
    giveUp.abort();
    await within(exchange.closedByPeer, "the backend sees that nobody reads");
    await reading;
  });

  test(`[P3] ${way.name}: given up while it waits, the backend never hears of it`, async () => {
    await using relay = startTestRelay();
    const giveUp = new AbortController();
    const failure = failureOf(way.whole(clientsOf(relay), giveUp.signal));
    await until(() => relay.hub.requests.size === 1, "the request waits");
    giveUp.abort();
    await failure;
    await until(() => relay.hub.requests.size === 0, "the relay has forgotten it");
  });

  test(`[P3] ${way.name}: the slot is free for the next request`, async () => {
    await using stack = await startFakeStack(hangBeforeHeaders());
    const giveUps = Array.from({ length: 4 }, () => new AbortController());
    const failures = giveUps.map((giveUp) => failureOf(way.whole(stack, giveUp.signal)));
    for (const _ of giveUps) await stack.backend.nextExchange();
    stack.backend.answer = politely(["m"]);
    for (const giveUp of giveUps) giveUp.abort();
    await Promise.all(failures);
    expect(await within(way.whole(stack), "the next request is served")).toBe("Hello wörld 👋");
  });
}

test("[P3] leaving the loop over a stream is giving up", async () => {
  await using stack = await startDemoStack(5);
  for await (const chunk of await stack.openai.responses.create({ model: "demo", input: "count to 1000", stream: true })) {
    if (chunk.type === "response.output_text.delta") break;
  }
  await until(() => stack.demo.speaking() === 0, "the backend is silent");
  const stream = stack.anthropic.messages.stream({ model: "demo", max_tokens: 500, messages: [{ role: "user", content: "Hi" }] });
  for await (const event of stream) {
    if (event.type === "content_block_delta") break;
  }
  await until(() => stack.demo.speaking() === 0, "the backend is silent again");
});
