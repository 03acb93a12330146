// Looking for model servers: what counts as one, which is taken, and what is said when there is none.
import { afterEach, describe, expect, test } from "bun:test";
import { UsageError } from "../../src/base/errors.ts";
import { bestOf } from "../../src/cli/up/choose-backend.ts";
import { findBackends, listModels, pickChatModel, USUAL_PLACES } from "../../src/cli/model-server/find-backend.ts";

const servers: Bun.Server<undefined>[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
});

/** A server that answers these paths with JSON; returns its port. */
function serving(answers: Readonly<Record<string, unknown>>): number {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const answer = answers[new URL(request.url).pathname];
      return answer === undefined ? new Response("nothing", { status: 404 }) : Response.json(answer);
    },
  });
  servers.push(server);
  return Number(server.port);
}

const openAi = (...models: string[]) => ({ "/v1/models": { object: "list", data: models.map((id) => ({ id })) } });
const LONG_MS = 5_000;

describe("what counts as a model server", () => {
  test("[K20] one that lists models the OpenAI way or Ollama's way, with the names it lists", async () => {
    const first = serving(openAi("qwen3:8b", "llama3.2:3b"));
    const second = serving({ "/api/tags": { models: [{ name: "gemma3:4b", size: 1 }] } });
    const both = serving({ ...openAi(), "/api/tags": { models: [{ name: "phi4" }] } });
    const empty = serving(openAi());
    const places = [first, second, both, empty].map((port, at) => ({ name: `n${at}`, port }));
    const found = await findBackends(places, LONG_MS);
    expect(found.map(({ name, models }) => [name, models])).toEqual([
      ["n0", ["qwen3:8b", "llama3.2:3b"]],
      ["n1", ["gemma3:4b"]],
      ["n2", ["phi4"]],
      ["n3", []],
    ]);
    expect(found[0]!.url.href).toBe(`http://127.0.0.1:${first}/`);
  });

  test("[K20] not a relay, not some other web server, and not one whose names are no names", async () => {
    const relay = serving({ ...openAi("qwen3"), "/health": { status: "ok", workers_connected: 1, queue_depth: 0 } });
    const website = serving({ "/": "hello" });
    const odd = serving({ "/v1/models": { data: [{ id: "a\u001b[2J" }] } });
    const places = [relay, website, odd].map((port) => ({ name: "x", port }));
    expect(await findBackends(places, LONG_MS)).toEqual([]);
  });

  test("[K20] one that does not answer in time counts as absent", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    try {
      expect(await listModels(new URL(`http://127.0.0.1:${silent.port}`), { apiKey: null, limitMs: 20 })).toBeNull();
    } finally {
      silent.stop(true);
    }
  });

  test("[K20] the backend's own key is sent along", async () => {
    const seen: (string | null)[] = [];
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        seen.push(request.headers.get("authorization"));
        return Response.json({ data: [] });
      },
    });
    servers.push(server);
    await listModels(server.url, { apiKey: "sk-1", limitMs: LONG_MS });
    expect(new Set(seen)).toEqual(new Set(["Bearer sk-1"]));
  });
});

describe("which is taken", () => {
  const url = new URL("http://127.0.0.1:1");
  const backend = (name: string, ...models: string[]) => ({ name, url, models });

  test("[K20] the first that has models; one without is better than none", () => {
    expect(bestOf([backend("a"), backend("b", "m"), backend("c", "n")])).toMatchObject({
      name: "b",
      others: [{ name: "a" }, { name: "c" }],
    });
    expect(bestOf([backend("a")])).toMatchObject({ name: "a", others: [] });
  });

  test("[K20] nothing found: every place asked is listed, and both ways out", () => {
    expect(() => bestOf([])).toThrow(UsageError);
    for (const { name, port } of USUAL_PLACES) expect(() => bestOf([])).toThrow(`http://127.0.0.1:${port}  ${name}`);
    expect(() => bestOf([])).toThrow(/--backend-url .* --demo/);
  });

  test("[K20] the usual ports are the documented ones", () => {
    expect(USUAL_PLACES.map(({ port }) => port)).toEqual([11434, 1234, 8080, 8081, 8000, 30000, 5001, 5000, 1337]);
  });

  test("[K20] the model to talk to is one for talking, if there is one", () => {
    expect(pickChatModel(["text-embedding-nomic", "qwen3"])).toBe("qwen3");
    expect(pickChatModel(["bge-m3"])).toBe("bge-m3");
    expect(pickChatModel([])).toBeNull();
  });
});
