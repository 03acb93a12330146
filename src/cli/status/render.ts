// A relay's state as text: a head in three lines, then workers, models and live requests in tables as wide as the terminal.
import { printable } from "../../base/printable.ts";
import { type Column, cutLine, renderTable } from "../columns.ts";
import { showAge } from "./age.ts";
import { type Away, type OperatorView, type PublicView, type Snapshot, sum } from "./snapshot.ts";

export interface Room {
  /** Columns of the terminal; Infinity: nothing is cut. */
  readonly columns: number;
  /** Lines of it; Infinity: all are shown. */
  readonly rows: number;
}

/** No line is wider than the room, and there are no more lines than it has. */
export function renderStatus(seen: Snapshot, room: Room): readonly string[] {
  const lines = linesOf(seen, room.columns).map((line) => cutLine(line, room.columns));
  if (lines.length <= room.rows) return lines;
  const shown = Math.max(0, room.rows - 1);
  return [...lines.slice(0, shown), cutLine(`… ${lines.length - shown} more lines; a taller window shows them`, room.columns)];
}

function linesOf(seen: Snapshot, width: number): readonly string[] {
  switch (seen.kind) {
    case "operator":
      return linesForOperator(seen, width);
    case "public":
      return linesForPublic(seen);
    case "away":
      return linesOfAbsence(seen);
  }
}

function linesForOperator(seen: OperatorView, width: number): readonly string[] {
  const { stats, workers, requests, requestsTotal } = seen;
  const { waiting, running, accepted, requeued, by_outcome } = stats.requests;
  const { complete = 0, client_left = 0 } = by_outcome;
  const refused = sum(by_outcome) - complete - client_left;
  const taken = workers.reduce((total, { slots_taken, in_flight_count }) => total + (slots_taken ?? in_flight_count), 0);
  const slots = workers.reduce((total, { max_concurrent }) => total + max_concurrent, 0);
  const head = [
    headLine(seen, stats.version, stats.uptime_secs),
    `workers ${workers.length}   slots ${taken}/${slots}   running ${running}   waiting ${waiting}`,
    `since it started: ${accepted} taken, ${complete} complete, ${refused} failed, ${client_left} left by clients, ${requeued} requeued`,
  ];
  const models = modelRows(seen);
  const hidden = requestsTotal - requests.length;
  return [
    ...head,
    ...section("no worker is connected", renderTable(WORKER_COLUMNS, workers.map(workerRow(seen.at)), width)),
    ...(models.length === 0 ? [] : section("", renderTable(MODEL_COLUMNS, models, width))),
    ...section("no request is waiting or running", renderTable(REQUEST_COLUMNS, requests.map(requestRow), width)),
    ...(hidden > 0 ? [`and ${hidden} more`] : []),
  ];
}

function linesForPublic(seen: PublicView): readonly string[] {
  const { version, workers_connected, queue_depth, uptime_secs } = seen.health;
  const { models } = seen;
  return [
    headLine(seen, version, uptime_secs ?? null),
    `workers ${workers_connected}   waiting ${queue_depth}`,
    "",
    ...(models === null ? ["Models are told only to those with an API key."] : listed(models)),
    "",
    "More is shown to operators: give --admin-token-file PATH or the variable MODELRELAY_ADMIN_TOKEN.",
  ];
}

function linesOfAbsence({ url, at, problem }: Away): readonly string[] {
  return [`${url}   ${timeOf(at)}`, problem];
}

function headLine({ url, at }: Snapshot, version: string, uptimeSecs: number | null): string {
  return `${url}   ${printable(version)}${uptimeSecs === null ? "" : `, up ${showAge(uptimeSecs)}`}   ${timeOf(at)}`;
}

function listed(models: readonly string[]): readonly string[] {
  return models.length === 0 ? ["no model is offered"] : ["MODEL", ...models];
}

/** A table with a line of air before it, or what to say when it has no rows. */
function section(whenEmpty: string, table: readonly string[]): readonly string[] {
  return table.length > 1 ? ["", ...table] : ["", whenEmpty];
}

type WorkerBody = OperatorView["workers"][number];
type RequestBody = OperatorView["requests"][number];

const NAME_MAX_CHARS = 32;
const LIST_MAX_CHARS = 48;

