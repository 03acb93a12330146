// Downloads a model's file: goes on where an earlier try ended, tries again what may pass, and lets nothing unproven become a model.
import { chmodSync, renameSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { CommandError } from "../base/errors.ts";
import { hashFile } from "./checksum.ts";
import { checkRoom } from "./disk.ts";
import { ensureDirectory, type Home } from "./home.ts";
import { type Model, modelPath, sizeHere } from "./library.ts";
import { tryLock } from "./lock.ts";
import { PartFile, type PartOrigin } from "./part-file.ts";
import { showBytes, showDuration } from "../base/quantity.ts";
import { reasonOf } from "./reason.ts";
import { pause } from "./readiness.ts";
import { requestFile, TransferHiccup } from "./transfer.ts";
import { beginTransfer, type Expected, receive } from "./receive.ts";

/** What becomes of a download is told as it happens. */
export interface DownloadObserver {
  /** Bytes that are here, of how many; as often as chunks come. */
  readonly onBytes: (done: number, total: number | null) => void;
  /** A sentence: going on, trying again, checking. */
  readonly onNews: (text: string) => void;
}

export interface DownloadWorld {
  readonly home: Home;
  readonly clock: Clock;
  readonly observer: DownloadObserver;
  /** Ends it; what is here stays. */
  readonly signal: AbortSignal;
  /** Silence after which a connection is given up. */
  readonly stallMs: number;
  /** Failures in a row, without progress between them, until it is given up. */
  readonly triesMax: number;
  /** Before the second try; doubles from there. */
  readonly backoffMs: number;
}

export interface Downloaded {
  readonly path: string;
  readonly sizeBytes: number;
  /** False: it was here already. */
  readonly isFresh: boolean;
  /** False: nothing vouches for the bytes but their number. */
  readonly isChecked: boolean;
}

/** @throws CommandError when it cannot be had; the signal's reason when it was ended */
export async function downloadModel(model: Model & { readonly url: string }, world: DownloadWorld, isForced = false): Promise<Downloaded> {
  const { home } = world;
  ensureDirectory(home.models);
  using lock = tryLock(home, `download-${model.file}`);
  if (lock === null) throw new CommandError(`another modelrelay is downloading ${model.slug} at this moment`);
  const target = modelPath(home, model);
  const here = sizeHere(home, model);
  if (here !== null && !isForced) return { path: target, sizeBytes: here, isFresh: false, isChecked: false };
  const part = new PartFile(target);
  const done = await fetchWhole(model, part, world);
  try {
    chmodSync(part.path, 0o755);
    renameSync(part.path, target);
    part.forget();
  } catch (error) {
    throw new CommandError(`${target} cannot be made (${reasonOf(error)}); what was downloaded is kept`);
  }
  return { path: target, ...done, isFresh: true };
}

type Whole = Omit<Downloaded, "path" | "isFresh">;

/** Tries until the part is the whole file, and checked. */
async function fetchWhole(model: Model & { readonly url: string }, part: PartFile, world: DownloadWorld): Promise<Whole> {
  const { observer, signal, triesMax } = world;
  let failures = 0;
  let mark = part.sizeBytes;
  for (;;) {
    try {
      return await tryOnce(model, part, world);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!(error instanceof TransferHiccup)) throw error;
      const size = part.sizeBytes;
      failures = size - mark >= PROGRESS_BYTES ? 1 : failures + 1;
      mark = Math.max(mark, size);
      if (failures >= triesMax) {
        const kept = `${showBytes(size)} are kept, and 'modelrelay llamafile download ${model.slug}' goes on from there`;
        const tries = triesMax === 1 ? "the first try" : `${triesMax} tries`;
        throw new CommandError(`${error.message}; given up after ${tries}${size === 0 ? "" : `. ${kept}`}`);
      }
      const waitMs = error.retryAfterMs ?? Math.min(world.backoffMs * 2 ** (failures - 1), BACKOFF_MAX_MS);
      observer.onNews(`${error.message}; trying again in ${showDuration(waitMs)}`);
      await pause(world.clock, waitMs, signal);
    }
  }
}

