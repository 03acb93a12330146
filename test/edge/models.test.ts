// GET /v1/models and /v1/models/{id}: from memory, in the shape of the client's API family.
import { expect, test } from "bun:test";
import { startTestRelay } from "../support/running-relay.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";

const ANTHROPIC = { "anthropic-version": "2023-06-01" };

test("[H11] the list is the union of what workers list, without * and unlisted names, in the OpenAI shape", async () => {
  await using relay = startTestRelay();
  expect(await (await fetch(relay.at("/v1/models"))).json()).toEqual({ object: "list", data: [] });
  await using first = await startV2Worker(relay, { models: ["b", "a", "default"], register: { unlisted_models: ["default"] } });
  await using second = await startV1Worker(relay, { models: ["b", "*", "org/name:7b"] });
  const created = expect.any(Number);
  const entry = (id: string): object => ({ id, object: "model", created, owned_by: "modelrelay" });
  const expected = { object: "list", data: [entry("a"), entry("b"), entry("org/name:7b")] };
  expect(await (await fetch(relay.at("/v1/models"))).json()).toEqual(expected);
  expect(await (await fetch(relay.at("/v1/models?limit=1000"))).json()).toEqual(expected);
  second.close();
  await relay.workers(1);
  expect(await (await fetch(relay.at("/v1/models"))).json()).toEqual({ object: "list", data: [entry("a"), entry("b")] });
  expect(first.jobs).toEqual([]);
});

test("[H11] with anthropic-version the Anthropic shape", async () => {
  await using relay = startTestRelay();
  const empty = await fetch(relay.at("/v1/models"), { headers: ANTHROPIC });
  expect(await empty.json()).toEqual({ data: [], has_more: false, first_id: null, last_id: null });
  await using worker = await startV2Worker(relay, { models: ["claude-x", "a"] });
  const entry = (id: string): object => ({
    type: "model",
    id,
    display_name: id,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
  });
  const list = await fetch(relay.at("/v1/models"), { headers: ANTHROPIC });
  expect(await list.json()).toEqual({ data: [entry("a"), entry("claude-x")], has_more: false, first_id: "a", last_id: "claude-x" });
  const one = await fetch(relay.at("/v1/models/claude-x"), { headers: ANTHROPIC });
  expect(await one.json()).toEqual(entry("claude-x"));
  expect(worker.end).toBeNull();
});

test("[H11] ids with a slash, encoded or not, with colons and with every other character", async () => {
  await using relay = startTestRelay();
  const models = ["org/name:7b", "a b", "ü/🚀", "per%cent", "q?x", "h#x"];
  await using worker = await startV2Worker(relay, { models });
  const paths = ["org/name:7b", "org%2Fname%3A7b", "org%2fname:7b", "a%20b", "%C3%BC%2F%F0%9F%9A%80", "per%25cent", "q%3Fx", "h%23x"];
  for (const path of paths) {
    const response = await fetch(relay.at(`/v1/models/${path}`));
    const { id }: { id?: unknown } = JSON.parse(await response.text());
    expect([path, id]).toEqual([path, decodeURIComponent(path)]);
  }
  expect(worker.jobs).toEqual([]);
});

test("[H11] [H10] an unknown one is 404 in the dialect, with the nearest names; half an escape is refused", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { models: ["llama3"] });
  const openai = await fetch(relay.at("/v1/models/lama3"));
  expect(openai.status).toBe(404);
  expect(await openai.json()).toMatchObject({ error: { code: "model_not_found", message: expect.stringContaining("llama3") } });
  const anthropic = await fetch(relay.at("/v1/models/nothing-like-it"), { headers: ANTHROPIC });
  expect(await anthropic.json()).toMatchObject({ type: "error", error: { type: "not_found_error" } });
  for (const path of ["%", "%zz", "%C3"]) expect((await fetch(relay.at(`/v1/models/${path}`))).status).toBe(400);
  expect((await fetch(relay.at("/v1/models/"))).status).toBe(404);
  expect((await fetch(relay.at("/v1/models/default"))).status).toBe(404);
  expect(worker.end).toBeNull();
});
