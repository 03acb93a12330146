// Every way a backend goes wrong, all at once on one worker: each client is told the truth, and nobody else notices.
import { expect } from "bun:test";
import { wholeAnswer } from "../support/fake-backend-events.ts";
import { ask, outcome, type Outcome, outcomeOf, POLITE } from "./asking.ts";
import { startNeighbour } from "./neighbour.ts";
import { scenario } from "./rig.ts";

interface Case {
  readonly marker: string;
  readonly stream: boolean;
  readonly expected: Outcome;
}

const refused = (status: number, code: string): Outcome => ({ status, code, end: "clean" });
const broken = (code: string | null): Outcome => ({ status: 200, code, end: "broken" });
const inBothWays = (marker: string, expected: Outcome): readonly Case[] => [false, true].map((stream) => ({ marker, stream, expected }));

const CASES: readonly Case[] = [
  ...inBothWays("fake:hang", refused(504, "request_timeout")),
  ...inBothWays("fake:close", refused(502, "backend_error")),
  ...inBothWays("fake:reset", refused(502, "backend_error")),
  ...inBothWays("fake:garbage", refused(502, "backend_error")),
  ...inBothWays("fake:status-line", refused(502, "backend_error")),
  ...inBothWays("fake:redirect", refused(502, "backend_error")),
  ...inBothWays("fake:status:400", refused(400, "fake")),
  ...inBothWays("fake:status:429", refused(429, "fake")),
  ...inBothWays("fake:status:500", refused(500, "fake")),
  ...inBothWays("fake:empty", POLITE),
  ...inBothWays("fake:gzip", POLITE),
  { marker: "fake:truncated", stream: false, expected: refused(502, "backend_error") },
  { marker: "fake:truncated", stream: true, expected: broken(null) },
  { marker: "fake:huge:66", stream: false, expected: broken(null) },
  { marker: "fake:hang-mid-stream", stream: true, expected: broken("chunk_timeout") },
  { marker: "fake:unterminated", stream: true, expected: broken("backend_error") },
  { marker: "fake:reset-mid-stream", stream: true, expected: broken("backend_error") },
];

const nameOf = ({ marker, stream }: Case): string => `${marker}${stream ? ", streaming" : ""}`;

scenario(
  "[H2] [H8] [T3] [T5] [R5] whatever a backend does to a request, its client learns of it, and no other request does",
  async (rig) => {
    const limits = ["--request-timeout", "1.5", "--chunk-timeout", "1.5"];
    const [relay, backend] = await Promise.all([rig.relay(limits), rig.backend()]);
    const slots = CASES.length + 1;
    const worker = await rig.worker(relay, backend, { slots });
    const neighbour = await startNeighbour(relay);
    const outcomes = await Promise.all(CASES.map(async (asked) => [nameOf(asked), await outcome(relay, asked)] as const));
    expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(CASES.map((asked) => [nameOf(asked), asked.expected])));
    expect(worker.said("registered")).toHaveLength(1);

    // Each slot has come back, and none twice: as many requests run as the worker has slots, and one waits.
    const full = Array.from({ length: slots }, (_, index) => ask(relay, { id: `full${index}`, marker: "fake:held" }));
    await relay.queues(1);
    await backend.says("request", { marker: "fake:held" }, slots - 1);
    await neighbour.flows();
    await neighbour.finishes(backend);
    expect((await Promise.all(full)).every(({ status }) => status === 200)).toBe(true);
  },
);

scenario("[H2] error bodies and decompressed bodies arrive as the backend meant them", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
  await rig.worker(relay, backend);
  const compressed = await ask(relay, { marker: "fake:gzip" });
  expect(compressed.headers.get("content-encoding")).toBeNull();
  expect(await compressed.text()).toBe(wholeAnswer("chat"));
  const refusedStream = await ask(relay, { marker: "fake:status:429", stream: true });
  expect(refusedStream.headers.get("content-type")).toBe("application/json");
  expect(await refusedStream.text()).toBe('{"error":{"message":"As the marker says.","type":"fake","param":null,"code":"fake"}}');
  const empty = await ask(relay, { marker: "fake:empty" });
  expect(await empty.text()).toBe("");
});

scenario(
  "[R4] [R5] [R6] [T3] a backend that dies: mid-stream an error in-band, before that one more try elsewhere, then 502",
  async (rig) => {
    const [relay, mortal, other] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
    await rig.worker(relay, mortal, { name: "mortal" });
    const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
    const held = ask(relay, { id: "whole", marker: "fake:held" });
    await mortal.says("request", { request_id: "whole" });
    await rig.worker(relay, other, { name: "other", models: "m,other" });
    await other.release();
    mortal.signal("SIGKILL");
    expect(await outcomeOf(stream)).toEqual(broken("backend_error"));
    const rescued = await held;
    expect([rescued.status, rescued.headers.get("x-modelrelay-worker"), rescued.headers.get("x-modelrelay-attempts")]).toEqual([
      200,
      "other",
      "2",
    ]);
    // The dead backend refuses from now on; its worker stays connected, and what it is asked goes elsewhere.
    expect(await Promise.all([outcome(relay), outcome(relay), outcome(relay)])).toEqual([POLITE, POLITE, POLITE]);
    expect(relay.said("worker disconnected")).toEqual([]);
  },
);

scenario("[R5] [T3] a request that kills every backend it meets is not passed round: two tries, then 502", async (rig) => {
  const [relay, ...backends] = await Promise.all([rig.relay(), rig.backend(), rig.backend(), rig.backend()]);
  const [first, second, third] = backends;
  await Promise.all(backends.map((backend, index) => rig.worker(relay, backend, { name: `w${index}` })));
  expect(await outcome(relay, { id: "deadly", marker: "fake:die" })).toEqual(refused(502, "backend_error"));
  const alive = [first, second, third].filter((backend) => backend.isRunning);
  expect(alive).toHaveLength(1);
  expect(await outcome(relay)).toEqual(POLITE);
  expect(await outcome(relay, { id: "deadly-stream", marker: "fake:die-mid-stream", stream: true })).toEqual(broken("backend_error"));
  expect(await outcome(relay)).toEqual(refused(502, "backend_error"));
});
