// The README's examples are run as they stand, against the demo they are written for.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { RunningCli } from "../cli/run-cli.ts";
import { fencesOf, readDocument } from "./documents.ts";
import { examplesOf, runInShell, runJavaScript } from "./run-example.ts";

const fences = fencesOf(readDocument("README.md").text);
const inShell = examplesOf(fences, "sh run");
const inJavaScript = examplesOf(fences, "js run");

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

test.if(Bun.which("curl") !== null).each(inShell)("[M5] this runs: %s ...", async (_, body) => {
  expect(await runInShell(body, url)).toEqual({ code: 0, out: expect.stringMatching(/demo/), err: "" });
});

test.each(inJavaScript)("[M5] this runs: %s ...", async (_, body) => {
  const result = await runJavaScript(body, url);
  expect(result).toEqual({ code: 0, out: expect.stringContaining("Hello from the demo backend!"), err: "" });
});
