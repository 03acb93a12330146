// Losing the relay and finding it again.
import { describe, expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { startScriptedBackend } from "../support/scripted-backend.ts";
import { turns, until } from "../support/until.ts";
import { V2Relay } from "../support/v2-relay.ts";
import { startV1Rig, startV2Rig } from "./rig.ts";

describe("[D16] a refusal only a human can lift is named with its fix, and tried again after 30 s", () => {
  const refusals: Readonly<Record<string, string>> = {
    "worker authentication failed": "relay refused this worker",
    "worker authentication temporarily rate limited": "relay is rate limiting this worker after failed attempts",
    "this relay serves another provider": "relay refused this worker",
  };
  for (const [reason, message] of Object.entries(refusals)) {
    test(`1008 ${reason}`, async () => {
      const clock = new ManualClock();
      let isRefusing = true;
      await using backend = await startScriptedBackend();
      await using relay = new V2Relay({ onOpen: (peer) => isRefusing && peer.close(1008, reason) });
      await using worker = startTestWorker({ relay, backend }, { clock });
      for (let round = 1; round <= 3; round++) {
        await until(() => worker.log.of(message).length === round, "the refusal");
        expect(clock.dueInMs).toEqual([30_000]);
        if (round === 3) isRefusing = false;
        clock.advance(29_999);
        await turns(5);
        expect(relay.peers).toHaveLength(round);
        clock.advance(1);
      }
      expect(worker.log.of(message)[0]?.fields).toMatchObject({ reason, retry_in_ms: 30_000 });
      expect(worker.log.of(message)[0]?.fields["fix"]).toContain("--worker-secret");
      await until(() => worker.status().connection === "registered", "registration, once the relay was put right");
      expect(worker.status().problem).toBeNull();
    });
  }

  test("an upgrade refused with 401 or 403", async () => {
    for (const status of [401, 403]) {
      const clock = new ManualClock();
      await using backend = await startScriptedBackend();
      await using relay = new V2Relay({ refuseUpgrade: () => new Response("no", { status }) });
      await using worker = startTestWorker({ relay, backend }, { clock });
      await until(() => worker.log.of("relay refused this worker").length === 1, "the refusal");
      expect(clock.dueInMs).toEqual([30_000]);
      expect(worker.status()).toMatchObject({ connection: "waiting", problem: expect.stringContaining("WORKER_SECRET") });
    }
  });
});

describe("[D17]", () => {
  test("a relay that is not there is tried again after ever longer waits, with what to check", async () => {
    const clock = new ManualClock();
    await using backend = await startScriptedBackend();
    await using worker = startTestWorker({ relay: { url: new URL("http://127.0.0.1:1") }, backend }, { clock, random: () => 0.999 });
    const waits: number[] = [];
    for (let round = 1; round <= 7; round++) {
      await until(() => worker.log.of("cannot reach the relay").length === round, `failure ${round}`);
      waits.push(clock.dueInMs[0]!);
      clock.advance(clock.dueInMs[0]!);
    }
    expect(waits).toEqual([999, 1_998, 3_996, 7_992, 15_984, 29_970, 29_970]);
    expect(worker.log.of("cannot reach the relay")[0]?.fields["fix"]).toContain("--proxy-url");
  });

  test("a server that is no relay is told apart", async () => {
    const clock = new ManualClock();
    await using backend = await startScriptedBackend();
    await using relay = new V2Relay({ refuseUpgrade: () => new Response("nothing here", { status: 404 }) });
    await using worker = startTestWorker({ relay, backend }, { clock });
    await until(() => worker.log.of("no relay at this address").length === 1, "the failure");
    expect(worker.status().problem).toContain("--proxy-url");
  });

  test("a connection that held for 30 s resets the waits, a shorter one does not", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig({ world: { clock, random: () => 0.999 } });
    const lose = async (index: number, heldMs: number): Promise<number> => {
      await until(() => rig.worker.status().connection === "registered", "registration");
      clock.advance(heldMs);
      rig.relay.peers[index]!.cut();
      await until(() => rig.worker.status().connection === "waiting", "the loss");
      const [wait = 0] = clock.dueInMs;
      clock.advance(wait);
      return wait;
    };
    expect(await lose(0, 0)).toBe(999);
    expect(await lose(1, 29_999)).toBe(1_998);
    expect(await lose(2, 30_000)).toBe(999);
    expect(rig.worker.log.of("connection to proxy lost")).toHaveLength(3);
  });

  test("the same worker comes back under the same instance id", async () => {
    await using rig = await startV2Rig();
    rig.peer.cut();
    const [first, second] = [await rig.peer.next("register"), await (await rig.relay.peer(1)).next("register")];
    expect(second["instance_id"]).toBe(first["instance_id"]);
  });
});

