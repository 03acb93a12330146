// Discovery: which models the worker offers follows its backend.
import { describe, expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { type BackendCall, startScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { V2Relay } from "../support/v2-relay.ts";
import { startV1Rig, startV2Rig } from "./rig.ts";

/** A backend whose list a test can change: names, or what to do instead. */
function listing(): { names: readonly string[]; answer: ((call: BackendCall) => void) | null; onListing: (call: BackendCall) => void } {
  const list = {
    names: ["a"] as readonly string[],
    answer: null as ((call: BackendCall) => void) | null,
    onListing: (call: BackendCall): void => {
      if (list.answer !== null) list.answer(call);
      else if (call.path === "/v1/models") call.json(200, { object: "list", data: list.names.map((id) => ({ id, object: "model" })) });
      else call.json(404, {});
    },
  };
  return list;
}

describe("[D14] at the registration", () => {
  const answers: Readonly<Record<string, readonly [(call: BackendCall) => void, models: readonly string[], unlisted: readonly string[]]>> =
    {
      "the OpenAI list is used": [(call) => call.json(200, { data: [{ id: "a" }, { id: "b" }] }), ["a", "b", "default"], ["default"]],
      "a list with more in it, as llama.cpp's, too": [
        (call) => call.json(200, { object: "list", models: [{ name: "x" }], data: [{ id: "/m/a.gguf", meta: { n: 1 } }] }),
        ["/m/a.gguf", "default"],
        ["default"],
      ],
      "else Ollama's": [
        (call) => (call.path === "/api/tags" ? call.json(200, { models: [{ name: "llama3:8b", size: 1 }] }) : call.json(404, {})),
        ["llama3:8b", "default"],
        ["default"],
      ],
      "an empty list leaves default": [(call) => call.json(200, { data: null }), ["default"], []],
      "no list at all leaves default": [(call) => call.json(404, {}), ["default"], []],
      "a page that is no JSON leaves default": [(call) => call.head(200, "content-length: 3").write("<p>").hangUp(), ["default"], []],
      "a list beyond 4 MiB leaves default": [(call) => call.json(200, { data: [{ id: "x".repeat(5_000_000) }] }), ["default"], []],
      "a backend that is still starting (5xx) offers nothing": [(call) => call.json(503, {}), [], []],
      "a backend that drops the question offers nothing": [(call) => call.reset(), [], []],
    };
  for (const [name, [onListing, models, unlisted]] of Object.entries(answers)) {
    test(name, async () => {
      await using rig = await startV2Rig({ worker: { models: null }, backend: { onListing } });
      expect(await rig.peer.next("register")).toMatchObject({ models, unlisted_models: unlisted });
    });
  }

  test("with * anything is offered too, and the backend's own key is used to ask", async () => {
    const keys: (string | undefined)[] = [];
    await using rig = await startV2Rig({
      worker: { models: ["*"], backendApiKey: "backend-key" },
      backend: {
        onListing: (call) => {
          keys.push(call.headers.get("authorization"));
          call.json(200, { data: [{ id: "a" }] });
        },
      },
    });
    expect(await rig.peer.next("register")).toMatchObject({ models: ["a", "*"], unlisted_models: [] });
    expect(keys).toEqual(["Bearer backend-key"]);
  });

  test("fixed names are not asked for", async () => {
    await using rig = await startV2Rig();
    expect(rig.backend.listings).toBe(0);
  });

  test("a backend that hangs is waited for 5 s and no longer", async () => {
    const clock = new ManualClock();
    await using backend = await startScriptedBackend({ onListing: () => {} });
    await using relay = new V2Relay();
    await using worker = startTestWorker({ relay, backend, models: null }, { clock });
    await until(() => backend.listings === 1, "the question");
    expect(worker.status().connection).toBe("starting");
    clock.advance(5_000);
    expect(await (await relay.peer()).next("register")).toMatchObject({ models: [] });
    await until(() => backend.sockets.size === 0, "the connection to be gone");
  });
});

describe("[D15] afterwards", () => {
  test("only a change is announced", async () => {
    const clock = new ManualClock();
    const list = listing();
    await using rig = await startV2Rig({ worker: { models: null }, backend: list, world: { clock } });
    await until(() => rig.worker.status().connection === "registered", "registration");
    clock.advance(30_000);
    await until(() => rig.backend.listings === 2, "the second question");
    list.names = ["a", "b"];
    await until(() => clock.dueInMs.includes(30_000), "the answer");
    clock.advance(30_000);
    expect(await rig.peer.next("models_update")).toEqual({
      type: "models_update",
      models: ["a", "b", "default"],
      unlisted_models: ["default"],
      current_load: 0,
    });
    expect(rig.peer.of("models_update")).toHaveLength(1);
  });

  test("a backend that was down at the start is announced when it comes, asked every 5 s", async () => {
    const clock = new ManualClock();
    const list = listing();
    list.answer = (call) => call.reset();
    await using rig = await startV2Rig({ worker: { models: ["*"] }, backend: list, world: { clock } });
    expect(await rig.peer.next("register")).toMatchObject({ models: [] });
    await until(() => rig.worker.status().connection === "registered", "registration");
    list.answer = null;
    clock.advance(5_000);
    expect((await rig.peer.next("models_update"))["models"]).toEqual(["a", "*"]);
  });

  test("discovered models are withdrawn after two failed polls, not after one, and come back", async () => {
    const clock = new ManualClock();
    const list = listing();
    await using rig = await startV2Rig({ worker: { models: null }, backend: list, world: { clock } });
    await until(() => rig.worker.status().connection === "registered", "registration");
    list.answer = (call) => call.hangUp();
    clock.advance(30_000);
    await until(() => rig.worker.log.of("backend does not answer").length === 1, "the first failed poll");
    expect(rig.peer.of("models_update")).toHaveLength(0);
    clock.advance(5_000);
    expect((await rig.peer.next("models_update"))["models"]).toEqual([]);
    list.answer = null;
    clock.advance(5_000);
    expect((await rig.peer.next("models_update", 1))["models"]).toEqual(["a", "default"]);
    expect(rig.worker.status().models).toEqual(["a", "default"]);
  });

  test("models_refresh is answered at once, changed or not, on both protocols", async () => {
    const list = listing();
    await using second = await startV2Rig({ worker: { models: null }, backend: list });
    await using first = await startV1Rig({ worker: { models: null }, backend: list });
    for (const { peer } of [second, first]) {
      list.names = ["a"];
      peer.send({ type: "models_refresh", reason: "operator" });
      expect((await peer.next("models_update"))["models"]).toEqual(["a", "default"]);
      list.names = ["b"];
      peer.send({ type: "models_refresh" });
      expect((await peer.next("models_update", 1))["models"]).toEqual(["b", "default"]);
      expect(peer.of("models_update")).toHaveLength(2);
    }
    expect(first.peer.of("models_update")[0]).toEqual({ type: "models_update", models: ["a", "default"], current_load: 0 });
  });

  test("models_refresh of fixed names is answered too", async () => {
    await using rig = await startV2Rig();
    rig.peer.send({ type: "models_refresh" });
    expect((await rig.peer.next("models_update"))["models"]).toEqual(["m"]);
  });

  test("a change between registration and its acknowledgement is announced", async () => {
    const clock = new ManualClock();
    const list = listing();
    let acknowledge = (): void => {};
    await using rig = await startV2Rig({
      worker: { models: null },
      backend: list,
      world: { clock, modelsPollMs: 1_000 },
      relay: { onOpen: (peer) => (acknowledge = hold(peer)) },
    });
    list.names = ["b"];
    clock.advance(1_000);
    await until(() => rig.worker.status().models.includes("b"), "the change");
    expect(rig.worker.status().connection).toBe("connecting");
    acknowledge();
    expect((await rig.peer.next("models_update"))["models"]).toEqual(["b", "default"]);
  });
});

/** Keeps back what the relay sends until the returned function is called. */
function hold(peer: { send(message: object): void }): () => void {
  const held: object[] = [];
  const send = peer.send.bind(peer);
  peer.send = (message) => held.push(message);
  return () => {
    peer.send = send;
    for (const message of held) send(message);
  };
}
