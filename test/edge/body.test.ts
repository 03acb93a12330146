// Request bodies on their way in: size, pace, encoding and the memory they hold, with time moved by hand.
import { expect, test } from "bun:test";
import { RelayError } from "../../src/base/errors.ts";
import { takeBody } from "../../src/edge/body.ts";
import { Uploads } from "../../src/edge/uploads.ts";
import { ByteBudget } from "../../src/hub/byte-budget.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RawClient, rawPost } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { failureOf, turns, until } from "../support/until.ts";
import { startV2Worker } from "../support/v2-worker.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

interface Upload {
  readonly clock: ManualClock;
  readonly budget: ByteBudget;
  readonly uploads: Uploads;
  readonly taken: ReturnType<typeof takeBody>;
  send(bytes: number): Promise<void>;
  end(): void;
  breakOff(): void;
}

function upload(
  headers: Readonly<Record<string, string>> = {},
  limits: { readonly limit?: number; readonly budget?: number } = {},
  uploads = new Uploads(),
): Upload {
  const clock = new ManualClock();
  const budget = new ByteBudget(limits.budget ?? MIB);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 100 });
  const writer = writable.getWriter();
  const request = new Request("http://relay/", { method: "POST", body: readable, headers });
  const taken = takeBody(request, { limitBytes: limits.limit ?? MIB, budget, clock, uploads });
  taken.catch(() => {});
  return {
    clock,
    budget,
    uploads,
    taken,
    async send(bytes) {
      await writer.write(new Uint8Array(bytes));
      await turns(2);
    },
    end: () => void writer.close(),
    breakOff: () => void writer.abort(new Error("gone")),
  };
}

async function codeOf(taken: Promise<unknown>): Promise<string> {
  const failure = await failureOf(taken);
  return failure instanceof RelayError ? failure.code : String(failure);
}

test("[H5] nothing for 10 s is too slow", async () => {
  const { clock, taken, budget } = upload();
  clock.advance(9_999);
  await turns(2);
  expect(clock.pending).toBe(1);
  clock.advance(1);
  expect(await codeOf(taken)).toBe("body_timeout");
  expect([clock.pending, budget.heldBytes]).toEqual([0, 0]);
});

test("[H5] after 10 s a body must have come in at 1 KiB/s on average", async () => {
  const slow = upload();
  await slow.send(5 * KIB);
  slow.clock.advance(15_000);
  await turns(2);
  expect(slow.clock.pending).toBe(1);
  slow.clock.advance(1_000);
  expect(await codeOf(slow.taken)).toBe("body_timeout");
  const steady = upload();
  for (let second = 0; second < 60; second++) {
    await steady.send(KIB);
    steady.clock.advance(1_000);
  }
  steady.end();
  expect((await steady.taken).bytes.byteLength).toBe(60 * KIB);
  expect(steady.clock.pending).toBe(0);
});

test("[H5] what came in fast does not pay for hours of silence: a body that pauses for more than a minute is too slow", async () => {
  const paused = upload({}, { limit: 10 * MIB, budget: 10 * MIB });
  await paused.send(9 * MIB);
  paused.clock.advance(60_000);
  await turns(2);
  expect(paused.clock.pending).toBe(1);
  await paused.send(MIB / 2);
  paused.clock.advance(59_000);
  await turns(2);
  expect(paused.clock.pending).toBe(1);
  paused.clock.advance(15_000);
  expect(await codeOf(paused.taken)).toBe("body_timeout");
  expect([paused.clock.pending, paused.budget.heldBytes]).toEqual([0, 0]);
});

test("[H5] the same holds for a body of a few hundred KiB whose length was announced", async () => {
  const paused = upload({ "content-length": String(200 * KIB) });
  await paused.send(190 * KIB);
  paused.clock.advance(60_000);
  await turns(2);
  expect(paused.clock.pending).toBe(1);
  paused.clock.advance(15_000);
  expect(await codeOf(paused.taken)).toBe("body_timeout");
  expect([paused.clock.pending, paused.budget.heldBytes]).toEqual([0, 0]);
});

test("[H5] the limit is exact, announced or not, and what was held is given back", async () => {
  const exact = upload({}, { limit: 100 });
  await exact.send(100);
  exact.end();
  const { bytes, reservation } = await exact.taken;
  expect([bytes.byteLength, exact.budget.heldBytes]).toEqual([100, 100]);
  reservation.release();
  expect(exact.budget.heldBytes).toBe(0);
  const over = upload({}, { limit: 100 });
  await over.send(101);
  expect(await codeOf(over.taken)).toBe("body_too_large");
  expect(over.budget.heldBytes).toBe(0);
  const announced = upload({ "content-length": "101" }, { limit: 100 });
  expect(await codeOf(announced.taken)).toBe("body_too_large");
});

test("[H5] any encoding but identity is refused", async () => {
  for (const encoding of ["gzip", "br", "GZIP", "identity, gzip", "zstd"]) {
    expect(await codeOf(upload({ "content-encoding": encoding }).taken)).toBe("unsupported_encoding");
  }
  const plain = upload({ "content-encoding": " Identity " });
  plain.end();
  expect((await plain.taken).bytes.byteLength).toBe(0);
});

