// Refusals and failures as the official SDKs' own exceptions, whoever refused: the backend or the relay.
import { expect, test } from "bun:test";
import * as anthropicSdk from "@anthropic-ai/sdk";
import * as openaiSdk from "openai";
import type { ServeConfig } from "../../src/server/config.ts";
import * as answers from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { streamEvents, wholeAnswer } from "../support/fake-backend-events.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { failureOf, until, within } from "../support/until.ts";
import { type Way, WAYS } from "./dialects.ts";
import { clientsOf, startFakeStack } from "./stack.ts";

type ErrorClass = new (...args: never[]) => Error;

/** The exceptions of the OpenAI SDK and of Anthropic's for a status. */
const EXCEPTIONS: ReadonlyMap<number, readonly [ErrorClass, ErrorClass]> = new Map([
  [400, [openaiSdk.BadRequestError, anthropicSdk.BadRequestError]],
  [401, [openaiSdk.AuthenticationError, anthropicSdk.AuthenticationError]],
  [403, [openaiSdk.PermissionDeniedError, anthropicSdk.PermissionDeniedError]],
  [404, [openaiSdk.NotFoundError, anthropicSdk.NotFoundError]],
  [409, [openaiSdk.ConflictError, anthropicSdk.ConflictError]],
  [422, [openaiSdk.UnprocessableEntityError, anthropicSdk.UnprocessableEntityError]],
  [429, [openaiSdk.RateLimitError, anthropicSdk.RateLimitError]],
  [500, [openaiSdk.InternalServerError, anthropicSdk.InternalServerError]],
  [502, [openaiSdk.InternalServerError, anthropicSdk.InternalServerError]],
  [503, [openaiSdk.InternalServerError, anthropicSdk.InternalServerError]],
  [504, [openaiSdk.InternalServerError, anthropicSdk.InternalServerError]],
]);

for (const way of WAYS) {
  test(`[P2] ${way.name}: each error status of the backend is the SDK's exception for it, streamed or not`, async () => {
    await using stack = await startFakeStack(answers.politely(["m"]));
    for (const status of EXCEPTIONS.keys()) {
      stack.backend.answer = answers.unary(status, backendError(way), { "retry-after": "7" });
      for (const ask of [() => way.whole(stack), () => way.streamed(stack)]) {
        const error = await failureOf(ask());
        expectError(error, way, status);
        expect(String(error)).toContain("The backend says why.");
        expect(headersOf(error).get("retry-after")).toBe("7");
      }
    }
  });
}

interface Refusal {
  readonly what: string;
  readonly status: number;
  readonly code: string;
  readonly anthropicType: string;
  readonly settings?: Partial<ServeConfig>;
  readonly answer?: Answer;
  /** Asks for this model instead of the one there is. */
  readonly model?: string;
}

const REFUSALS: readonly Refusal[] = [
  {
    what: "a model nobody offers",
    status: 404,
    code: "model_not_found",
    anthropicType: "not_found_error",
    settings: { modelGraceMs: 0 },
    model: "other",
  },
  {
    what: "a model name that is none",
    status: 400,
    code: "invalid_request",
    anthropicType: "invalid_request_error",
    model: "m".repeat(300),
  },
  {
    what: "a backend that hangs up without a word",
    status: 502,
    code: "backend_error",
    anthropicType: "api_error",
    answer: answers.closeSilently(),
  },
  {
    what: "a backend that is no HTTP server",
    status: 502,
    code: "backend_error",
    anthropicType: "api_error",
    answer: answers.garbage(),
  },
  {
    what: "a backend that redirects",
    status: 502,
    code: "backend_error",
    anthropicType: "api_error",
    answer: answers.redirect("http://127.0.0.1:1/"),
  },
  {
    what: "a backend that does not answer in time",
    status: 504,
    code: "request_timeout",
    anthropicType: "api_error",
    settings: { requestTimeoutMs: 30 },
    answer: answers.hangBeforeHeaders(),
  },
];

for (const refusal of REFUSALS) {
  for (const way of WAYS) {
    test(`[P2] ${way.name}: ${refusal.what} is the exception for ${refusal.status} with the relay's code`, async () => {
      await using stack = await startFakeStack(answers.listing(["m"], refusal.answer ?? answers.politely(["m"])), refusal.settings);
      const clients = { ...stack, model: refusal.model ?? stack.model };
      for (const ask of [() => way.whole(clients), () => way.streamed(clients)]) {
        const error = await within(failureOf(ask()), "the request is refused");
        expectError(error, way, refusal.status);
        expect(error).toMatchObject(way.dialect === "messages" ? { type: refusal.anthropicType } : { code: refusal.code });
        expect(headersOf(error).get("x-request-id")).toBeTruthy();
      }
    });
  }
}

for (const way of WAYS) {
  test(`[P2] ${way.name}: a whole answer that breaks off is an InternalServerError, never half an answer`, async () => {
    await using stack = await startFakeStack(answers.truncatedBody(wholeAnswer(way.dialect), 40));
    expectError(await failureOf(way.whole(stack)), way, 502);
  });

  test(`[P2] ${way.name}: a full queue is a RateLimitError that says when to come back`, async () => {
    await using relay = startTestRelay({ maxQueueLength: 1 });
    const clients = clientsOf(relay);
    const hangUp = new AbortController();
    const waiting = failureOf(way.whole(clients, hangUp.signal));
    await until(() => relay.hub.requests.size === 1, "one request waits");
    const error = await failureOf(way.streamed(clients));
    expectError(error, way, 429);
    expect(Number(headersOf(error).get("retry-after"))).toBeGreaterThan(0);
    hangUp.abort();
    await waiting;
  });

  test(`[P2] ${way.name}: no worker in time is an InternalServerError`, async () => {
    await using relay = startTestRelay({ queueTimeoutMs: 20 });
    expectError(await failureOf(way.streamed(clientsOf(relay))), way, 503);
  });

  test(`[P2] ${way.name}: the SDK's own second try succeeds once the backend does`, async () => {
    const events = answers.sse(streamEvents(way.dialect));
    await using stack = await startFakeStack(answers.inTurn(answers.unary(429, backendError(way), { "retry-after": "0" }), events));
    const patient = {
      ...stack,
      openai: stack.openai.withOptions({ maxRetries: 1 }),
      anthropic: stack.anthropic.withOptions({ maxRetries: 1 }),
    };
    expect(await way.streamed(patient)).toBe("Hello wörld 👋");
    expect(stack.backend.requests.length).toBe(2);
  });
}

function backendError(way: Way): string {
  const error = { message: "The backend says why.", type: "made_up", param: null, code: "made_up" };
  return JSON.stringify(way.dialect === "messages" ? { type: "error", error } : { error });
}

function expectError(error: unknown, way: Way, status: number): void {
  const [openaiError, anthropicError] = EXCEPTIONS.get(status)!;
  expect(error).toBeInstanceOf(way.dialect === "messages" ? anthropicError : openaiError);
  expect(error).toMatchObject({ status });
}

function headersOf(error: unknown): Headers {
  if (error instanceof openaiSdk.APIError || error instanceof anthropicSdk.APIError) return new Headers(error.headers);
  throw new Error("not an error with headers", { cause: error });
}
