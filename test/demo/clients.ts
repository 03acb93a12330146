// The demo backend with the official SDKs connected straight to it.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { type DemoBackend, type DemoOptions, startDemoBackend } from "../../src/demo/demo.ts";

export interface DemoWithClients extends AsyncDisposable {
  readonly demo: DemoBackend;
  readonly openai: OpenAI;
  readonly anthropic: Anthropic;
  /** POSTs JSON, or the text as it is. */
  post(path: string, body: unknown): Promise<Response>;
}

/** As fast as it can, unless told otherwise. */
export function startDemo(options: DemoOptions = {}): DemoWithClients {
  const demo = startDemoBackend({ tokensPerSecond: 0, ...options });
  return {
    demo,
    openai: new OpenAI({ apiKey: "none", baseURL: new URL("/v1", demo.url).href, maxRetries: 0 }),
    anthropic: new Anthropic({ apiKey: "none", baseURL: demo.url.origin, maxRetries: 0 }),
    post: (path, body) => fetch(new URL(path, demo.url), { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) }),
    [Symbol.asyncDispose]: () => demo.stop(),
  };
}

/** A tool as JSON Schema describes it. */
export const WEATHER_SCHEMA = {
  type: "object",
  properties: {
    city: { type: "string" },
    unit: { type: "string", enum: ["celsius", "fahrenheit"] },
    days: { type: "integer", minimum: 2 },
    places: { type: "array", items: { type: "object", properties: { name: { type: "string" } } } },
    notes: { type: "string" },
  },
  required: ["city", "unit", "days", "places"],
};

/** What the demo fills it with when the user says `text`. */
export function weatherArguments(text: string): object {
  return { city: text, unit: "celsius", days: 2, places: [{ name: text }] };
}
