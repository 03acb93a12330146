// What becomes of the output of a command when its reader takes its time.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../extras/front-server.ts";
import { until, within } from "../support/until.ts";
import { fullPipe } from "./full-pipe.ts";
import { readLate } from "./late-reader.ts";
import { MAIN } from "./run-cli.ts";

const WRITE_NOW = join(import.meta.dir, "../../src/cli/write-now.ts");
/** Several times what a pipe holds. */
const BYTES = 300_000;

const posix = test.skipIf(process.platform === "win32");

posix("[K25] a reader that begins late gets all of it, also through a pipe that does not wait by itself", async () => {
  const script = `
    const { writeNow } = await import(${JSON.stringify(WRITE_NOW)});
    // This alone makes the runtime turn a pipe into one that does not wait.
    process.stdout.isTTY;
    console.error("writing");
    console.error(writeNow(1, "x".repeat(${BYTES})));`;
  const { out, err, exitCode } = await readLate('"$0" -e "$1"', script);
  expect([out.length, err, exitCode]).toEqual([BYTES, "writing\ntrue\n", 0]);
});

posix("[K25] the pipe is left as it was for whoever writes to it next", async () => {
  const next = `
    console.error("writing");
    console.error(require("node:fs").writeSync(1, "x".repeat(${BYTES})));`;
  const { err, exitCode } = await readLate(`"$0" '${MAIN}' --help && "$0" -e "$1"`, next);
  expect([err, exitCode]).toEqual([`writing\n${BYTES}\n`, 0]);
});

posix("[K25] a log whose reader is stuck holds up nothing, however much is to be said", async () => {
  const script = `
    const { writeNow } = await import(${JSON.stringify(WRITE_NOW)});
    process.stderr.isTTY;
    for (let line = 0; line < 500; line++) writeNow(2, "x".repeat(1_000) + "\\n");
    console.log("done");`;
  const stuck = 'exec 3<&0 4>&1; "$0" -e "$1" 2>&1 >&4 | { read -r _ <&3; cat; }';
  const child = Bun.spawn(["bash", "-c", stuck, process.execPath, script], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  const output = child.stdout.getReader();
  try {
    const { value } = await within(output.read(), "the writer is done, which nobody has read yet");
    expect(new TextDecoder().decode(value)).toBe("done\n");
  } finally {
    // The reader reads what there is, and ends.
    void child.stdin.write("go\n");
    await child.stdin.end();
    await output.cancel();
    await child.exited;
  }
});

posix(
  "[K25] what is written in passing is given up on, whatever the pipe: a keeper shows a log, and has a model to look after",
  async () => {
    using pipe = fullPipe();
    const script = `
    const { writeNow } = await import(${JSON.stringify(WRITE_NOW)});
    console.error(writeNow(1, "x", "short"));`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: pipe.descriptor, stderr: "pipe" });
    try {
      expect(await within(child.stderr.text(), "the writer is done")).toBe("true\n");
    } finally {
      child.kill("SIGKILL");
    }
  },
);

posix("[K25] a relay whose log nobody takes serves, and ends when it is told to", async () => {
  using pipe = fullPipe();
  const port = freePort();
  const args = ["serve", "--listen", `127.0.0.1:${port}`, "--worker-secret", "a-secret-of-enough-length"];
  const relay = Bun.spawn([process.execPath, MAIN, ...args], {
    stdio: ["ignore", "ignore", pipe.descriptor],
    env: { PATH: process.env["PATH"] },
  });
  try {
    const isLive = async () =>
      await fetch(`http://127.0.0.1:${port}/livez`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(isLive, "it answers");
    relay.kill("SIGTERM");
    expect(await within(relay.exited, "the exit")).toBe(0);
  } finally {
    relay.kill("SIGKILL");
  }
});
