// Both official libraries against a relay that asks for keys: each sends its key in its own way, and each is told in its own words.
import { expect, test } from "bun:test";
import * as anthropicSdk from "@anthropic-ai/sdk";
import * as openaiSdk from "openai";
import { WAYS } from "../sdk/dialects.ts";
import type { Clients } from "../sdk/stack.ts";
import * as answers from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { failureOf } from "../support/until.ts";
import { type SecuredRelay, startSecured } from "./rig.ts";

function clientsWith({ relay }: SecuredRelay, apiKey: string, model = "m"): Clients {
  return {
    openai: new openaiSdk.OpenAI({ apiKey, baseURL: new URL("/v1", relay.url).href, maxRetries: 0 }),
    anthropic: new anthropicSdk.Anthropic({ apiKey, baseURL: relay.url.origin, maxRetries: 0 }),
    model,
  };
}

test("[U5] [P1] with a key both libraries work, whole and streamed; the backend never sees it", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  await using backend = startFakeBackend(answers.politely(["m"]));
  await using worker = startTestWorker({ relay, backend: { url: new URL(backend.url) } });
  await relay.workers(1);
  const secret = await secured.secret();
  const clients = clientsWith(secured, secret);
  for (const way of WAYS) {
    const whole = await way.whole(clients);
    expect([way.name, await way.streamed(clients)]).toEqual([way.name, whole]);
    expect(whole).not.toBe("");
  }
  expect((await clients.openai.models.list()).data.map(({ id }) => id)).toEqual(["m"]);
  expect((await clients.anthropic.models.list()).data.map(({ id }) => id)).toEqual(["m"]);
  const bearer = new anthropicSdk.Anthropic({ authToken: secret, apiKey: null, baseURL: relay.url.origin, maxRetries: 0 });
  expect((await bearer.models.list()).data.map(({ id }) => id)).toEqual(["m"]);
  expect(backend.requests.length).toBeGreaterThan(0);
  for (const { headers } of backend.requests) expect(JSON.stringify([...headers])).not.toContain(secret);
  expect(worker.status().connection).toBe("registered");
});

test("[U5] [P2] a wrong key, one for other models and one above its rate are the libraries' own exceptions", async () => {
  await using secured = await startSecured();
  const limited = await secured.secret({ models: ["other"] });
  const slow = await secured.secret({ models: ["m"], requestsPerMinute: 1 });
  const drained = clientsWith(secured, slow);
  const abort = new AbortController();
  const first = drained.openai.chat.completions.create({ model: "m", messages: [] }, { signal: abort.signal });
  const isLeft = failureOf(first);
  await secured.relay.requests(1);
  abort.abort();
  await isLeft;
  const cases = [
    [clientsWith(secured, "mr-wrong"), openaiSdk.AuthenticationError, anthropicSdk.AuthenticationError],
    [clientsWith(secured, limited), openaiSdk.PermissionDeniedError, anthropicSdk.PermissionDeniedError],
    [drained, openaiSdk.RateLimitError, anthropicSdk.RateLimitError],
  ] as const;
  for (const [clients, openaiError, anthropicError] of cases) {
    for (const way of WAYS) {
      const error = await failureOf(way.streamed(clients));
      expect(error).toBeInstanceOf(way.dialect === "messages" ? anthropicError : openaiError);
    }
  }
});
