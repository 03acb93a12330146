// Servers that answer without end, or send one elsewhere: whoever asks them keeps to a bounded memory and to the address that was given.
import { expect, spyOn, test } from "bun:test";
import type { Socket } from "bun";
import { knock } from "../../src/cli/doctor/knock.ts";
import { redirect } from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { diagnose, NOBODY } from "./doctor-run.ts";
import { runCli } from "./run-cli.ts";

const MIB = 1024 ** 2;
/**
 * What the commands may take: three answers at once at the most (status), each up to 16 MiB, and twice that besides in buffers of the runtime
 * and the system. Without a limit it is as much as goes through until the command's own time-out.
 */
const TAKEN_MAX_BYTES = 3 * 3 * 16 * MIB;
const WELL = '{"status":"ok","version":"0.1.0","workers_connected":0,"queue_depth":0,"data":[{"id":"m"}]}';
const LIST = `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${WELL.length}\r\n\r\n${WELL}`;
const JSON_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[";

interface Pouring {
  /** Bytes the endless answer got rid of, buffers of the system among them. */
  bytes: number;
}

/** Answers some paths and pours without end into everything else, as fast as it is taken. */
function startPouring(head: string, filling: string, isShort: (request: string) => boolean) {
  const chunk = Buffer.from(filling.repeat(Math.ceil(65_536 / filling.length)));
  const poured: Pouring = { bytes: 0 };
  const pour = (socket: Socket<{ isPouring: boolean }>): void => {
    for (let count = chunk.length; count === chunk.length;) {
      count = socket.write(chunk);
      poured.bytes += Math.max(0, count);
    }
  };
  const server = Bun.listen<{ isPouring: boolean }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => void (socket.data = { isPouring: false }),
      data(socket, bytes) {
        if (socket.data.isPouring) return;
        if (isShort(bytes.toString("latin1"))) return void socket.end(LIST);
        socket.data.isPouring = true;
        socket.write(head);
        pour(socket);
      },
      drain: (socket) => void (socket.data.isPouring && pour(socket)),
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, poured, [Symbol.dispose]: () => server.stop(true) };
}

const never = (): boolean => false;

test.each([
  [["health"], /^unhealthy: \S+ answered 200, not as a relay does/],
  [["status"], /answered 200, not as a relay/],
  [["keys", "list"], /answered 200, not as a relay/],
  [["bench", "--requests", "1"], /answered 200/],
])("[O16] %p takes no answer without end", async (words, message) => {
  using server = startPouring(JSON_HEAD, '"a",', never);
  const result = await runCli([...words, "--url", server.url], { MODELRELAY_ADMIN_TOKEN: "0123456789abcdef" });
  expect(result.code).toBe(1);
  expect(`${result.out}${result.err}`).toMatch(message);
  expect(server.poured.bytes).toBeLessThan(TAKEN_MAX_BYTES);
});

test("[O16] the doctor takes no list, no refusal and no line of a stream without end", async () => {
  using list = startPouring(JSON_HEAD, '"a",', never);
  expect((await diagnose(["--backend-url", list.url])).of("backend").verdict).not.toBe("ok");
  expect(list.poured.bytes).toBeLessThan(TAKEN_MAX_BYTES);
  const isList = (request: string): boolean => !request.includes("/chat/completions");
  for (const head of ["HTTP/1.1 500 X\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: "]) {
    using answer = startPouring(head, "a", isList);
    expect((await diagnose(["--backend-url", answer.url])).of("answer").verdict).toBe("failed");
    expect(answer.poured.bytes).toBeLessThan(TAKEN_MAX_BYTES);
  }
}, 60_000);

test("[O16] the doctor asks no other place than the one it was given", async () => {
  await using elsewhere = startFakeBackend(redirect("/"));
  await using backend = startFakeBackend(async (exchange) => {
    if (exchange.request.path.startsWith("/v1/models")) return await exchange.unary(200, WELL);
    await redirect(`${elsewhere.url}/v1/chat/completions`)(exchange);
  });
  const found = await diagnose(["--backend-url", backend.url, "--proxy-url", NOBODY]);
  expect(found.of("answer")).toMatchObject({ verdict: "failed" });
  expect(elsewhere.requests).toEqual([]);
});

test("[O16] a relay that answers a ping without end is waited for once", async () => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, upgrader) => (upgrader.upgrade(request) ? undefined : new Response(null, { status: 400 })),
    websocket: {
      open(socket) {
        for (let sent = 0; sent < 1_000; sent++) socket.pong();
      },
      message() {},
    },
  });
  const timers = spyOn(globalThis, "setTimeout");
  try {
    const address = new URL(`ws://127.0.0.1:${server.port}`);
    expect(await knock({ address, proxy: null, tlsCa: null, secret: "s" })).toEqual({ kind: "let in" });
    expect(timers.mock.calls.length).toBeLessThan(10);
  } finally {
    timers.mockRestore();
    await server.stop(true);
  }
});
