// The executable for this machine, run as its users run it: alone in a folder, by its names, from any directory.
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "../../src/base/version.ts";
import { builtExecutable } from "../support/executable.ts";
import { type Machine, run, withCast } from "./cast.ts";

const LIMIT_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), "modelrelay-native-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function machine(cwd = folder): Promise<Machine> {
  return { program: { command: [await builtExecutable()], cwd }, dataDir: join(folder, "data") };
}

test(
  "[E3] --version says version, commit and target; help goes to the standard output, a wrong flag ends with 2",
  async () => {
    const here = await machine();
    const version = await run(here, ["--version"]);
    expect(version).toMatchObject({ code: 0, err: "" });
    expect(version.out).toStartWith(`modelrelay ${VERSION} (for-tests, ${process.platform}-${process.arch}`);
    const help = await run(here, ["serve", "--help"]);
    expect(help).toMatchObject({ code: 0, err: "" });
    expect(help.out).toStartWith("modelrelay serve:");
    const wrong = await run(here, ["serve", "--listn"]);
    expect(wrong).toMatchObject({ code: 2, out: "" });
    expect(wrong.err).toContain("did you mean --listen?");
  },
  LIMIT_MS,
);

test(
  "[E4] relay and worker as two processes of the executable stream a chat; SIGTERM lets it finish and both end with 0",
  async () => {
    await withCast(await machine(), async (cast) => {
      const relay = await cast.relay();
      const { worker, backend } = await cast.worker(relay);
      await cast.finishes(await cast.chat(relay));
      const held = await cast.chat(relay, "fake:held:20");
      relay.signal("SIGTERM");
      await relay.says("graceful shutdown");
      await backend.tell("release");
      await cast.finishes(held);
      expect(await relay.exit()).toBe(0);
      worker.signal("SIGTERM");
      expect(await worker.exit()).toBe(0);
    });
  },
  LIMIT_MS,
);
