// Users without a home directory, as those that are only a number in a container.
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { placeBelow, userHome } from "../../src/cli/user-home.ts";
import { defaultDataDir } from "../../src/store/data-dir.ts";
import { RunningCli, runCli } from "./run-cli.ts";

// A home that is no absolute path is one as little as none at all. Bun would keep what it has compiled there.
const NONE = { HOME: "nowhere", XDG_STATE_HOME: "", XDG_DATA_HOME: "", BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" };
const SECRET = { WORKER_SECRET: "0123456789abcdef0123456789abcdef" };

test("[K26] a system that knows no home directory is no error by itself", () => {
  const refuse = (): string => {
    throw Object.assign(new Error("uv_os_homedir"), { code: "ENOENT" });
  };
  expect(userHome(refuse)).toBeNull();
  expect(userHome(() => "nowhere")).toBeNull();
  expect(userHome(() => "/home/u")).toBe("/home/u");
  const find = (env: Record<string, string>) => (home: string) => defaultDataDir({ env, platform: "linux", home });
  expect(placeBelow(find({}), null)).toBeNull();
  expect(placeBelow(find({ XDG_STATE_HOME: "/state" }), null)).toBe("/state/modelrelay");
  expect(placeBelow(find({}), "/home/u")).toBe("/home/u/.local/state/modelrelay");
});

test("[K26] without a home directory serve runs, and asks for a place only where it has to keep keys", async () => {
  await using relay = new RunningCli(["serve", "--listen", "127.0.0.1:0"], { ...NONE, ...SECRET });
  await relay.sees(/listening/);
  const kept = await runCli(["serve", "--listen", "127.0.0.1:0"], { ...NONE, ...SECRET, MODELRELAY_ADMIN_TOKEN: "0123456789abcdef" });
  expect(kept).toMatchObject({ code: 2, out: "" });
  expect(kept.err).toContain("this user has no home directory to keep keys in; --data-dir");
  expect(existsSync("nowhere")).toBe(false);
});

test("[K26] without a home directory llamafiles have a place when one is given, and else say how to give one", async () => {
  const refused = await runCli(["llamafile", "list"], NONE);
  expect(refused).toMatchObject({ code: 2, out: "" });
  expect(refused.err).toContain("this user has no home directory to keep models in; --home");
  const folder = mkdtempSync(join(tmpdir(), "user-home-"));
  try {
    expect((await runCli(["llamafile", "list", "--home", folder], NONE)).code).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
