// The README's examples are run as they stand, against the demo they are written for.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { RunningCli } from "../cli/run-cli.ts";
import { type Fence, fencesOf, readDocument, ROOT } from "./documents.ts";

const WRITTEN_URL = "http://127.0.0.1:8080";
const examples = fencesOf(readDocument("README.md").text).filter(({ info }) => info.endsWith(" run"));
const inShell = examples.filter(({ info }) => info.startsWith("sh "));
const inJavaScript = examples.filter(({ info }) => info.startsWith("js "));

let demo: RunningCli;
let url = "";

beforeAll(async () => {
  demo = new RunningCli(["up", "--demo", "--listen", "127.0.0.1:0", "--demo-speed", "0"]);
  url = await demo.sees(/Claude {3}(http\S+)[\s\S]*Ready to paste/);
});

afterAll(() => demo[Symbol.asyncDispose]());

test("there are examples to run", () => {
  expect([inShell.length, inJavaScript.length]).toEqual([3, 2]);
});

test.if(Bun.which("curl") !== null).each(inShell.map(withTitle))("[M5] this runs: %s ...", async (_, body) => {
  expect(await run(["sh", "-c", body.replaceAll(WRITTEN_URL, url)])).toEqual({ code: 0, out: expect.stringMatching(/demo/), err: "" });
});

test.each(inJavaScript.map(withTitle))("[M5] this runs: %s ...", async (_, body) => {
  const result = await run([process.execPath, "-e", body.replaceAll(WRITTEN_URL, url)]);
  expect(result).toEqual({ code: 0, out: expect.stringContaining("Hello from the demo backend!"), err: "" });
});

/** The first line stands for all. */
function withTitle({ body }: Fence): readonly [title: string, body: string] {
  return [body.split("\n")[0]!.replace(/ \\$/, ""), body.trim()];
}

async function run(command: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const child = Bun.spawn([...command], { cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}
