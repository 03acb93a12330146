// A model backend under the control of a test, on raw sockets, so that it can misbehave in every way a real one does.
//
//   await using backend = startFakeBackend(politely());            // or any Answer; may be replaced: backend.answer = ...
//   const exchange = await backend.nextExchange();                 // the next request, in order of arrival, complete with its body
//   backend.requests / backend.open                                // everything received / connections open now
//
// An Answer is a function of the exchange; it writes what it likes and returns when the answer is over, or never:
//
//   backend.answer = async (exchange) => {
//     const stream = await exchange.stream();                      // head + chunked encoding; or exchange.head / raw / unary
//     await stream.send(event, 1);                                 // one byte per packet; a number, "whole" or a Random
//     await gate.promise;                                          // the test decides when it goes on
//     exchange.reset();                                            // RST; or close() = FIN; or stream.end() = as it should be
//   };
//   await exchange.closedByPeer;  exchange.bytesAccepted;  exchange.isStalled;   // what the other side did
//
// Ready-made answers are in fake-backend-answers.ts, bytes of the three dialects in fake-backend-events.ts, and the same
// behaviours as a process of its own, to be killed and stopped, in fake-backend-process.ts.
import { politely } from "./fake-backend-answers.ts";
import { type Answer, Exchange } from "./fake-backend-exchange.ts";
import { type ReceivedRequest, RequestReader } from "./fake-backend-request.ts";
import { Wire } from "./fake-backend-wire.ts";
import { within } from "./until.ts";

export interface FakeBackend extends AsyncDisposable {
  readonly url: string;
  /** Answers the requests that arrive from now on. */
  answer: Answer;
  /** Every request received, oldest first. */
  readonly requests: readonly ReceivedRequest[];
  /** Connections open at this moment. */
  readonly open: number;
  /** Connections there have been, whether they carried a request or not. */
  readonly accepted: number;
  /** The oldest exchange no call has given out yet; waits for one. Those with the model list are left out. */
  nextExchange(): Promise<Exchange>;
  /** Closes everything at once. */
  stop(): Promise<void>;
}

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/** Listens on a free port of the loopback. */
export function startFakeBackend(answer: Answer = politely(), port = 0): FakeBackend {
  const wires = new Set<Wire>();
  const requests: ReceivedRequest[] = [];
  const arrivals = new Arrivals();
  let accepted = 0;

  const onRequest = (request: ReceivedRequest, wire: Wire): void => {
    requests.push(request);
    const exchange = new Exchange(request, wire);
    if (!request.path.startsWith("/v1/models")) arrivals.add(exchange);
    backend.answer(exchange).catch((error: unknown) => {
      // Nothing else would tell the test that its script is wrong.
      console.error("the fake backend's answer failed", error);
      exchange.reset();
    });
  };

  const listener = Bun.listen<Wire>({
    hostname: "127.0.0.1",
    port,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        const reader = new RequestReader(() => void wire.write(CONTINUE));
        const wire: Wire = new Wire(socket, (bytes) => {
          for (let request = reader.push(bytes); request !== null; request = reader.push(new Uint8Array())) onRequest(request, wire);
        });
        socket.data = wire;
        socket.setNoDelay(true);
        wires.add(wire);
        accepted += 1;
      },
      data: (socket, bytes) => socket.data.onData(bytes),
      drain: (socket) => socket.data.onDrain(),
      end: (socket) => socket.data.onEnd(),
      close(socket) {
        socket.data.onEnd();
        wires.delete(socket.data);
      },
      error: () => {},
    },
  });

  const stop = async (): Promise<void> => {
    listener.stop(true);
    for (const wire of wires) wire.reset();
  };
  const backend: FakeBackend = {
    url: `http://127.0.0.1:${listener.port}`,
    answer,
    requests,
    get open() {
      return wires.size;
    },
    get accepted() {
      return accepted;
    },
    nextExchange: () => within(arrivals.next(), "a request reaches the fake backend"),
    stop,
    [Symbol.asyncDispose]: stop,
  };
  return backend;
}

/** A queue of exchanges, and of those who wait for one. */
class Arrivals {
  readonly #exchanges: Exchange[] = [];
  readonly #waiting: ((exchange: Exchange) => void)[] = [];

  add(exchange: Exchange): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#exchanges.push(exchange);
    else waiting(exchange);
  }

  async next(): Promise<Exchange> {
    const exchange = this.#exchanges.shift();
    if (exchange !== undefined) return exchange;
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }
}
