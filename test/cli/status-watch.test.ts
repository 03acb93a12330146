// `modelrelay status --watch` in a terminal, in a pipe, and while the relay goes away and comes back.
import { expect, test } from "bun:test";
import { startTestRelay } from "../support/running-relay.ts";
import { until, within } from "../support/until.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { fullPipe } from "./full-pipe.ts";
import { MAIN, runCli, runCliInto, RunningCli } from "./run-cli.ts";
import { TerminalCli } from "./terminal-cli.ts";

const TOKEN = "the-token-of-this-test";
const OPERATOR = { MODELRELAY_ADMIN_TOKEN: TOKEN };
const ENTERED = "\u001b[?1049h\u001b[?25l";
const LEFT = "\u001b[?25h\u001b[?1049l";

for (const [how, end] of [
  ["Ctrl+C", (window: TerminalCli) => window.type("\u0003")],
  ["SIGTERM", (window: TerminalCli) => window.signal("SIGTERM")],
] as const) {
  test(`[O3] in a terminal it redraws in place, and ${how} gives the window back as it was, exit code 0`, async () => {
    await using relay = startTestRelay({ adminToken: TOKEN });
    await using window = new TerminalCli(
      ["status", "--watch", "--interval", "0.2", "--url", relay.url.href],
      { cols: 120, rows: 30 },
      OPERATOR,
    );
    await window.shows(/no worker is connected/);
    await using worker = await startV2Worker(relay, { name: "came later" });
    await window.shows(/^came later +idle/m);
    expect(worker.jobs).toEqual([]);
    expect(window.written.split(ENTERED)).toHaveLength(2);
    // Nothing is cleared before it is drawn over.
    expect(window.written).not.toContain("\u001b[2J");
    expect(window.written).not.toContain(LEFT);
    end(window);
    expect(await window.exit()).toBe(0);
    await until(() => window.written.includes(LEFT), "the window is given back");
  });
}

test("[O2] [O3] a narrow window: columns go by their importance, no line is wider, and a new size counts at once", async () => {
  await using relay = startTestRelay({ adminToken: TOKEN });
  const name = "a worker with a name that is longer than any window should have to show 漢字";
  const models = ["model-number-one", "model-number-two", "model-number-three", "model-number-four"];
  await using worker = await startV2Worker(relay, { name, models });
  const asked = relay.post("/v1/chat/completions", { model: "model-number-one", messages: [] });
  const job = await worker.nextJob();
  // It looks once; whatever is drawn after that is drawn because of the new size.
  await using window = new TerminalCli(
    ["status", "--watch", "--interval", "3600", "--url", relay.url.href],
    { cols: 200, rows: 40 },
    OPERATOR,
  );
  await window.shows(/PROTOCOL.*ADDRESS.*ID/);
  for (const [cols, rows] of [
    [80, 40],
    [50, 12],
    [30, 6],
    [200, 40],
  ] as const) {
    const before = window.frame;
    window.resize(cols, rows);
    await until(() => window.frame.join() !== before.join(), `a frame for ${cols} columns`);
    expect(window.frame.filter((line) => Bun.stringWidth(line) > cols)).toEqual([]);
    expect(window.frame.length).toBeLessThanOrEqual(rows);
    const head = window.frame.find((line) => line.startsWith("WORKER"));
    if (cols === 80) expect(head).toMatch(/^WORKER +STATE +SLOTS +MODELS?$|^WORKER +STATE +SLOTS +HEARD$|^WORKER +STATE +SLOTS$/);
    if (cols === 50) expect(head).toMatch(/^WORKER +STATE +SLOTS$/);
    if (rows === 6) expect(window.frame.at(-1)).toMatch(/^… \d+ more lines/);
  }
  expect(window.frame.join("\n")).toContain("…");
  job.answer();
  await asked;
});

test("[O3] in a pipe: a block each interval without control sequences, SIGTERM ends it with 0", async () => {
  await using relay = startTestRelay({ adminToken: TOKEN });
  await using running = new RunningCli(["status", "--watch", "--interval", "0.2", "--url", relay.url.href], OPERATOR);
  await running.sees(/(no request is waiting or running\s+http:[^]*){2}/);
  running.signal("SIGTERM");
  expect(await running.exit()).toBe(0);
  expect(running.out).not.toContain("\u001b");
  expect(running.err).toBe("");
});