test("[Q1] a relay whose memory for bodies is used up refuses, announced or as the body grows", async () => {
  const announced = upload({ "content-length": "200" }, { budget: 100 });
  expect(await codeOf(announced.taken)).toBe("overloaded");
  const growing = upload({}, { budget: 100 });
  await growing.send(80);
  expect(growing.budget.heldBytes).toBe(80);
  await growing.send(80);
  expect(await codeOf(growing.taken)).toBe("overloaded");
  expect(growing.budget.heldBytes).toBe(0);
});

test("[Q1] a large upload holds what came in, not what it announced", async () => {
  const announced = upload({ "content-length": String(900 * KIB) });
  await announced.send(1_000);
  expect(announced.budget.heldBytes).toBe(1_000);
  announced.breakOff();
  expect(await codeOf(announced.taken)).toBe("invalid_request");
  expect(announced.budget.heldBytes).toBe(0);
});

test("[X2] uploads under way can be refused together, and those that begin later with them", async () => {
  const whole = { "content-length": "100" };
  for (const headers of [whole, {}]) {
    const underWay = upload(headers);
    await underWay.send(50);
    expect(underWay.uploads.refuseAll("draining")).toBe(1);
    expect(await codeOf(underWay.taken)).toBe("draining");
    expect([underWay.clock.pending, underWay.budget.heldBytes]).toEqual([0, 0]);
    expect(await codeOf(upload(headers, {}, underWay.uploads).taken)).toBe("draining");
    const done = upload(headers);
    await done.send(100);
    done.end();
    expect((await done.taken).bytes.byteLength).toBe(100);
    expect(done.uploads.refuseAll("draining")).toBe(0);
  }
});

test("[H5] an upload that breaks off holds nothing", async () => {
  const broken = upload({ "content-length": "200" });
  await broken.send(50);
  broken.breakOff();
  expect(await codeOf(broken.taken)).toBe("invalid_request");
  expect([broken.budget.heldBytes, broken.clock.pending]).toEqual([0, 0]);
});

test("[H5] over the wire: too large is 413 before the body is read, compressed is 415", async () => {
  await using relay = startTestRelay({ bodyLimitBytes: 2 * MIB });
  using client = await RawClient.connect(relay);
  client.send(`POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: ${2 * MIB + 1}\r\n\r\n`);
  expect((await client.head()).status).toBe(413);
  expect(client.text).toContain('"type":"request_too_large"');
  const chunked = await fetch(relay.at("/v1/chat/completions"), {
    method: "POST",
    body: new ReadableStream({
      start(controller) {
        for (let sent = 0; sent < 3; sent++) controller.enqueue(new Uint8Array(MIB));
        controller.close();
      },
    }),
  });
  expect(chunked.status).toBe(413);
  expect(await chunked.json()).toMatchObject({ error: { code: "body_too_large", message: expect.stringContaining("2 MiB") } });
  const zipped = await relay.post("/v1/chat/completions", { model: "m" }, { headers: { "content-encoding": "gzip" } });
  expect([zipped.status, await zipped.json()]).toMatchObject([415, { error: { code: "unsupported_encoding" } }]);
});

test("[H5] over the wire: a body that stops coming is 408, a large one after 10 s, a small one when it should have been there", async () => {
  for (const [length, afterMs] of [
    [1_000_000, 10_000],
    [1_024, 11_000],
  ] as const) {
    const clock = new ManualClock();
    await using relay = startTestRelay({}, { clock });
    using client = await RawClient.connect(relay);
    client.send(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`);
    await until(() => clock.dueInMs.includes(afterMs), "the relay waits for the body");
    clock.advance(afterMs - 1);
    await turns(5);
    expect(client.received.byteLength).toBe(0);
    clock.advance(1);
    expect((await client.head()).status).toBe(408);
    await until(() => client.text.includes('"code":"body_timeout"'), "the error");
  }
});

test("[H3] [H4] over the wire: the content type does not matter, and the body may come in pieces or chunks", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  const body = '{"model":"m","text":"ü"}';
  for (const type of ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=latin1", ""]) {
    const headers: Readonly<Record<string, string>> = type === "" ? {} : { "content-type": type };
    using client = await RawClient.connect(relay);
    for (const byte of rawPost("/v1/chat/completions", body, headers)) client.send(Uint8Array.of(byte));
    const job = await worker.nextJob();
    expect(job.text).toBe(body);
    job.answer();
    expect((await client.head()).status).toBe(200);
  }
  using chunked = await RawClient.connect(relay);
  chunked.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
  for (const byte of Buffer.from(body)) chunked.send(Buffer.concat([Buffer.from("1\r\n"), Uint8Array.of(byte), Buffer.from("\r\n")]));
  chunked.send("0\r\n\r\n");
  const job = await worker.nextJob();
  expect(job.text).toBe(body);
  job.answer();
  expect((await chunked.head()).status).toBe(200);
});

test("[C1] a client that leaves in the middle of its upload leaves nothing", async () => {
  await using relay = startTestRelay();
  using client = await RawClient.connect(relay);
  client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{");
  await until(() => relay.hub.bodies.heldBytes === 1000, "the relay waits for the body");
  client.cut();
  await until(() => relay.hub.bodies.heldBytes === 0, "nothing is held any more");
});
