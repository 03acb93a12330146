// Thousands of clients that hang up, on one real worker with one slot: the slot is never lost, and nothing piles up.
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { CountingClock } from "../support/counting-clock.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { Random, freshSeed } from "../support/random.ts";
import { until, within } from "../support/until.ts";
import { startWholePath, type WholePath } from "../support/whole-path.ts";

const CYCLES = Number(process.env["CANCEL_CYCLES"] ?? 10_000);
const PHASES = ["queued", "before headers", "whole answer", "mid-stream", "any time"] as const;
type Phase = (typeof PHASES)[number];
const [FIRST_EVENT = ""] = streamEvents("chat");

/** Resolves when the backend has the next request that it leaves open. */
let arrival = Promise.withResolvers<void>();

/** What the backend does is written in the request. */
const byPhase: Answer = async (exchange) => {
  arrival.resolve();
  if (exchange.request.path.startsWith("/v1/models")) return await exchange.unary(200, '{"data":[{"id":"m"}]}');
  if (exchange.text.includes('"before headers"')) return;
  if (exchange.text.includes('"mid-stream"')) return await (await exchange.stream()).send(FIRST_EVENT);
  if (exchange.text.includes('"whole answer"')) {
    await exchange.head(200, { "content-type": "application/json", "content-length": "100" });
    return await exchange.raw("{");
  }
  return await exchange.unary(200, "{}");
};

/** Sends a request, hangs up in this phase and returns once the client's side is over. */
async function cancelled({ relay }: WholePath, phase: Phase): Promise<void> {
  arrival = Promise.withResolvers<void>();
  const abort = new AbortController();
  const isStreaming = phase !== "whole answer";
  const response = relay.post("/v1/chat/completions", { model: "m", stream: isStreaming, phase }, { signal: abort.signal });
  const over = response.then(
    () => null,
    () => null,
  );
  switch (phase) {
    case "mid-stream":
      await (await response).body?.getReader().read();
      break;
    case "before headers":
    case "whole answer":
      await within(arrival.promise, "the request reaches the backend");
      break;
    case "queued":
      // The slot is taken by somebody else; see below.
      await until(() => relay.hub.queueDepth === 1, "the request waits");
      break;
    case "any time":
      break;
  }
  abort.abort();
  await over;
}

async function served({ relay }: WholePath): Promise<void> {
  const response = await relay.post("/v1/chat/completions", { model: "m" });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test(`[C2] [S6] after each of ${CYCLES} cancels the next request starts at once, and at the end nothing is left of them`, async () => {
  const random = new Random(freshSeed("cancel cycles"));
  const clock = new CountingClock();
  // A slot that was lost would cost its worker the connection after 10 s; a queue wait of 2 s ends the test before.
  await using path = await startWholePath(byPhase, { relay: { queueTimeoutMs: 2_000 }, world: { clock } });
  const { relay, worker } = path;
  await served(path);
  const before = { descriptors: descriptors(), timers: clock.pending };
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const phase = random.pick(PHASES);
    if (phase === "queued") {
      arrival = Promise.withResolvers<void>();
      const holder = new AbortController();
      const holding = relay
        .post("/v1/chat/completions", { model: "m", stream: true, phase: "before headers" }, { signal: holder.signal })
        .catch(() => null);
      await within(arrival.promise, "the request reaches the backend");
      await cancelled(path, phase);
      holder.abort();
      await holding;
    } else await cancelled(path, phase);
    // The cycle after this one waits for its own start as well, except in these phases.
    if (phase === "any time" || random.oneIn(4)) await served(path);
  }
  await served(path);
  await path.idle();
  await relay.requests(0);
  expect(relay.log.of("worker registered")).toHaveLength(1);
  expect(worker.status().active).toBe(0);
  expect(relay.hub.bodies.heldBytes).toBe(0);
  expect(relay.hub.counters.byOutcome.get("queue_timeout")).toBeUndefined();
  // Streams that were cut have a last word to say for 100 ms.
  await until(() => clock.pending <= before.timers, `timers back at ${before.timers}, now ${clock.pending}`);
  await until(() => descriptors() <= before.descriptors + 4, `file descriptors back at ${before.descriptors}, now ${descriptors()}`);
}, 180_000);