describe("[D18] a lost connection aborts what ran on it", () => {
  test("v2, in every phase", async () => {
    await using rig = await startV2Rig();
    rig.relay.request(rig.peer, { body: "half", body_length: 8 });
    rig.relay.request(rig.peer);
    rig.relay.request(rig.peer);
    const waiting = await rig.backend.call(0);
    const streaming = (await rig.backend.call(1)).sse().chunk("data: 1\n\n");
    await rig.peer.next("response_start");
    rig.peer.cut();
    await until(() => waiting.isClosed && streaming.isClosed, "the backend to see it");
    const again = await rig.relay.peer(1);
    again.send({ type: "ping" });
    expect((await again.next("pong"))["current_load"]).toBe(0);
    const attempt = rig.relay.request(again, { attempt: 1 });
    (await rig.backend.call(2)).json(200, {});
    expect((await rig.relay.about(again, "response_end", attempt))["error"]).toBeUndefined();
    expect(again.of("response_start")).toHaveLength(1);
  });

  test("v1", async () => {
    await using rig = await startV1Rig();
    rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).sse().chunk("data: 1\n\n");
    await rig.peer.next("response_chunk");
    rig.peer.close(1000, "worker heartbeat timed out");
    await until(() => call.isClosed, "the backend to see it");
    const again = await rig.relay.peer(1);
    again.send({ type: "ping" });
    await again.next("pong");
    expect(again.messages.map(({ type }) => type)).toEqual(["register", "pong"]);
  });
});

describe("[D21] a relay that does not answer is given up:", () => {
  test("one that takes the connection and never answers the upgrade, after 10 s", async () => {
    const clock = new ManualClock();
    // Any server that stays silent will do.
    await using silent = await startScriptedBackend({ onListing: () => {} });
    await using backend = await startScriptedBackend();
    await using worker = startTestWorker({ relay: silent, backend }, { clock });
    await until(() => silent.sockets.size === 1, "the connection");
    clock.advance(9_999);
    expect(worker.status().connection).toBe("connecting");
    clock.advance(1);
    expect(worker.status().connection).toBe("waiting");
    await until(() => silent.sockets.size === 0, "the connection to be gone");
  });

  test("one that never acknowledges the registration, after 10 s", async () => {
    const clock = new ManualClock();
    await using backend = await startScriptedBackend();
    await using relay = new V2Relay({ onOpen: (peer) => (peer.send = () => {}) });
    await using worker = startTestWorker({ relay, backend }, { clock });
    const peer = await relay.peer();
    clock.advance(10_000);
    expect(worker.status().connection).toBe("waiting");
    await until(() => peer.closed !== null, "the connection to be gone");
  });

  test("one that is silent for 90 s, whatever the worker itself sends", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig({ world: { clock } });
    await until(() => rig.worker.status().connection === "registered", "registration");
    clock.advance(60_000);
    rig.peer.send({ type: "ping" });
    await rig.peer.next("pong");
    clock.advance(89_999);
    expect(rig.worker.status().connection).toBe("registered");
    clock.advance(1);
    expect(rig.worker.status().connection).toBe("waiting");
    expect(rig.worker.log.of("connection to proxy lost")[0]?.fields["reason"]).toContain("silent");
  });
});

test("[D22] an answer to the registration that is none closes the connection", async () => {
  const clock = new ManualClock();
  await using backend = await startScriptedBackend();
  await using relay = new V2Relay({ onOpen: (peer) => peer.sendRaw('{"type":"request"}') });
  await using worker = startTestWorker({ relay, backend }, { clock });
  await until(() => relay.peers[0]?.closed?.code === 1002, "the close");
  await until(() => worker.status().connection === "waiting", "the next try");
});

test("[D23] the relay is reached through the proxy the environment names", async () => {
  const asked: string[] = [];
  await using backend = await startScriptedBackend();
  await using proxy = await startScriptedBackend({ onCall: (call) => call.reset() });
  const clock = new ManualClock();
  await using worker = startTestWorker(
    { relay: { url: new URL("http://relay.invalid") }, backend },
    { clock, environment: { HTTP_PROXY: proxy.url.href } },
  );
  const [call] = [await proxy.call()];
  asked.push(`${call.method} ${call.path}`);
  expect(asked).toEqual(["CONNECT relay.invalid:80"]);
  expect(call.headers.has("x-worker-secret")).toBe(false);
  await until(() => worker.status().connection === "waiting", "the failure");
});
