// How each API family says that something went wrong: whole bodies and last events, for every refusal there is.
import { expect, test } from "bun:test";
import { REFUSALS, refusalKind, type RefusalCode } from "../../src/base/errors.ts";
import { backendErrorEvent, dialectOf, errorBody, errorEvent, RELAYED } from "../../src/edge/dialect.ts";

const NOWHERE = { responseId: null, sequenceNumber: null };
const CODES = Object.keys(REFUSALS).filter((code): code is RefusalCode => code in REFUSALS);

function dataOf(event: string | null): unknown {
  return JSON.parse(/^data: (.*)$/m.exec(event ?? "")?.[1] ?? "");
}

test("[H10] every refusal has a status, a type in both dialects and a sentence to act on", () => {
  expect(CODES.length).toBeGreaterThan(20);
  for (const code of CODES) {
    const kind = refusalKind(code);
    expect(kind.status).toBeGreaterThanOrEqual(400);
    expect(kind.message).toMatch(/^[A-Z].*\.$/);
    const problem = { code, detail: "More." };
    expect(JSON.parse(errorBody("chat", problem, "r"))).toEqual({
      error: { message: `${kind.message} More.`, type: kind.openai, param: null, code, request_id: "r" },
    });
    expect(errorBody("responses", problem, "r")).toBe(errorBody("chat", problem, "r"));
    expect(JSON.parse(errorBody("messages", problem, "r"))).toEqual({
      type: "error",
      error: { type: kind.anthropic, message: `${kind.message} More.` },
      request_id: "r",
    });
  }
});

test("[H10] what a retry can help says when", () => {
  for (const code of ["queue_full", "no_workers", "draining", "queue_timeout", "key_limit"] as const) {
    expect(refusalKind(code).retryAfterSecs).toBeGreaterThan(0);
  }
  for (const code of ["invalid_request", "model_not_found", "body_too_large"] as const)
    expect(refusalKind(code).retryAfterSecs).toBeUndefined();
});

test("[T3] the last event of a broken stream, in each dialect", () => {
  for (const code of CODES) {
    const problem = { code, detail: null };
    expect(errorEvent("chat", problem, "r", "m", NOWHERE)).toMatch(/^data: \{"error":\{.*\}\n\n$/);
    expect(errorEvent("messages", problem, "r", "m", NOWHERE)).toMatch(/^event: error\ndata: \{"type":"error",.*\}\n\n$/);
    expect(errorEvent("responses", problem, "r", "m", NOWHERE)).toMatch(
      /^event: response\.failed\ndata: \{"type":"response\.failed",.*\}\n\n$/,
    );
  }
  const failed = errorEvent("responses", { code: "worker_lost", detail: null }, "r", "m", { responseId: "resp_1", sequenceNumber: 7 });
  expect(dataOf(failed)).toMatchObject({
    sequence_number: 8,
    response: { id: "resp_1", object: "response", status: "failed", error: { code: "worker_lost" }, model: "m", output: [] },
  });
  expect(dataOf(errorEvent("responses", { code: "worker_lost", detail: null }, "r", "m", NOWHERE))).toMatchObject({
    sequence_number: 0,
    response: { id: "resp_r" },
  });
});

test("[T4] a backend's own error in-band: its words where it has some, null where it has none", () => {
  const body = '{"error":{"message":"no","type":"t","code":"c","param":"p"}}';
  expect(dataOf(backendErrorEvent("chat", body, "r", "m"))).toEqual({ error: { message: "no", type: "t", code: "c", param: "p" } });
  expect(dataOf(backendErrorEvent("messages", body, "r", "m"))).toMatchObject({ type: "error", error: { message: "no" }, request_id: "r" });
  expect(dataOf(backendErrorEvent("responses", body, "r", "m"))).toMatchObject({ response: { error: { code: "c", message: "no" } } });
  expect(dataOf(backendErrorEvent("chat", '{"error":"just text"}', "r", "m"))).toEqual({ error: { message: "just text" } });
  expect(dataOf(backendErrorEvent("responses", '{"error":{}}', "r", "m"))).toMatchObject({
    response: { error: { code: "backend_error" } },
  });
  for (const other of ["", "{", "null", "[]", "{}", '{"error":null}', '{"error":7}', "<html>"]) {
    expect([other, backendErrorEvent("chat", other, "r", "m")]).toEqual([other, null]);
  }
});

test("[H12] the family of a path", () => {
  expect([...RELAYED.keys()]).toHaveLength(7);
  expect(dialectOf("/v1/messages/batches", false)).toBe("messages");
  expect(dialectOf("/v1/models", true)).toBe("messages");
  expect(dialectOf("/v1/models", false)).toBe("chat");
  expect(dialectOf("/v1/responses", true)).toBe("responses");
});
