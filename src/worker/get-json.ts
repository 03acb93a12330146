// One small question to the backend, bounded in time and size.
import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../base/clock.ts";
import { MIB } from "../protocol/limits.ts";

/** A backend that needs longer to list its models counts as not answering. */
const QUESTION_DEADLINE_MS = 5_000;
/** Thousands of models fit; anything larger is not a model list. */
const ANSWER_MAX_BYTES = 4 * MIB;

/**
 * The parsed answer; undefined when the backend answered something else (another status below 500, no JSON, too much);
 * null when it did not answer, or answered 5xx, as one does that is still starting.
 */
export function getJson(url: URL, apiKey: string | null, clock: Clock, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
      agent: false,
      headers: {
        accept: "application/json",
        "accept-encoding": "identity",
        ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
      },
    });
    const settle = (answer: unknown): void => {
      deadline.stop();
      signal.removeEventListener("abort", onAbort);
      request.destroy();
      resolve(answer);
    };
    const onAbort = (): void => settle(null);
    const deadline = clock.startTimer(QUESTION_DEADLINE_MS, onAbort);
    signal.addEventListener("abort", onAbort);
    request.on("error", () => settle(null));
    request.on("close", () => settle(null));
    request.on("response", (answer) => readJson(answer, settle));
    request.end();
  });
}

function readJson(answer: IncomingMessage, settle: (answer: unknown) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  answer.on("error", () => settle(null));
  if ((answer.statusCode ?? 0) >= 500) return settle(null);
  if (answer.statusCode !== 200) return settle(undefined);
  answer.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_MAX_BYTES) settle(undefined);
    else chunks.push(chunk);
  });
  answer.on("end", () => settle(parsedOrUndefined(Buffer.concat(chunks).toString("utf8"))));
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}
