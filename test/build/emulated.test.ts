// Executables for other machines, run on emulated ones: relay and worker, and a chat through both.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { VERSION } from "../../src/base/version.ts";
import { type Machine, run, withCast } from "./cast.ts";
import { ARM64_MISSING, arm64, Windows, WINDOWS_LIMIT_MS, WINDOWS_MISSING } from "./emulators.ts";
import { BUILD_LIMIT_MS, builtRelease, COMMIT } from "./release.ts";

const LIMIT_MS = 180_000;

let folder = "";
let windows: Windows | null = null;

beforeAll(async () => {
  if (ARM64_MISSING === null || WINDOWS_MISSING === null) folder = await builtRelease();
}, BUILD_LIMIT_MS);

beforeAll(async () => {
  if (WINDOWS_MISSING === null) windows = await Windows.start();
}, WINDOWS_LIMIT_MS);

afterAll(async () => {
  await windows?.[Symbol.asyncDispose]();
}, WINDOWS_LIMIT_MS);

async function saysWhatItIs(machine: Machine, target: string): Promise<void> {
  const { code, out } = await run(machine, ["--version"]);
  expect({ code, out: out.replaceAll("\r\n", "\n") }).toEqual({ code: 0, out: `modelrelay ${VERSION} (${COMMIT}, ${target})\n` });
}

test("[E4] where everything has to be tested nothing is left out", () => {
  const isEverythingTested = process.env["CI"] === "true" && process.platform === "linux" && process.arch === "x64";
  expect(isEverythingTested ? [ARM64_MISSING, WINDOWS_MISSING] : []).toEqual(isEverythingTested ? [null, null] : []);
});

test.skipIf(ARM64_MISSING !== null)(
  "[E3] [E4] linux-arm64, on an emulated processor: relay and worker stream a chat, and SIGTERM ends both with 0",
  async () => {
    const machine = arm64(join(folder, "modelrelay-linux-arm64"));
    await saysWhatItIs(machine, "linux-arm64");
    await withCast(machine, async (cast) => {
      const relay = await cast.relay();
      const { worker } = await cast.worker(relay);
      await cast.finishes(await cast.chat(relay));
      for (const process of [relay, worker]) {
        process.signal("SIGTERM");
        expect(await process.exit()).toBe(0);
      }
    });
  },
  LIMIT_MS,
);

test.skipIf(WINDOWS_MISSING !== null)(
  "[E3] [E4] windows-x64, on an emulated Windows: relay and worker stream a chat",
  async () => {
    const machine = windows!.machine(join(folder, "modelrelay-windows-x64.exe"));
    await saysWhatItIs(machine, "windows-x64");
    expect((await run(machine, ["serve", "--listn"])).code).toBe(2);
    await withCast(machine, async (cast) => {
      const relay = await cast.relay();
      await cast.worker(relay);
      await cast.finishes(await cast.chat(relay));
    });
  },
  LIMIT_MS,
);
