// Workers that speak protocol v2 and will not work: they fail, reject or keep silent about every request they get.
import { expect } from "bun:test";
import { until } from "../support/until.ts";
import { refusalOf } from "./rig.ts";
import { attack } from "./scene.ts";

attack("v2: its error texts are for the log alone", async ({ v2, ask, relay }) => {
  const evil = await v2();
  const text = 'the secret of another: \u001b[31m\r\nFAKE LINE level=info message="all is well" \u202e';
  evil.send({ type: "error", code: text, message: text });
  for (const kind of ["broken", "too_large", text, "dropped"]) {
    const response = ask();
    const job = await evil.nextJob();
    evil.send({ type: "response_end", attempt: job.attempt, error: { kind, message: text.repeat(50) } });
    const answer = await response;
    expect(answer.status).toBe(502);
    expect(await answer.text()).not.toContain("the secret");
  }
  expect(relay.log.of("backend error").length).toBeGreaterThan(0);
});

attack("v2: it rejects whatever it gets: it gets no more, and the requests go elsewhere", async ({ v2, ask, relay }) => {
  const evil = await v2({ slots: 8, answersPings: false });
  const response = ask();
  (await evil.nextJob()).reject("full");
  const good = await v2();
  (await good.nextJob()).answer();
  expect((await response).status).toBe(200);
  const next = ask();
  (await good.nextJob()).answer();
  expect((await next).status).toBe(200);
  expect(evil.jobs).toHaveLength(1);
  expect(relay.hub.counters.requeued).toBe(1);
});

attack("v2: it takes every request and refuses the connection to its backend: others serve on", async ({ v2, ask }) => {
  const evil = await v2({ slots: 100 });
  const good = await v2({ slots: 1 });
  for (let request = 0; request < 10; request++) {
    const response = ask();
    await until(() => evil.jobs.some((job) => job.isRunning) || good.jobs.some((job) => job.isRunning), "somebody has it");
    for (const job of evil.jobs) if (job.isRunning) job.end("connection_refused");
    await until(() => good.jobs.some((job) => job.isRunning), "the honest one has it");
    for (const job of good.jobs) {
      if (!job.isRunning) continue;
      await until(() => job.body.byteLength === job.request["body_length"], "its body");
      job.answer();
    }
    expect((await response).status).toBe(200);
  }
  expect(evil.jobs.length).toBeLessThan(10);
});

attack(
  "v2: it says nothing at all to a request: only that one waits, and it is cancelled at its deadline",
  async (scene) => {
    const evil = await scene.v2({ answersCancels: false });
    const response = scene.ask();
    const job = await evil.nextJob();
    expect(await refusalOf(await response)).toEqual([504, "request_timeout", null]);
    await until(() => job.isCancelled, "it is told to stop");
  },
  { relay: { requestTimeoutMs: 300 } },
);
