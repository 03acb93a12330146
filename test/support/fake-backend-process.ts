// The fake backend as a process of its own, for tests that kill -9 or SIGSTOP it.
//
//   bun test/support/fake-backend-process.ts [port] [model,model,...]        port 0 or missing: any free one
//
// Prints one JSON object per line: first {"event":"listening","url":"http://127.0.0.1:4711"}, then, as they happen,
// {"event":"request","number":1,"method","path","marker","body_bytes"} and {"event":"closed_by_peer","number":1,"bytes_accepted"}.
// Ends on SIGTERM, or when its standard input ends, so that it never outlives the test that started it.
//
// A marker anywhere in a request's body says how it is answered; without one, politely:
//
//   fake:polite                  as asked for, streamed or whole
//   fake:words:500:20            a chat stream of 500 words, 20 ms apart
//   fake:endless                 a stream without end, as fast as it is read
//   fake:status:429              this status with an error body
//   fake:hang                    nothing at all
//   fake:hang-mid-stream         two events, then nothing
//   fake:unterminated            two events, then the connection closes
//   fake:reset                   a RST without a byte
//   fake:close                   a FIN without a byte
//   fake:garbage                 bytes that are no HTTP
//   fake:truncated               half of the body that was announced
//   fake:huge:64                 a body of 64 MiB
//   fake:die                     the process is gone at once (fake:die-mid-stream: after two events)
import * as answers from "./fake-backend-answers.ts";
import { streamEvents, wholeAnswer } from "./fake-backend-events.ts";
import { type Answer, type Exchange } from "./fake-backend-exchange.ts";
import { startFakeBackend } from "./fake-backend.ts";

const port = Number(process.argv[2] ?? 0);
const models = (process.argv[3] ?? "fake").split(",");
const MARKER = /fake:([a-z-]+)(?::(\d+))?(?::(\d+))?/;

const polite = answers.politely(models);
const firstEvents = streamEvents("chat").slice(0, 2);
let number = 0;

const backend = startFakeBackend(async (exchange) => {
  const [marker, name, first, second] = MARKER.exec(exchange.text) ?? [];
  report(exchange, marker);
  await toAnswer(name, Number(first), Number(second))(exchange);
}, port);

print({ event: "listening", url: backend.url });
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();

function toAnswer(name: string | undefined, first: number, second: number): Answer {
  switch (name) {
    case undefined:
    case "polite":
      return polite;
    case "words":
      return words(first, second);
    case "endless":
      return answers.endlessStream(firstEvents[1]!);
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
    case "garbage":
      return answers.garbage();
    case "truncated":
      return answers.truncatedBody(wholeAnswer("chat"), 40);
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

async function die(): Promise<void> {
  process.kill(process.pid, "SIGKILL");
}

function report(exchange: Exchange, marker: string | undefined): void {
  const { method, path, body } = exchange.request;
  number += 1;
  const own = number;
  print({ event: "request", number: own, method, path, marker: marker ?? null, body_bytes: body.length });
  void exchange.closedByPeer.then(() => print({ event: "closed_by_peer", number: own, bytes_accepted: exchange.bytesAccepted }));
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