const WORKER_COLUMNS: readonly Column[] = [
  { head: "WORKER", rank: 1, maxChars: NAME_MAX_CHARS },
  { head: "STATE", rank: 1 },
  { head: "SLOTS", rank: 1 },
  { head: "MODELS", rank: 2, maxChars: LIST_MAX_CHARS },
  { head: "VERSION", rank: 4, maxChars: 16 },
  { head: "PROTOCOL", rank: 7, maxChars: 20 },
  { head: "CONNECTED", rank: 5, isNumber: true },
  { head: "HEARD", rank: 3, isNumber: true },
  { head: "ADDRESS", rank: 6, maxChars: 40 },
  { head: "ID", rank: 8, maxChars: 24 },
];

const workerRow = (now: number) => (worker: WorkerBody) => [
  printable(worker.worker_name),
  stateOf(worker),
  barOf(worker.slots_taken ?? worker.in_flight_count, worker.max_concurrent),
  worker.models.map(printable).join(", "),
  printable(worker.version ?? "-"),
  printable(worker.protocol),
  showAge(now - worker.connected_at),
  showAge(now - worker.last_heartbeat_at),
  printable(worker.address),
  printable(worker.worker_id),
];

/**
 * 1. it finishes what it has  2. it has nothing left to finish  3. its backend refuses connections
 * 4. every slot is taken  5. some are  6. none is
 */
function stateOf(worker: WorkerBody): string {
  const taken = worker.slots_taken ?? worker.in_flight_count;
  if (worker.is_draining) return taken > 0 ? "draining" : "drained"; // (1) (2)
  if (worker.cooling_down === true) return "backend down"; // (3)
  if (taken >= worker.max_concurrent) return "full"; // (4)
  return taken > 0 ? "working" : "idle"; // (5) (6)
}

const BAR_MAX_CHARS = 8;

/** `███░░ 3/5`; one that works shows at least one mark, and only a full one shows all. */
function barOf(taken: number, slots: number): string {
  const chars = Math.min(BAR_MAX_CHARS, Math.max(1, slots));
  const share = Math.min(chars, (taken * chars) / Math.max(1, slots));
  const full = share > 0 && share < 1 ? 1 : Math.floor(share);
  return `${"█".repeat(full)}${"░".repeat(chars - full)} ${taken}/${slots}`;
}

const MODEL_COLUMNS: readonly Column[] = [
  { head: "MODEL", rank: 1, maxChars: LIST_MAX_CHARS },
  { head: "WORKERS", rank: 1, isNumber: true },
  { head: "SLOTS", rank: 2, isNumber: true },
  { head: "WAITING", rank: 1, isNumber: true },
];

/** What workers offer, and what is waited for without being offered. */
function modelRows({ workers, stats }: OperatorView): readonly (readonly string[])[] {
  const waiting = new Map(Object.entries(stats.queue_depth_by_model));
  const names = new Set([...workers.flatMap(({ models }) => models), ...waiting.keys()]);
  return [...names].sort().map((name) => {
    const offering = workers.filter(({ models }) => models.includes(name));
    const slots = offering.reduce((total, { max_concurrent }) => total + max_concurrent, 0);
    return [printable(name), String(offering.length), String(slots), String(waiting.get(name) ?? 0)];
  });
}

const REQUEST_COLUMNS: readonly Column[] = [
  { head: "REQUEST", rank: 1, maxChars: 16 },
  { head: "STATE", rank: 1 },
  { head: "AGE", rank: 1, isNumber: true },
  { head: "MODEL", rank: 2, maxChars: NAME_MAX_CHARS },
  { head: "WORKER", rank: 3, maxChars: NAME_MAX_CHARS },
  { head: "TRY", rank: 6, isNumber: true },
  { head: "KEY", rank: 5, maxChars: 8 },
  { head: "PATH", rank: 4, maxChars: 26 },
  { head: "CLIENT'S ID", rank: 7, maxChars: 40 },
];

function requestRow(request: RequestBody): readonly string[] {
  const { id, state, position, age_secs, model, worker_name, attempts, key_id, path, request_id, is_streaming } = request;
  return [
    printable(id),
    state === "queued" && position !== null ? `queued, ${position}.` : state,
    showAge(age_secs),
    printable(model),
    printable(worker_name ?? "-"),
    String(attempts),
    printable(key_id ?? "-"),
    `${printable(path)}${is_streaming ? "" : " (whole)"}`,
    printable(request_id),
  ];
}

/** The time of day here. */
export function timeOf(unixSecs: number): string {
  const at = new Date(unixSecs * 1000);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
