// The real program with keys required: what it refuses to start with, and what is there after it was killed.
import { expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Relay, type Rig, scenario } from "../processes/rig.ts";
import { bearer } from "./rig.ts";

const TOKEN = "an-admin-token-for-processes";

interface Directory extends Disposable {
  readonly path: string;
  readonly flags: readonly string[];
}

function dataDirectory(): Directory {
  const path = mkdtempSync(join(tmpdir(), "modelrelay-security-"));
  writeFileSync(join(path, "token"), `${TOKEN}\n`, { mode: 0o600 });
  const flags = ["--require-api-keys", "--data-dir", join(path, "state"), "--admin-token-file", join(path, "token")];
  return { path, flags, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

async function operator(relay: Relay, method: string, path: string, body?: object): Promise<Response> {
  return await fetch(relay.at(path), { method, headers: bearer(TOKEN), ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

interface Made {
  readonly id: string;
  readonly secret: string;
}

async function make(relay: Relay, terms: object): Promise<Made> {
  const response = await operator(relay, "POST", "/admin/keys", terms);
  expect(response.status).toBe(201);
  return JSON.parse(await response.text());
}

async function statusWith(relay: Relay, secret: string): Promise<number> {
  return (await fetch(relay.at("/v1/models"), { headers: bearer(secret) })).status;
}

scenario("[U4] [Y2] keys and revocations that were answered are there after kill -9, workers' keys included", async (rig) => {
  using directory = dataDirectory();
  const before = await rig.relay(directory.flags);
  const kept = await make(before, { name: "kept", models: ["m"] });
  const gone = await make(before, { name: "gone" });
  const box = await make(before, { name: "box", scopes: ["worker"], worker_name: "the box" });
  expect((await operator(before, "DELETE", `/admin/keys/${gone.id}`)).status).toBe(204);
  before.signal("SIGKILL");
  await before.exit();

  const relay = await rig.relay(directory.flags);
  expect([await statusWith(relay, kept.secret), await statusWith(relay, gone.secret), await statusWith(relay, "")]).toEqual([
    200, 401, 401,
  ]);
  const backend = await rig.backend();
  const worker = await rig.worker(relay, backend, { secret: box.secret });
  await relay.says("worker registered", { worker_name: "the box" });
  expect((await operator(relay, "DELETE", `/admin/keys/${box.id}`)).status).toBe(204);
  await worker.says("relay refused this worker", { code: 1008 });
  expect(relay.transcript + worker.transcript).not.toContain(box.secret);
  expect(relay.transcript).not.toContain(TOKEN);
});

async function refused(rig: Rig, args: readonly string[]): Promise<string> {
  const child = rig.run(["serve", "--listen", "127.0.0.1:0", ...args]);
  const code = await child.exit();
  expect([child.transcript, code]).toEqual([child.transcript, 2]);
  return child.transcript;
}

scenario("[U4] [K8] [K9] what would start open or with an example's secret does not start", async (rig) => {
  using directory = dataDirectory();
  const secret = ["--worker-secret", "a-real-one"];
  for (const placeholder of ["change-me", "CHANGE_ME_please", "your-worker-secret", "<secret>", "replaceme", " "]) {
    const said = await refused(rig, ["--worker-secret", placeholder, "--data-dir", ":memory:"]);
    expect(said).toMatch(/placeholder|empty/);
    expect(await refused(rig, [...secret, "--admin-token", placeholder, "--data-dir", ":memory:"])).toMatch(/placeholder|empty/);
  }
  const nobody = await refused(rig, [...secret, "--require-api-keys", "--data-dir", join(directory.path, "fresh")]);
  expect(nobody).toContain("--admin-token-file PATH");
  // A key that is only a worker's lets no client in, and one that was revoked lets in nobody.
  const relay = await rig.relay(directory.flags);
  await make(relay, { name: "box", scopes: ["worker"] });
  const { id } = await make(relay, { name: "app" });
  await operator(relay, "DELETE", `/admin/keys/${id}`);
  relay.signal("SIGTERM");
  expect(await relay.exit()).toBe(0);
  expect(await refused(rig, [...secret, "--require-api-keys", "--data-dir", join(directory.path, "state")])).toContain("there is no key");
});

scenario("[U4] with a key for clients in the store, no admin token is needed, and the operators' API stays shut", async (rig) => {
  using directory = dataDirectory();
  const first = await rig.relay(directory.flags);
  const { secret } = await make(first, { name: "app", scopes: ["infer", "admin"] });
  first.signal("SIGTERM");
  await first.exit();
  const relay = await rig.relay(directory.flags.slice(0, 3));
  expect(await statusWith(relay, secret)).toBe(200);
  expect((await fetch(relay.at("/admin/stats"), { headers: bearer(secret) })).status).toBe(403);
});
