// The pace of the scripted backend's streams: by the clock, or as fast as they are taken; each chunk says when it was written.
import { sharedNowMs } from "./clock.ts";
import { Samples } from "../../src/load/samples.ts";
import { MODEL, type Script } from "./script.ts";

/** Where the chunks of one stream go. */
export interface Outlet {
  readonly isOpen: boolean;
  /** What was written last has not left yet. */
  readonly isBlocked: boolean;
  write(bytes: Buffer): void;
  /** The answer is complete. */
  finished(): void;
}

interface Stream {
  readonly outlet: Outlet;
  left: number;
}

const TICK_MS = 1;
const END = "data: [DONE]\n\n";
const CHUNK_TAIL = `,"id":"chatcmpl-bench","object":"chat.completion.chunk","created":0,"model":"${MODEL}","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}\n\n`;

export class Pacer {
  /** Streams that wait for others, by what they wait for. */
  readonly #gathering = new Map<string, Stream[]>();
  #lateness = new Samples();

  add(outlet: Outlet, { chunks = 0, everyMs = 0, together = 1 }: Script): void {
    outlet.write(framed(event()));
    const key = `${chunks}/${everyMs}/${together}`;
    const streams = this.#gathering.get(key) ?? [];
    streams.push({ outlet, left: Math.max(1, chunks) });
    this.#gathering.set(key, streams);
    if (streams.length < together) return;
    this.#gathering.delete(key);
    if (everyMs > 0) this.#startPaced(streams, everyMs);
    else startUnpaced(streams);
  }

  takeLateness(): readonly number[] {
    const lateness = this.#lateness;
    this.#lateness = new Samples();
    return lateness.toJSON();
  }

  /** Every stream has its own place within the interval, so that the chunks of all are spread evenly over it. */
  #startPaced(streams: readonly Stream[], everyMs: number): void {
    const startMs = sharedNowMs() + everyMs;
    const stepMs = everyMs / streams.length;
    let next = 0;
    let alive = streams.length;
    const tick = (): void => {
      for (let dueMs = startMs + next * stepMs; dueMs <= sharedNowMs() && alive > 0; dueMs = startMs + ++next * stepMs) {
        const stream = streams[next % streams.length]!;
        if (stream.left === 0) continue;
        this.#lateness.add(sharedNowMs() - dueMs);
        if (sendChunk(stream)) alive--;
      }
      if (alive > 0) setTimeout(tick, TICK_MS);
    };
    tick();
  }
}

/** One chunk to each stream that takes it per turn of the event loop: no chunk rides in another's packet unless something is full. */
function startUnpaced(streams: readonly Stream[]): void {
  let running = [...streams];
  const turn = (): void => {
    let hasEnded = false;
    for (const stream of running) {
      const { isOpen, isBlocked } = stream.outlet;
      if ((!isBlocked || !isOpen) && sendChunk(stream)) hasEnded = true;
    }
    if (hasEnded) running = running.filter((stream) => stream.left > 0);
    if (running.length > 0) setImmediate(turn);
  };
  turn();
}

/** True when that was the stream's last. */
function sendChunk(stream: Stream): boolean {
  const { outlet } = stream;
  stream.left = outlet.isOpen ? stream.left - 1 : 0;
  if (!outlet.isOpen) return true;
  const isLast = stream.left <= 0;
  if (isLast) outlet.finished();
  outlet.write(isLast ? Buffer.from(`${frame(event() + END)}0\r\n\r\n`) : framed(event()));
  return isLast;
}

function event(): string {
  return `data: {"t":${sharedNowMs().toFixed(3)}${CHUNK_TAIL}`;
}

function framed(text: string): Buffer {
  return Buffer.from(frame(text), "latin1");
}

/** As one chunk of a chunked body; the text is ASCII. */
function frame(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}
