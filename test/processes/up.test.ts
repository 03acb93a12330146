// `modelrelay up --demo` as a newcomer runs it: an answer that comes word by word, then a relay that stays until it is stopped.
import { expect } from "bun:test";
import { readEvents } from "../support/sse-reader.ts";
import { ask } from "./asking.ts";
import { scenario } from "./rig.ts";

const ANYWHERE = ["--listen", "127.0.0.1:0"];

scenario("[K23] up --demo --once prints the answer as it comes and ends with exit code 0", async (rig) => {
  const up = rig.run(["up", "--demo", "--once", "--demo-speed", "60", ...ANYWHERE]);
  await up.prints(/Asking demo: .*\n\n\w/s);
  const early = up.out;
  expect(early).not.toContain("first token after");
  expect(up.isRunning).toBe(true);
  expect(await up.exit()).toBe(0);
  expect(up.out).toStartWith(early);
  expect(up.out).toMatch(/\n\nfirst token after \d+ ms, \d+ tokens in \d+ ms/);
});

scenario("[K18] [K23] up --demo stays up and answers over HTTP; SIGTERM lets a running stream finish, exit code 0", async (rig) => {
  const up = rig.run(["up", "--demo", "--demo-speed", "200", ...ANYWHERE]);
  await up.prints(/Stop with Ctrl\+C\./);
  const url = await up.prints(/^OpenAI\s+(\S+)\/v1$/m);
  const models = await fetch(`${url}/v1/models`);
  expect(await models.text()).toContain('"id":"demo"');
  const stream = await ask({ url }, { model: "demo", marker: "count to 100", stream: true });
  up.signal("SIGTERM");
  const events = await readEvents(stream);
  expect(events.length).toBeGreaterThan(100);
  expect(events.at(-1)?.data).toBe("[DONE]");
  expect(await up.exit()).toBe(0);
});
