// Ready-made answers of the fake backend: the polite ones, and the misbehaviour of real backends.
import { type Answer, type Exchange, type HeaderList } from "./fake-backend-exchange.ts";
import { type Dialect, PATHS, streamEvents, wholeAnswer } from "./fake-backend-events.ts";
import { type Slicing } from "./fake-backend-slicing.ts";

/** Lists `models` and answers every dialect, streaming or not as it was asked. */
export function politely(models: readonly string[] = ["fake"], words?: readonly string[]): Answer {
  const list = modelList(() => models);
  return async (exchange) => {
    const dialect = dialectOf(exchange);
    if (dialect === null) return await list(exchange);
    const isStreaming = /"stream":\s*true/.test(exchange.text);
    return await (isStreaming ? sse(streamEvents(dialect, words)) : unary(200, wholeAnswer(dialect, words)))(exchange);
  };
}

/** `answer` for everything but the model list. */
export function listing(models: readonly string[], answer: Answer): Answer {
  const list = modelList(() => models);
  return async (exchange) => await (exchange.request.path.startsWith("/v1/models") ? list : answer)(exchange);
}

/** OpenAI's model list, asked for anew with every request. */
export function modelList(models: () => readonly string[] | Promise<readonly string[]>): Answer {
  return async (exchange) => {
    const entries = (await models()).map((id) => ({ id, object: "model", created: 1, owned_by: "fake" }));
    await exchange.unary(200, JSON.stringify({ object: "list", data: entries }));
  };
}

/** The answers one after another, for requests that are not for the model list; the last one stays. */
export function inTurn(...answers: readonly [Answer, ...Answer[]]): Answer {
  let next = 0;
  return async (exchange) => {
    const answer = answers[Math.min(next, answers.length - 1)];
    next += 1;
    await answer?.(exchange);
  };
}

/** `answer` once `gate` is open. */
export function after(gate: Promise<unknown>, answer: Answer): Answer {
  return async (exchange) => {
    await gate;
    await answer(exchange);
  };
}

export function unary(status: number, body: string | Uint8Array, headers: HeaderList = {}): Answer {
  return (exchange) => exchange.unary(status, body, headers);
}

export interface SseOptions {
  readonly status?: number;
  readonly headers?: HeaderList;
  /** Cuts each event into chunks. */
  readonly slicing?: Slicing;
  /** Awaited before each event, with its index. */
  readonly pace?: (index: number) => Promise<unknown>;
}

/** A whole stream of these events, ended as it should be. */
export function sse(events: readonly string[], options: SseOptions = {}): Answer {
  return async (exchange) => {
    if (await sendEvents(exchange, events, options)) await exchange.raw("0\r\n\r\n");
  };
}

/** Says nothing at all. */
export function hangBeforeHeaders(): Answer {
  return async () => {};
}

/** Sends the events, then nothing more. */
export function hangMidStream(events: readonly string[], options: SseOptions = {}): Answer {
  return async (exchange) => {
    await sendEvents(exchange, events, options);
  };
}

/** Announces all of `body`, sends `bytes` of it and hangs up. */
export function truncatedBody(body: string, bytes: number): Answer {
  return async (exchange) => {
    const all = new TextEncoder().encode(body);
    await exchange.head(200, { "content-type": "application/json", "content-length": String(all.length) });
    await exchange.raw(all.subarray(0, bytes));
    await exchange.close();
  };
}

/** Sends the events and hangs up without the last chunk. */
export function unterminatedStream(events: readonly string[], options: SseOptions = {}): Answer {
  return async (exchange) => {
    await sendEvents(exchange, events, options);
    await exchange.close();
  };
}

/** Sends the events, then a RST. `isRead` tells when the other side has them: a RST overtakes what is not read yet. */
export function resetMidStream(events: readonly string[], isRead: Promise<unknown>): Answer {
  return async (exchange) => {
    await sendEvents(exchange, events, {});
    await isRead;
    exchange.reset();
  };
}

/** No chunks and no length: the end of the connection is the end of the answer. */
export function closeDelimitedStream(events: readonly string[]): Answer {
  return async (exchange) => {
    await exchange.head(200, { "content-type": "text/event-stream", connection: "close" });
    for (const event of events) await exchange.raw(event);
    await exchange.close();
  };
}

export function redirect(location: string): Answer {
  return (exchange) => exchange.unary(302, "", { location });
}

export function noContent(): Answer {
  return (exchange) => exchange.head(204);
}

/** Compressed, whatever `accept-encoding` says. */
export function gzipped(body: string): Answer {
  return (exchange) => exchange.unary(200, Bun.gzipSync(new TextEncoder().encode(body)), { "content-encoding": "gzip" });
}

/** FIN without a byte. */
export function closeSilently(): Answer {
  return (exchange) => exchange.close();
}

/** RST without a byte. */
export function resetSilently(): Answer {
  return async (exchange) => exchange.reset();
}

/** Dies in the middle of its status line. */
export function partOfStatusLine(): Answer {
  return async (exchange) => {
    await exchange.raw("HTTP/1.1 2");
    await exchange.close();
  };
}

/** Is no HTTP server at all. */
export function garbage(): Answer {
  return async (exchange) => {
    await exchange.raw("SSH-2.0-OpenSSH_9.9\r\n\u0000\u0001\u0002 not HTTP\r\n\r\n");
    await exchange.close();
  };
}

const MEBIBYTE = 1024 * 1024;

/** A body of so many MiB of spaces; `exchange.bytesAccepted` tells how much of it went out. */
export function hugeBody(mebibytes: number): Answer {
  return async (exchange) => {
    await exchange.head(200, { "content-type": "application/json", "content-length": String(mebibytes * MEBIBYTE) });
    const piece = new Uint8Array(MEBIBYTE).fill(0x20);
    for (let sent = 0; sent < mebibytes; sent++) {
      if (!(await exchange.raw(piece))) return;
    }
  };
}

/** Events without end, as fast as they are read, until the other side hangs up. */
export function endlessStream(event: string): Answer {
  return async (exchange) => {
    const stream = await exchange.stream();
    while (await stream.send(event));
  };
}

/** Begins a stream and sends the events. False when the other side hung up. */
async function sendEvents(exchange: Exchange, events: readonly string[], options: SseOptions): Promise<boolean> {
  const stream = await exchange.stream(options.status, options.headers);
  for (const [index, event] of events.entries()) {
    await options.pace?.(index);
    if (!(await stream.send(event, options.slicing))) return false;
  }
  return true;
}

function dialectOf(exchange: Exchange): Dialect | null {
  const path = exchange.request.path.split("?")[0];
  const dialects: readonly Dialect[] = ["chat", "responses", "messages"];
  return dialects.find((dialect) => PATHS[dialect] === path) ?? null;
}
