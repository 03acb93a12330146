// What a server's answer means for the bytes that are here already, and taking in the rest.
import type { Model } from "./library.ts";
import type { PartFile, PartOrigin, PartWriter } from "./part-file.ts";
import { type Answer, readContentRange, TransferHiccup } from "./transfer.ts";

/** What is known of the whole file; null: nothing. */
export interface Expected {
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
}

export interface Transfer {
  readonly response: Response;
  /** Bytes of the part that stay. */
  readonly startsAt: number;
  readonly expected: Expected;
  readonly open: () => Pick<PartWriter, "write" | "flush" | typeof Symbol.dispose>;
  /** Nothing is to come: the part was whole already. */
  readonly isComplete: boolean;
}

interface Meeting {
  readonly model: Model & { readonly url: string };
  readonly part: PartFile;
  readonly answer: Answer;
  /** What was asked to be gone on with. */
  readonly resumed: { readonly origin: PartOrigin; readonly has: number } | null;
}

/**
 * 1. the rest, and it belongs to what is here
 * 2. the rest of something else: away with it, and once more from the beginning
 * 3. there is nothing behind what is here, because it is whole
 * 4. there is nothing behind what is here, and it is not the file: as 2
 * 5. all of it from the beginning, because the server does not go on, or the file is another one now
 */
export async function beginTransfer(meeting: Meeting): Promise<Transfer> {
  const { model, part, answer, resumed } = meeting;
  const { response, linked } = answer;
  const sha256 = model.sha256 ?? linked.sha256;
  const range = readContentRange(response);
  const isSame = resumed !== null && (linked.sha256 === null || resumed.origin.sha256 === null || linked.sha256 === resumed.origin.sha256);
  if (response.status === 206) {
    if (range === null || range.start !== (resumed?.has ?? 0) || !isSame) return await startOver(part, response); // (2)
    const total = linked.sizeBytes ?? range.total;
    return { response, startsAt: range.start, expected: { sizeBytes: total, sha256 }, open: () => part.goOn(), isComplete: false }; // (1)
  }
  if (response.status === 416) {
    const total = linked.sizeBytes ?? totalOf(response);
    if (resumed === null || !isSame || total !== resumed.has) return await startOver(part, response); // (4)
    return { response, startsAt: resumed.has, expected: { sizeBytes: total, sha256 }, open: () => part.goOn(), isComplete: true }; // (3)
  }
  // Where the catalogue has a checksum, its size is exact too.
  const sizeBytes = linked.sizeBytes ?? lengthOf(response) ?? (model.sha256 === null ? null : model.sizeBytes);
  const origin = { url: model.url, etag: strongEtag(response), sha256: linked.sha256 };
  return { response, startsAt: 0, expected: { sizeBytes, sha256 }, open: () => part.begin(origin), isComplete: false }; // (5)
}

interface Receiving {
  readonly stall: { readonly signal: AbortSignal; beat(): void; rest(): void };
  readonly onBytes: (done: number, total: number | null) => void;
  readonly signal: AbortSignal;
  /** So many bytes have room, as was found before. */
  readonly checkedBytes: number;
  /** @throws when so many more would not leave some room */
  readonly checkRoom: (bytes: number) => Promise<void>;
}

/** Writes and hashes what comes. Returns how many bytes are here then. @throws TransferHiccup when it ends early */
export async function receive(transfer: Transfer, hash: Bun.CryptoHasher, receiving: Receiving): Promise<number> {
  const { stall, onBytes, signal } = receiving;
  const { response, expected, startsAt } = transfer;
  let done = startsAt;
  let roomUntil = startsAt + receiving.checkedBytes;
  using file = transfer.open();
  onBytes(done, expected.sizeBytes);
  if (transfer.isComplete || response.body === null) return done;
  const reader = response.body.getReader();
  const ended = AbortSignal.any([signal, stall.signal]);
  const onAbort = (): void => void reader.cancel(ended.reason).catch(() => {});
  ended.addEventListener("abort", onAbort);
  try {
    stall.beat();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      stall.beat();
      done += chunk.value.length;
      if (done > roomUntil) {
        await receiving.checkRoom(chunk.value.length + ROOM_STEP_BYTES);
        roomUntil = done + ROOM_STEP_BYTES;
      }
      file.write(chunk.value);
      hash.update(chunk.value);
      onBytes(done, expected.sizeBytes);
      // More than was announced cannot become right again.
      if (expected.sizeBytes !== null && done > expected.sizeBytes) break;
    }
    ended.throwIfAborted();
  } finally {
    stall.rest();
    ended.removeEventListener("abort", onAbort);
    reader.cancel().catch(() => {});
    file.flush();
  }
  if (expected.sizeBytes !== null && done < expected.sizeBytes) throw new TransferHiccup("the connection ended before the file did");
  return done;
}

// Between two looks at the room for a file whose size nobody knows.
const ROOM_STEP_BYTES = 64 * 1024 ** 2;

async function startOver(part: PartFile, response: Response): Promise<never> {
  await response.body?.cancel();
  part.remove();
  throw new TransferHiccup("what is here is of another file than the server's; beginning anew", 0);
}

/** Of `Content-Range: bytes *\/10`. */
function totalOf(response: Response): number | null {
  const total = /^bytes \*\/(\d{1,15})$/.exec(response.headers.get("content-range") ?? "")?.[1];
  return total === undefined ? null : Number(total);
}

function lengthOf(response: Response): number | null {
  const header = response.headers.get("content-length") ?? "";
  return /^\d{1,15}$/.test(header) ? Number(header) : null;
}

/** A weak one does not promise the same bytes, so nothing could be gone on with by it. */
function strongEtag(response: Response): string | null {
  const etag = response.headers.get("etag") ?? "";
  return /^"[^"]{1,200}"$/.test(etag) ? etag : null;
}
