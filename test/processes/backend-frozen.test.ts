// A backend that is there and does nothing: the relay's deadlines end the wait, and the slot is free again.
import { expect } from "bun:test";
import { ask, outcome, outcomeOf, POLITE } from "./asking.ts";
import { startNeighbour } from "./neighbour.ts";
import { scenario } from "./rig.ts";

scenario("[C4] [C5] [T8] stopped: requests and streams end at their deadlines; continued: the only slots serve again", async (rig) => {
  const limits = ["--request-timeout", "1", "--chunk-timeout", "1"];
  const [relay, backend, other] = await Promise.all([rig.relay(limits), rig.backend(), rig.backend()]);
  await Promise.all([rig.worker(relay, backend, { slots: 3 }), rig.worker(relay, other, { name: "other", models: "other" })]);
  const neighbour = await startNeighbour(relay, { model: "other" });
  const stream = await ask(relay, { id: "stream", marker: "fake:words:10000:5", stream: true });
  backend.signal("SIGSTOP");
  const late = { status: 504, code: "request_timeout", end: "clean" } as const;
  expect(await Promise.all([outcome(relay), outcome(relay, { stream: true }), outcomeOf(stream)])).toEqual([
    late,
    late,
    { status: 200, code: "chunk_timeout", end: "broken" },
  ]);
  await neighbour.flows();
  backend.signal("SIGCONT");
  expect(await Promise.all([outcome(relay), outcome(relay, { stream: true }), outcome(relay)])).toEqual([POLITE, POLITE, POLITE]);
  await neighbour.finishes(other);
});