/** @throws TransferHiccup for what may pass */
async function tryOnce(model: Model & { readonly url: string }, part: PartFile, world: DownloadWorld): Promise<Whole> {
  const stall = new StallWatch(world);
  try {
    const { answer, resumed } = await ask(model, part, world, stall);
    const transfer = await beginTransfer({ model, part, answer, resumed });
    const { expected } = transfer;
    stall.rest();
    const checkedBytes = Math.max(0, (expected.sizeBytes ?? model.sizeBytes) - transfer.startsAt);
    const hasRoom = async (bytes: number): Promise<void> => await checkRoom(world.home.models, bytes);
    await hasRoom(checkedBytes);
    if (transfer.startsAt > 0) world.observer.onNews(`going on after ${showBytes(transfer.startsAt)}`);
    const hash = new Bun.CryptoHasher("sha256");
    if (expected.sha256 !== null) await hashFile(part.path, transfer.startsAt, hash, world.signal);
    const receiving = { stall, onBytes: world.observer.onBytes, signal: world.signal, checkedBytes, checkRoom: hasRoom };
    const sizeBytes = await receive(transfer, hash, receiving);
    return finish(model, part, { sizeBytes, digest: hash.digest("hex"), expected });
  } catch (error) {
    throw stall.hasFired && !world.signal.aborted
      ? new TransferHiccup(`${new URL(model.url).host} has sent nothing for ${showDuration(world.stallMs)}`)
      : asProblem(error, world.home);
  } finally {
    stall.stop();
  }
}

/** With bytes that are known the server is asked for the rest; it decides by the ETag whether they are still of the same file. */
async function ask(model: Model & { readonly url: string }, part: PartFile, world: DownloadWorld, stall: StallWatch) {
  const origin = part.origin;
  const has = part.sizeBytes;
  const resumed = has > 0 && origin !== null && isOf(origin, model) ? { origin, has } : null;
  const headers: Record<string, string> = {};
  if (resumed !== null) {
    headers["range"] = `bytes=${has}-`;
    if (origin?.etag != null) headers["if-range"] = origin.etag;
  }
  stall.start();
  const answer = await requestFile(new URL(model.url), headers, AbortSignal.any([world.signal, stall.signal]));
  stall.beat();
  return { answer, resumed };
}

function isOf(origin: PartOrigin, model: Model): boolean {
  const isSameFile = model.sha256 === null || origin.sha256 === null || model.sha256 === origin.sha256;
  return origin.url === model.url && isSameFile && (origin.etag !== null || origin.sha256 !== null);
}

/** What does not prove to be the file is removed: nothing could be made of it later. */
function finish(
  model: Model,
  part: PartFile,
  got: { readonly sizeBytes: number; readonly digest: string; readonly expected: Expected },
): Whole {
  const { sizeBytes, digest, expected } = got;
  const wrong =
    expected.sizeBytes !== null && expected.sizeBytes !== sizeBytes
      ? `has ${sizeBytes} bytes where ${expected.sizeBytes} were announced`
      : expected.sha256 !== null && expected.sha256 !== digest
        ? `has the checksum ${digest} where ${expected.sha256} was expected`
        : null;
  if (wrong === null) return { sizeBytes, isChecked: expected.sha256 !== null };
  part.remove();
  throw new CommandError(
    `what came for ${model.slug} ${wrong}; it is removed. Try again; if it stays so, 'modelrelay llamafile update-catalog'`,
  );
}

/** A full or failing disk is the operator's; a connection that breaks may pass. */
function asProblem(error: unknown, home: Home): unknown {
  const reason = reasonOf(error);
  if (/^(ENOSPC|EDQUOT)$/.test(reason)) return new CommandError(`the disk of ${home.models} is full; what is here is kept`);
  if (/^(EACCES|EPERM|EROFS|EIO|EFBIG)$/.test(reason)) return new CommandError(`${home.models} cannot be written (${reason})`);
  if (error instanceof CommandError || error instanceof TransferHiccup) return error;
  return new TransferHiccup(`the connection broke (${reason})`);
}

/** Fires when nothing happens for too long; while resting it does not count. */
class StallWatch {
  readonly #abort = new AbortController();
  readonly #world: Pick<DownloadWorld, "clock" | "stallMs">;
  #timer: { stop(): void } | null = null;

  constructor(world: Pick<DownloadWorld, "clock" | "stallMs">) {
    this.#world = world;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get hasFired(): boolean {
    return this.#abort.signal.aborted;
  }

  start(): void {
    this.beat();
  }

  beat(): void {
    this.#timer?.stop();
    this.#timer = this.#world.clock.startTimer(this.#world.stallMs, () => this.#abort.abort(new Error("stalled")));
  }

  rest(): void {
    this.#timer?.stop();
  }

  stop(): void {
    this.#timer?.stop();
  }
}

// With this much more than at the last failure, a new failure is the first one again.
const PROGRESS_BYTES = 1024 ** 2;
const BACKOFF_MAX_MS = 30_000;
