// The fake backend as a process of its own, for tests that kill -9 or SIGSTOP it.
//
//   bun test/support/fake-backend-process.ts [port] [model,model,...]        port 0 or missing: any free one
//
// Prints one JSON object per line: first {"event":"listening","url":"http://127.0.0.1:4711"}, then, as they happen,
// {"event":"request","number":1,"request_id","method","path","marker","body_bytes"} and
// {"event":"closed_by_peer","number":1,"request_id","bytes_accepted"}.
// Two words are understood on its standard input, a line each: `release` lets go of everything held, and `progress` prints
// {"event":"progress","bytes_accepted"}, the bytes of all answers together.
// Ends on SIGTERM, or when its standard input ends, so that it never outlives the test that started it.
//
// A marker anywhere in a request's body says how it is answered; without one, politely:
//
//   fake:polite                  as asked for, streamed or whole
//   fake:words:500:20            a chat stream of 500 words, 20 ms apart
//   fake:held:20                 a word every 20 ms until `release`, then the end of the stream; a whole answer comes at `release`
//   fake:sliced:40               a chat stream of 40 four-byte characters, one byte per packet
//   fake:endless:64              a stream without end of events of 64 KiB (small ones without the number), as fast as it is read
//   fake:status:429              this status with an error body
//   fake:hang                    nothing at all
//   fake:hang-mid-stream         two events, then nothing
//   fake:unterminated            two events, then the connection closes
//   fake:reset                   a RST without a byte
//   fake:close                   a FIN without a byte
//   fake:reset-mid-stream        two events, then a RST
//   fake:garbage                 bytes that are no HTTP
//   fake:status-line             half a status line, then the connection closes
//   fake:truncated               half of the body that was announced
//   fake:empty                   a status and no body
//   fake:redirect                another place to ask
//   fake:gzip                    a compressed body nobody asked for
//   fake:huge:64                 a body of 64 MiB
//   fake:die                     the process is gone at once (fake:die-mid-stream: after two events)
import * as answers from "./fake-backend-answers.ts";
import { streamEvents, wholeAnswer } from "./fake-backend-events.ts";
import { type Answer, type Exchange } from "./fake-backend-exchange.ts";
import { startFakeBackend } from "./fake-backend.ts";

const port = Number(process.argv[2] ?? 0);
const models = (process.argv[3] ?? "fake").split(",");
const HEAD_START_MS = 50;
const MARKER = /fake:([a-z-]+)(?::(\d+))?(?::(\d+))?/;

const polite = answers.politely(models);
const firstEvents = streamEvents("chat").slice(0, 2);
const gate = { isOpen: false, ...Promise.withResolvers<void>() };
const exchanges: Exchange[] = [];
let number = 0;

const backend = startFakeBackend(async (exchange) => {
  const [marker, name, first, second] = MARKER.exec(exchange.text) ?? [];
  report(exchange, marker);
  await toAnswer(name, Number(first), Number(second))(exchange);
}, port);

print({ event: "listening", url: backend.url });
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.on("data", (bytes) => {
  for (const word of String(bytes).trim().split("\n")) onWord(word);
});

function toAnswer(name: string | undefined, first: number, second: number): Answer {
  switch (name) {
    case undefined:
    case "polite":
      return polite;
    case "words":
      return words(first, second);
    case "held":
      return held(first);
    case "sliced":
      return answers.sse(streamEvents("chat", Array<string>(first).fill("🦜")), { slicing: 1 });
    case "endless":
      return answers.endlessStream(first > 0 ? `data: ${"x".repeat(first * 1024 - 8)}\n\n` : firstEvents[1]!);
    case "status":
      return answers.unary(first, JSON.stringify({ error: { message: "As the marker says.", type: "fake", param: null, code: "fake" } }));
    case "hang":
      return answers.hangBeforeHeaders();
    case "hang-mid-stream":
      return answers.hangMidStream(firstEvents);
    case "unterminated":
      return answers.unterminatedStream(firstEvents);
    case "reset":
      return answers.resetSilently();
    case "close":
      return answers.closeSilently();
    case "reset-mid-stream":
      // A RST overtakes what is not read yet, so the events get a head start.
      return answers.resetMidStream(firstEvents, Bun.sleep(HEAD_START_MS));
    case "garbage":
      return answers.garbage();
    case "status-line":
      return answers.partOfStatusLine();
    case "truncated":
      return answers.truncatedBody(wholeAnswer("chat"), 40);
    case "empty":
      return answers.unary(200, "");
    case "redirect":
      return answers.redirect("http://127.0.0.1:1/elsewhere");
    case "gzip":
      return answers.gzipped(wholeAnswer("chat"));
    case "huge":
      return answers.hugeBody(first);
    case "die":
      return die;
    case "die-mid-stream":
      return async (exchange) => {
        await answers.hangMidStream(firstEvents)(exchange);
        await die();
      };
    default:
      return answers.unary(400, `{"error":{"message":"unknown marker fake:${name}"}}`);
  }
}

function words(count: number, everyMs: number): Answer {
  const events = streamEvents(
    "chat",
    Array.from({ length: count }, (_, index) => `${index} `),
  );
  return answers.sse(events, { pace: () => Bun.sleep(everyMs) });
}

/** Goes on until the test lets go: no test has to guess how long its stream must last. */
function held(everyMs: number): Answer {
  return async (exchange) => {
    if (!exchange.text.includes('"stream":true')) {
      await gate.promise;
      return await polite(exchange);
    }
    const stream = await exchange.stream();
    for (let word = 0; !gate.isOpen; word++) {
      if (!(await stream.send(streamEvents("chat", [`${word} `])[1]!))) return;
      await Promise.race([gate.promise, Bun.sleep(everyMs)]);
    }
    for (const event of streamEvents("chat", []).slice(1)) await stream.send(event);
    await stream.end();
  };
}

function onWord(word: string): void {
  if (word === "progress") {
    print({ event: "progress", bytes_accepted: exchanges.reduce((sum, exchange) => sum + exchange.bytesAccepted, 0) });
  } else if (word === "release") {
    gate.isOpen = true;
    gate.resolve();
  }
}

async function die(): Promise<void> {
  process.kill(process.pid, "SIGKILL");
}

function report(exchange: Exchange, marker: string | undefined): void {
  const { method, path, body } = exchange.request;
  number += 1;
  exchanges.push(exchange);
  const who = { number, request_id: exchange.request.headers.get("x-request-id") ?? null };
  print({ event: "request", ...who, method, path, marker: marker ?? null, body_bytes: body.length });
  void exchange.closedByPeer.then(() => print({ event: "closed_by_peer", ...who, bytes_accepted: exchange.bytesAccepted }));
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
