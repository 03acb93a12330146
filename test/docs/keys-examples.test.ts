// What README and runbook show about keys and is not run as it stands: with a key in place of the written word, with the ids of a running relay.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli, RunningCli } from "../cli/run-cli.ts";
import { until } from "../support/until.ts";
import { fencesOf, readDocument, sectionOf } from "./documents.ts";
import { examplesOf, runInShell, runJavaScript } from "./run-example.ts";

const readme = readDocument("README.md").text;
const fences = fencesOf(readme);
const inJavaScript = examplesOf(fences, "js run");
const adminCurls = examplesOf(fencesOf(readDocument("docs/operations.md").text), "sh admin").flatMap(([, body]) => body.split("\n"));
const hasCurl = Bun.which("curl") !== null;

const folder = mkdtempSync(join(tmpdir(), "docs-keys-"));
const ADMIN_TOKEN = "an admin token for the documents";
let demo: RunningCli;
let relay: RunningCli;
let worker: RunningCli;
let url = "";

beforeAll(async () => {
  writeFileSync(join(folder, "admin-token"), `${ADMIN_TOKEN}\n`);
  writeFileSync(join(folder, "worker-secret"), "a worker secret for the documents\n");
  demo = new RunningCli(["up", "--demo", "--listen", "127.0.0.1:0", "--demo-speed", "200"]);
  const backend = await demo.sees(/Claude {3}(http\S+)[\s\S]*Ready to paste/);
  const secrets = ["--worker-secret-file", join(folder, "worker-secret"), "--admin-token-file", join(folder, "admin-token")];
  const place = ["--listen", "127.0.0.1:0", "--data-dir", join(folder, "data")];
  relay = new RunningCli(["serve", ...place, ...secrets, "--require-api-keys"]);
  url = await relay.sees(/listening url=(\S+)/);
  worker = new RunningCli(["work", "--proxy-url", url, "--worker-secret-file", join(folder, "worker-secret"), "--backend-url", backend]);
  await worker.sees(/INFO {2}registered/);
  const made = await runCli(["keys", "create", "--name", "my-app", "--url", url, ...secrets.slice(2)]);
  writeFileSync(join(folder, "my-app-key"), made.out);
});

afterAll(async () => {
  for (const process of [worker, relay, demo]) await process[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test("there are examples to run", () => {
  expect([inJavaScript.length, adminCurls.length]).toEqual([2, 11]);
});

test.if(hasCurl).each(inJavaScript)("[M5] this runs with a key where it says local: %s ...", async (_, body) => {
  const key = readFileSync(join(folder, "my-app-key"), "utf8").trim();
  expect(body).toContain('"local"');
  const refused = await runJavaScript(body, url);
  expect(refused.code).not.toBe(0);
  const result = await runJavaScript(body.replace('"local"', JSON.stringify(key)), url);
  expect(result).toEqual({ code: 0, out: expect.stringContaining("Hello from the demo backend!"), err: "" });
});

test.if(hasCurl)(
  "[M5] the runbook's calls of the operators' API run, with the ids of this relay in place of the written ones",
  async () => {
    const key = readFileSync(join(folder, "my-app-key"), "utf8").trim();
    const body = JSON.stringify({ model: "demo", stream: true, messages: [{ role: "user", content: "count to 3000" }] });
    const stream = fetch(`${url}/v1/chat/completions`, { method: "POST", headers: { "x-api-key": key }, body }).then((answer) =>
      answer.text(),
    );
    const streamed = stream.catch(() => "broken off");
    const { workers } = await ask<{ workers: { worker_id: string }[] }>("/admin/workers");
    const { keys } = await ask<{ keys: { id: string; revoked: boolean }[] }>("/admin/keys");
    let requests: readonly { id: string }[] = [];
    await until(
      async () => (requests = (await ask<{ requests: { id: string }[] }>("/admin/requests")).requests).length > 0,
      "a live request",
    );
    const ids = new Map([
      ["w1-87bd5cb8", workers[0]!.worker_id],
      ["r17", requests[0]!.id],
      ["7d94594e-4959-4917-a8b6-fbf35a17c039", keys.find(({ revoked }) => !revoked)!.id],
    ]);
    const setUp = sectionOf(readDocument("docs/operations.md").text, "## The admin API");
    const [, variables] = examplesOf(fencesOf(setUp), "sh")[0]!;
    for (const line of adminCurls) {
      const own = [...ids].reduce((text, [written, id]) => text.replace(written, id), line);
      const { code, out, err } = await runInShell(`${variables}\n${own}`, url, folder);
      expect({ line, code, err }).toEqual({ line, code: 0, err: "" });
      expect(out).not.toContain('"error"');
    }
    expect(await streamed).toBe("broken off");
  },
);

async function ask<Body>(path: string): Promise<Body> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the shapes are tested elsewhere
  return (await response.json()) as Body;
}
