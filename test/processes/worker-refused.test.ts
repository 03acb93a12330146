// A worker the relay does not want: both sides say why and what would help, and it keeps asking, slowly.
import { expect } from "bun:test";
import { outcome, POLITE } from "./asking.ts";
import { lapse } from "./lapse.ts";
import { scenario } from "./rig.ts";

scenario("[L1] [K8] a wrong secret or provider: a clear word on both sides, no hot loop, and nobody else is harmed", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
  await rig.worker(relay, backend, { name: "good" });
  const refused = [
    await rig.worker(relay, backend, { name: "stranger", isUnregistered: true, secret: "not-the-secret" }),
    await rig.worker(relay, backend, { name: "lost", isUnregistered: true, flags: ["--provider", "elsewhere"] }),
  ];
  await relay.says("worker rejected", { cause: "the worker secret is wrong", provider: "local" });
  const cause = "the provider is not 'local', the one this relay serves (--provider)";
  await relay.says("worker rejected", { cause, provider: "elsewhere" });
  for (const worker of refused) {
    const told = await worker.says("relay refused this worker", { code: 1008, reason: "worker authentication failed" });
    expect(told.level).toBe("warn");
    expect(String(told.fields["fix"])).toMatch(/--worker-secret, WORKER_SECRET.*--provider, default local/);
    expect(Number(told.fields["retry_in_ms"])).toBeGreaterThanOrEqual(30_000);
  }
  await lapse(backend, 1_500);
  expect(relay.said("worker rejected")).toHaveLength(refused.length);
  expect(relay.said("worker registered")).toHaveLength(1);
  expect(await outcome(relay)).toEqual(POLITE);
  for (const worker of refused) {
    // What it waits for does not keep it from ending.
    worker.signal("SIGTERM");
    expect(await worker.exit()).toBe(0);
    expect(worker.transcript + relay.transcript).not.toMatch(/not-the-secret|processes-secret/);
  }
});
