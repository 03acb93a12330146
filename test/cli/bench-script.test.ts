// extras/load-test.sh as it is called: in this checkout, beside an executable, and where there is no program at all.
import { expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { politely } from "../support/fake-backend-answers.ts";
import { startWholePath } from "../support/whole-path.ts";

const SCRIPT = join(import.meta.dir, "../../extras/load-test.sh");
const SYSTEM_PATH = "/usr/bin:/bin";
/** What the script itself calls. */
const TOOLS = ["dirname", "cat", "readlink"];
/** Says what it was called with. */
const STAND_IN = '#!/bin/sh\necho "program: $0"\nfor word in "$@"; do echo "<$word>"; done\necho "key: ${MODELRELAY_API_KEY:-none}"\n';

async function runScript(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn(["/bin/sh", script, ...args], {
    env: { PATH: SYSTEM_PATH, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

/** A folder with a copy of the script in its `extras`, and a stand-in for the program where a test wants one. */
function makeFolder() {
  const path = mkdtempSync(join(tmpdir(), "load-test-"));
  const at = (name: string): string => join(path, name);
  mkdirSync(at("extras"));
  copyFileSync(SCRIPT, at("extras/load-test.sh"));
  const put = (name: string): string => {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), STAND_IN);
    chmodSync(at(name), 0o755);
    return at(name);
  };
  return { at, put, script: at("extras/load-test.sh"), [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("[J15] its flags load a relay from a checkout, and its exit code is the load's", async () => {
  await using path = await startWholePath(politely(["m"]), { worker: { maxConcurrency: 3 } });
  using folder = makeFolder();
  mkdirSync(folder.at("bin"));
  symlinkSync(process.execPath, folder.at("bin/bun"));
  const env = { PATH: `${folder.at("bin")}:${SYSTEM_PATH}` };
  const url = path.relay.url.origin;
  const result = await runScript(SCRIPT, ["-n", "9", "-c", "3", "-m", "m", "-u", url, "-s"], env);
  expect({ code: result.code, err: result.err }).toEqual({ code: 0, err: "" });
  expect(result.out).toContain(`POST ${url}/v1/chat/completions\nmodel m, streaming, 3 at a time\n`);
  expect(result.out).toMatch(/\nrequests +9 ok, 0 failed in /);
  expect(path.backend.requests.filter(({ method }) => method === "POST").length).toBe(9);
  const failing = await runScript(SCRIPT, ["-n", "2", "-m", "nope", "-u", url, "--", "--json", "--timeout", "1"], env);
  expect([failing.code, JSON.parse(failing.out).requests.failed]).toEqual([1, 2]);
});

test("[J15] it takes the program it is told of, the one beside it, the one above it, the one on the path, in this order", async () => {
  using folder = makeFolder();
  const onPath = folder.put("bin/modelrelay");
  const env = { PATH: `${folder.at("bin")}:${SYSTEM_PATH}` };
  const programOf = async (more: Readonly<Record<string, string>> = {}): Promise<string | undefined> =>
    /program: (.*)/.exec((await runScript(folder.script, [], { ...env, ...more })).out)?.[1]?.replace("extras/../", "");
  expect(await programOf()).toBe(onPath);
  const above = folder.put("modelrelay");
  expect(await programOf()).toBe(above);
  const beside = folder.put("extras/modelrelay");
  expect(await programOf()).toBe(beside);
  const named = folder.put("elsewhere/relay 2");
  expect(await programOf({ MODELRELAY: named })).toBe(named);
});

test("[J15] called by a link, even by one to a link, it finds the program beside itself", async () => {
  using folder = makeFolder();
  const beside = folder.put("extras/modelrelay");
  mkdirSync(folder.at("with space"));
  symlinkSync("../extras/load-test.sh", folder.at("with space/first"));
  symlinkSync(folder.at("with space/first"), folder.at("second"));
  expect((await runScript(folder.at("second"), [])).out).toContain(`program: ${beside}\n`);
});

test("[J15] values arrive as they are, and the key by the environment only", async () => {
  using folder = makeFolder();
  folder.put("extras/modelrelay");
  const flags = ["-n", "7", "-c", "2", "-m", "my model", "-u", "http://x/v1", "-k", "a key", "-s", "--", "--rate", "3"];
  const { out } = await runScript(folder.script, flags);
  const words = ["bench", "--requests=7", "--concurrency=2", "--model=my model", "--url=http://x/v1", "--stream", "--rate", "3"];
  expect(out.split("\n").slice(1)).toEqual([...words.map((word) => `<${word}>`), "key: a key", ""]);
  const { out: bare } = await runScript(folder.script, []);
  expect(bare.split("\n").slice(1)).toEqual(["<bench>", "<--requests=100>", "<--concurrency=10>", "key: none", ""]);
});

test("[J15] without a program, and with words it does not know, it says what to do", async () => {
  using folder = makeFolder();
  // No program of this machine may be found.
  const env = { PATH: folder.at("tools") };
  mkdirSync(env.PATH);
  for (const tool of TOOLS) symlinkSync(Bun.which(tool, { PATH: SYSTEM_PATH })!, join(env.PATH, tool));
  const nowhere = await runScript(folder.script, [], env);
  expect([nowhere.code, nowhere.out]).toEqual([2, ""]);
  expect(nowhere.err).toMatch(/^load-test\.sh: modelrelay is neither beside this script nor on the PATH; name it: MODELRELAY=/);
  mkdirSync(folder.at("src"));
  writeFileSync(folder.at("src/main.ts"), "");
  expect((await runScript(folder.script, [], env)).err).toMatch(/^load-test\.sh: this checkout needs bun on the PATH/);
  folder.put("extras/modelrelay");
  const unknown = await runScript(folder.script, ["-x"]);
  expect([unknown.code, unknown.err.includes("Usage: load-test.sh")]).toEqual([2, true]);
  expect(await runScript(folder.script, ["200"])).toEqual({
    code: 2,
    out: "",
    err: "load-test.sh: unexpected argument '200'; -h lists the flags\n",
  });
  const help = await runScript(folder.script, ["-h"]);
  expect([help.code, help.err]).toEqual([0, ""]);
  expect(help.out).toContain("-n REQUESTS");
});
