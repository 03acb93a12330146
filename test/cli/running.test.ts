// `serve` and `work` as processes: what they warn of, what keeps them from starting, and how they end.
import { expect, test } from "bun:test";
import { unary } from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { until, within } from "../support/until.ts";
import { MAIN, RunningCli, runCli } from "./run-cli.ts";

const SECRET = { WORKER_SECRET: "mysecret" };
const LISTENING = /listening url=(\S+)/;

/** A request that waits in the queue: no worker is there, and the relay has just started. */
async function queueRequest(relay: string): Promise<{ readonly answer: Promise<unknown> }> {
  const body = JSON.stringify({ model: "m", messages: [] });
  const answer = fetch(`${relay}/v1/chat/completions`, { method: "POST", body }).then(
    (response) => response.status,
    () => "cut",
  );
  await until(async () => {
    const health = await fetch(`${relay}/health`);
    return /"queue_depth":1\b/.test(await health.text());
  }, "the request in the queue");
  return { answer };
}

test("[K16] serve warns of a secret given as a flag, without repeating it, and is silent about one from a variable", async () => {
  await using warned = new RunningCli(["serve", "--listen", "127.0.0.1:0", "--worker-secret", "mysecret"]);
  await warned.sees(LISTENING);
  expect(warned.err).toContain(
    "WARN  a secret given as a flag shows in the process list flag=--worker-secret instead=--worker-secret-file\n",
  );
  expect(warned.err).not.toContain("mysecret");
  expect(warned.err).not.toContain("OPEN RELAY");
  await using silent = new RunningCli(["serve", "--listen", "127.0.0.1:0"], SECRET);
  await silent.sees(LISTENING);
  expect(silent.err).not.toContain("WARN");
});

test.if(process.platform === "linux")(
  "[K16] serve warns when it may have few files open, since clients beyond that would wait without a word",
  async () => {
    const script = 'ulimit -n 200; exec "$0" "$1" serve --listen 127.0.0.1:0';
    const relay = Bun.spawn(["sh", "-c", script, process.execPath, MAIN], {
      env: { ...SECRET, PATH: process.env["PATH"] },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    try {
      const decoder = new TextDecoder();
      for await (const bytes of relay.stderr) {
        said += decoder.decode(bytes, { stream: true });
        if (said.includes("listening")) break;
      }
    } finally {
      relay.kill("SIGKILL");
      await relay.exited;
    }
    expect(said).toMatch(/WARN +few files may be open at once, and each client and worker is one limit=200 fix="ulimit -n 65536/);
  },
);

test("[K16] serve says loudly that an address beyond this machine is open", async () => {
  await using relay = new RunningCli(["serve", "--listen", "0.0.0.0:0", "--log-format", "json"], SECRET);
  await relay.sees(/"message":"listening"/);
  const warnings = relay.err.split("\n").filter((line) => line.includes('"level":"warn"'));
  expect(warnings.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { message: "OPEN RELAY: anyone who can reach this address may use the models, no API key is asked for", listen: "0.0.0.0:0" },
  ]);
});

test("[K17] an address in use is refused with what may hold it and how to choose another", async () => {
  const holder = startFakeBackend(unary(200, "{}"));
  const { host } = new URL(holder.url);
  try {
    expect(await runCli(["serve", "--listen", host], SECRET)).toEqual({
      code: 1,
      out: "",
      err:
        `modelrelay: cannot listen on ${host}: the address is in use, perhaps by another relay or by a model server ` +
        "(llama-server takes 8080 too). Stop that program, or choose another address with --listen, for example --listen 127.0.0.1:8090.\n",
    });
  } finally {
    await holder.stop();
  }
});

test.each(["SIGTERM", "SIGINT"] as const)("[K18] %s ends an idle relay with exit code 0", async (signal) => {
  await using relay = new RunningCli(["serve", "--listen", "127.0.0.1:0"], SECRET);
  const url = await relay.sees(LISTENING);
  expect((await runCli(["health", "--url", url])).code).toBe(0);
  relay.signal(signal);
  expect(await within(relay.exit(), "the exit")).toBe(0);
  expect(relay.err).toContain("graceful shutdown");
});

test.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)("[K18] a second %s ends a draining relay at once with exit code %d", async (signal, code) => {
  await using relay = new RunningCli(["serve", "--listen", "127.0.0.1:0"], SECRET);
  const { answer } = await queueRequest(await relay.sees(LISTENING));
  relay.signal(signal);
  await relay.sees(/graceful shutdown/);
  expect(await relay.insist(signal)).toBe(code);
  expect(await answer).toBe("cut");
});

test.each(["SIGTERM", "SIGINT"] as const)("[K18] %s ends a relay with exit code 0 that still waits for its key store", async (signal) => {
  const asked = Promise.withResolvers<void>();
  using database = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { open: () => asked.resolve(), data() {} } });
  await using relay = new RunningCli(["serve", "--listen", "127.0.0.1:0"], {
    ...SECRET,
    DATABASE_URL: `postgres://relay@127.0.0.1:${database.port}/keys`,
  });
  await within(asked.promise, "the database is asked");
  relay.signal(signal);
  expect([await within(relay.exit(), "the exit"), relay.err, relay.out]).toEqual([0, "", ""]);
});

test("[K18] a stop signal ends a worker with exit code 0, even one that never found its relay", async () => {
  const env = { ...SECRET, PROXY_URL: "http://127.0.0.1:1", BACKEND_URL: "http://127.0.0.1:1", LOG_LEVEL: "debug" };
  await using worker = new RunningCli(["work"], env);
  await worker.sees(/cannot reach the relay/);
  worker.signal("SIGTERM");
  expect(await within(worker.exit(), "the exit")).toBe(0);
});

test("[K18] a worker that is connected drains on a stop signal", async () => {
  const backend = startFakeBackend();
  await using relay = new RunningCli(["serve", "--listen", "127.0.0.1:0"], SECRET);
  const env = { ...SECRET, PROXY_URL: await relay.sees(LISTENING), BACKEND_URL: backend.url };
  await using worker = new RunningCli(["work"], env);
  try {
    await worker.sees(/INFO {2}registered/);
    worker.signal("SIGTERM");
    expect(await within(worker.exit(), "the exit")).toBe(0);
    expect(worker.err).toContain("graceful shutdown");
  } finally {
    await backend.stop();
  }
});
