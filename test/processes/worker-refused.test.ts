// A worker the relay does not want: both sides say why and what would help, and it keeps asking, slowly.
import { expect } from "bun:test";
import { lapse } from "./lapse.ts";
import { outcome, POLITE } from "./asking.ts";
import { scenario } from "./rig.ts";

for (const { what, setup, cause } of [
  { what: "secret", setup: { secret: "not-the-secret" }, cause: "the worker secret is wrong" },
  {
    what: "provider",
    setup: { flags: ["--provider", "elsewhere"] },
    cause: "the provider is not 'local', the one this relay serves (--provider)",
  },
]) {
  scenario(`[L1] a wrong ${what}: a clear word on both sides, no hot loop, and nobody else is harmed`, async (rig) => {
    const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
    await rig.worker(relay, backend, { name: "good" });
    const refused = await rig.worker(relay, backend, { name: "refused", isUnregistered: true, ...setup });
    await relay.says("worker rejected", { cause });
    const told = await refused.says("relay refused this worker", { code: 1008, reason: "worker authentication failed" });
    expect(told.level).toBe("warn");
    expect(String(told.fields["fix"])).toMatch(/--worker-secret, WORKER_SECRET.*--provider, default local/);
    expect(Number(told.fields["retry_in_ms"])).toBeGreaterThanOrEqual(30_000);
    await lapse(backend, 1_500);
    expect(relay.said("worker rejected")).toHaveLength(1);
    expect(refused.isRunning).toBe(true);
    expect(relay.said("worker registered")).toHaveLength(1);
    expect(await outcome(relay)).toEqual(POLITE);
    // What it waits for does not keep it from ending.
    refused.signal("SIGTERM");
    expect(await refused.exit()).toBe(0);
    for (const { transcript } of [relay, refused]) expect(transcript).not.toMatch(/not-the-secret|processes-secret/);
  });
}
