// Takes in a request body: as large, as fast and as plain as the relay can afford.
import type { Clock, Timer } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import type { ByteBudget, Reservation } from "../hub/byte-budget.ts";
import type { Uploads } from "./uploads.ts";

/** After the first 10 s a body must come in at 1 KiB/s on average: slower senders only hold memory. */
const BODY_GRACE_MS = 10_000;
const BODY_MIN_BYTES_PER_MS = 1024 / 1000;
/** However fast the rest came: nobody pauses longer in the middle who means to finish. */
const BODY_PAUSE_MAX_MS = 60_000;
const CHECK_INTERVAL_MS = 1_000;
/** One this small must be there within the longest pause: only what comes in pieces has to be watched for pauses. */
const SMALL_BODY_BYTES = (BODY_PAUSE_MAX_MS - BODY_GRACE_MS) * BODY_MIN_BYTES_PER_MS;

export interface BodyIntake {
  readonly limitBytes: number;
  readonly budget: ByteBudget;
  readonly clock: Clock;
  /** Where it is known while it comes in. */
  readonly uploads: Uploads;
}

export interface TakenBody {
  readonly bytes: Uint8Array;
  /** What it holds of the relay's memory. */
  readonly reservation: Reservation;
}

/** @throws RelayError body_too_large, body_timeout, unsupported_encoding, overloaded, invalid_request for an upload that broke off, or what `uploads` refuses with */
export async function takeBody(request: Request, intake: BodyIntake): Promise<TakenBody> {
  const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") throw new RelayError("unsupported_encoding");
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > intake.limitBytes) throw tooLarge(intake.limitBytes);
  const reservation = intake.budget.reserve(announced);
  if (reservation === null) throw new RelayError("overloaded");
  try {
    const isSmall = announced > 0 && announced <= SMALL_BODY_BYTES;
    // A large one pays as it comes in: a few that are only announced must not keep everybody else out.
    if (!isSmall) reservation.release();
    const bytes = isSmall ? await readAtOnce(request, announced, intake) : await readAll(request, announced, reservation, intake);
    return { bytes, reservation };
  } catch (error) {
    reservation.release();
    throw error;
  }
}

/** Most bodies: one read is a third cheaper than a stream of them, and a slow sender holds no more than this much. */
async function readAtOnce(request: Request, announced: number, { clock, uploads }: BodyIntake): Promise<Uint8Array> {
  const refused = Promise.withResolvers<never>();
  const timer = clock.startTimer(BODY_GRACE_MS + announced / BODY_MIN_BYTES_PER_MS, () => refused.reject(new RelayError("body_timeout")));
  const forget = uploads.begin(refused.reject);
  try {
    const bytes = await Promise.race([request.bytes(), refused.promise]);
    if (bytes.byteLength < announced) throw brokenOff();
    return bytes;
  } catch (error) {
    throw error instanceof RelayError ? error : brokenOff();
  } finally {
    timer.stop();
    forget();
  }
}

async function readAll(request: Request, announced: number, reservation: Reservation, intake: BodyIntake): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let received = 0;
  let refusal: RelayError | null = null;
  const refuse = (because: RelayError): void => {
    refusal = because;
    void reader.cancel().catch(() => {});
  };
  const watch = watchPace(
    intake.clock,
    () => received,
    () => refuse(new RelayError("body_timeout")),
  );
  const forget = intake.uploads.begin(refuse);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (refusal !== null) throw refusal;
      if (done) break;
      received += value.byteLength;
      if (received > intake.limitBytes) throw tooLarge(intake.limitBytes);
      if (!reservation.grow(value.byteLength)) throw new RelayError("overloaded");
      chunks.push(value);
    }
  } catch (error) {
    void reader.cancel().catch(() => {});
    if (error instanceof RelayError) throw error;
    throw brokenOff();
  } finally {
    watch.stop();
    forget();
  }
  if (received < announced) throw brokenOff();
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, received);
}

function watchPace(clock: Clock, received: () => number, onTooSlow: () => void): Timer {
  /** Until when what came in so far is fast enough. */
  let paidUntilMs = clock.nowMs() + BODY_GRACE_MS;
  let countedBytes = 0;
  let timer = clock.startTimer(BODY_GRACE_MS, check);
  return { stop: () => timer.stop() };

  function check(): void {
    const nowMs = clock.nowMs();
    paidUntilMs = Math.min(nowMs + BODY_PAUSE_MAX_MS, paidUntilMs + (received() - countedBytes) / BODY_MIN_BYTES_PER_MS);
    countedBytes = received();
    if (paidUntilMs < nowMs || countedBytes === 0) return onTooSlow();
    timer = clock.startTimer(CHECK_INTERVAL_MS, check);
  }
}

function brokenOff(): RelayError {
  return new RelayError("invalid_request", "The upload broke off.");
}

function tooLarge(limitBytes: number): RelayError {
  return new RelayError("body_too_large", `The limit is ${Math.floor(limitBytes / (1024 * 1024))} MiB (--body-limit-mb).`);
}
