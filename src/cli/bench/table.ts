// The report of a load test as a person reads it.
import { printable } from "../../base/printable.ts";
import type { BenchReport } from "./report.ts";

const TITLE_CHARS = 16;
const NUMBER_CHARS = 10;

export function renderReport(report: BenchReport): string {
  const sections = [headOf(report), countsOf(report), timesOf(report), errorsOf(report), workersOf(report)];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function headOf({ url, model, stream, concurrency, rate_per_sec, arrivals }: BenchReport): readonly string[] {
  const load = rate_per_sec === null ? "" : `${numberOf(rate_per_sec)} requests/s (${arrivals}), `;
  return [
    `POST ${printable(url)}`,
    `${model === null ? "models of the file" : `model ${printable(model)}`}, ${stream ? "streaming" : "not streaming"}, ` +
      `${load}${rate_per_sec === null ? "" : "at most "}${concurrency} at a time`,
  ];
}

function countsOf(report: BenchReport): readonly string[] {
  const { requests, elapsed_secs, requests_per_sec, tokens_per_sec, chunks_per_sec } = report;
  const counts = [
    `${requests.ok} ok`,
    `${requests.failed} failed`,
    ...(requests.hung_up > 0 ? [`${requests.hung_up} hung up on`] : []),
    ...(requests.not_started > 0 ? [`${requests.not_started} due but not started: no free connection`] : []),
  ];
  const rates = [
    `${numberOf(requests_per_sec)} requests/s`,
    ...(tokens_per_sec === null ? [] : [`${numberOf(tokens_per_sec)} tokens/s`]),
    ...(chunks_per_sec === null ? [] : [`${numberOf(chunks_per_sec)} chunks/s`]),
  ];
  return [
    `${"requests".padEnd(TITLE_CHARS)}${counts.join(", ")} in ${numberOf(elapsed_secs)} s${report.interrupted ? " (interrupted)" : ""}`,
    `${"throughput".padEnd(TITLE_CHARS)}${rates.join(", ")}`,
  ];
}

function timesOf(report: BenchReport): readonly string[] {
  const rows = [
    ["latency", report.latency_ms],
    ["first byte", report.first_byte_ms],
    ["first chunk", report.first_chunk_ms],
    ["between chunks", report.gap_ms],
    ["in the queue", report.queue_ms],
    ["late starts", report.start_delay_ms],
  ] as const;
  const lines = rows.flatMap(([title, times]) =>
    times === null ? [] : [line(title, [times.p50, times.p90, times.p99, times.max].map(numberOf))],
  );
  return lines.length === 0 ? [] : [line("milliseconds", ["p50", "p90", "p99", "max"]), ...lines];
}

function errorsOf({ errors, requests }: BenchReport): readonly string[] {
  if (errors.length === 0) return [];
  const width = Math.max(...errors.map(({ kind }) => kind.length));
  const total = requests.ok + requests.failed;
  return [
    "errors",
    ...errors.map(({ kind, count, message }) =>
      `  ${kind.padEnd(width)}  ${String(count).padStart(8)}  ${percentOf(count / total)}${message === null ? "" : `  ${message}`}`.trimEnd(),
    ),
  ];
}

function workersOf({ workers }: BenchReport): readonly string[] {
  if (workers.length === 0) return [];
  const width = Math.max(...workers.map(({ name }) => Bun.stringWidth(name)));
  return [
    "answered by",
    ...workers.map(({ name, count, share }) => {
      const gap = " ".repeat(width - Bun.stringWidth(name));
      return `  ${name}${gap}  ${String(count).padStart(8)}  ${percentOf(share)}`;
    }),
  ];
}

function line(title: string, cells: readonly string[]): string {
  return `${title.padEnd(TITLE_CHARS)}${cells.map((cell) => cell.padStart(NUMBER_CHARS)).join("")}`;
}

/** Three digits that matter. */
function numberOf(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function percentOf(share: number): string {
  return `${(share * 100).toFixed(1)} %`.padStart(7);
}
