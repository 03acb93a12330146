// The relay in numbers, at rest and while requests come and go.
import { expect, test } from "bun:test";
import { startV2Worker } from "../support/v2-worker.ts";
import { startAdminRig } from "./rig.ts";

interface RequestCounts {
  readonly accepted: number;
  readonly waiting: number;
  readonly running: number;
  readonly by_outcome: { readonly complete?: number };
}

test("[A10] the numbers: queue by provider and model, workers, requests by outcome", async () => {
  await using rig = await startAdminRig();
  expect(await rig.json("/admin/stats")).toMatchObject({
    queue_depth: { local: 0 },
    queue_depth_by_model: {},
    active_workers: 0,
    workers: [],
    requests: { accepted: 0, waiting: 0, running: 0, requeued: 0, by_outcome: {} },
  });
  await using worker = await startV2Worker(rig.relay, { name: "box", models: ["m", "__proto__"], slots: 1 });
  const first = rig.relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  const others = ["m", "__proto__", "__proto__"].map((model) => rig.relay.post("/v1/chat/completions", { model }));
  await rig.relay.requests(4);
  const text = await (await rig.ask("/admin/stats")).text();
  expect(text).toContain('"__proto__":2');
  expect(JSON.parse(text)).toMatchObject({
    queue_depth: { local: 3 },
    active_workers: 1,
    workers: [{ worker_name: "box", in_flight_count: 1, max_concurrent: 1, is_draining: false }],
    requests: { accepted: 4, waiting: 3, running: 1 },
    ignored_frames: 0,
    uptime_secs: expect.any(Number),
    version: expect.any(String),
  });
  job.answer("{}");
  for (const _ of others) (await worker.nextJob()).answer("{}");
  await Promise.all([first, ...others]);
  expect(await rig.json("/admin/stats")).toMatchObject({ queue_depth: { local: 0 }, requests: { by_outcome: { complete: 4 } } });
});

test("[A10] looking on while requests come, wait and go: every answer adds up", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"], slots: 4 });
  const requests = Array.from({ length: 40 }, () => rig.relay.post("/v1/chat/completions", { model: "m" }));
  const serving = (async () => {
    for (const _ of requests) (await worker.nextJob()).answer("{}");
  })();
  const looks = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const stats = await rig.json<{ readonly requests: RequestCounts }>("/admin/stats");
      const [list, { workers }] = await Promise.all([
        rig.json<{ readonly requests: readonly unknown[]; readonly total: number }>("/admin/requests"),
        rig.json<{ readonly workers: readonly { readonly in_flight_count: number }[] }>("/admin/workers"),
      ]);
      return { stats, list, workers };
    }),
  );
  for (const { stats, list, workers } of looks) {
    const { accepted, waiting, running, by_outcome } = stats.requests;
    expect(waiting + running + (by_outcome.complete ?? 0)).toBe(accepted);
    expect(list.requests.length).toBe(list.total);
    expect(workers[0]!.in_flight_count).toBeLessThanOrEqual(4);
  }
  await Promise.all([serving, ...requests]);
});