test("[O3] it ends when nobody reads", async () => {
  await using relay = startTestRelay({ adminToken: TOKEN });
  const line = `"$0" "$1" status --watch --json --interval 0.2 --url ${relay.url.href} | head -n 1`;
  const child = Bun.spawn(["sh", "-c", line, process.execPath, MAIN], { env: { PATH: process.env["PATH"] ?? "" }, stdout: "pipe" });
  const out = await child.stdout.text();
  expect(await child.exited).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ reachable: true });
});

const linux = test.skipIf(process.platform !== "linux");

linux("[O3] [K25] a reader that takes nothing holds up no stop signal", async () => {
  const asked = Promise.withResolvers<void>();
  using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => (asked.resolve(), new Response("", { status: 404 })) });
  using pipe = fullPipe();
  const args = ["status", "--watch", "--json", "--url", server.url.href];
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    env: { PATH: process.env["PATH"] ?? "" },
    stdout: pipe.descriptor,
    stderr: "pipe",
  });
  try {
    await within(asked.promise, "it looks");
    // A whole program comes and goes: time enough for it to be where it cannot go on.
    await runCli(["--version"]);
    expect(child.exitCode).toBeNull();
    child.kill("SIGTERM");
    expect([await within(child.exited, "the exit"), await child.stderr.text()]).toEqual([0, ""]);
  } finally {
    child.kill("SIGKILL");
  }
});

linux("[K25] [O5] what a full disk does not take ends it, with exit code 1", async () => {
  for (const json of [[], ["--json"]]) {
    expect(await runCliInto(Bun.file("/dev/full"), ["status", "--watch", ...json, "--url", "http://127.0.0.1:1"])).toEqual({
      code: 1,
      out: "",
      err: "modelrelay: the standard output cannot be written to (the disk is full), so what should have gone there is lost\n",
    });
  }
});

test("[O4] the relay goes and comes back: said with the times, and what was seen last stays in sight", async () => {
  const first = startTestRelay({ adminToken: TOKEN });
  const port = Number(first.url.port);
  await using window = new TerminalCli(
    ["status", "--watch", "--interval", "0.2", "--url", first.url.href],
    { cols: 140, rows: 30 },
    OPERATOR,
  );
  const worker = await startV2Worker(first, { name: "seen last" });
  await window.shows(/^seen last +idle/m);
  await worker[Symbol.asyncDispose]();
  await window.shows(/no worker is connected/);
  await first[Symbol.asyncDispose]();
  await window.shows(
    /^Not seen since \d\d:\d\d:\d\d\.\n[^]*cannot be reached: no connection[^]*\n\nWhat was seen last:\nhttp:[^]*no worker is connected/,
  );
  await using again = startTestRelay({ adminToken: TOKEN, listen: { host: "127.0.0.1", port } });
  await window.shows(/^It was not seen from \d\d:\d\d:\d\d to \d\d:\d\d:\d\d\.\nhttp:/);
  expect(again.hub.fleet.workers.size).toBe(0);
  window.type("\u0003");
  expect(await window.exit()).toBe(0);
});

test("[O4] [O5] --json --watch: a line each interval, one that is away too; a relay that is not there yet is waited for", async () => {
  const port = freePort();
  await using running = new RunningCli(["status", "--watch", "--json", "--interval", "0.2", "--url", `http://127.0.0.1:${port}`], OPERATOR);
  await running.sees(/"reachable":false,"problem":"the relay at \S+ cannot be reached/);
  await using relay = startTestRelay({ adminToken: TOKEN, listen: { host: "127.0.0.1", port } });
  expect(relay.hub.fleet.workers.size).toBe(0);
  await running.sees(/"reachable":true/);
  running.signal("SIGINT");
  expect(await running.exit()).toBe(0);
  const lines: readonly { readonly reachable: boolean }[] = running.out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect([lines[0]?.reachable, lines.at(-1)?.reachable]).toEqual([false, true]);
  expect(running.err).toBe("");
});

function freePort(): number {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const port = server.port ?? 0;
  void server.stop(true);
  return port;
}
