// The progress bar: what it says in how many columns, and that pipes see nothing of it.
import { expect, test } from "bun:test";
import { type ProgressState, renderProgress, startProgress } from "../../src/cli/progress.ts";
import { showDuration } from "../../src/base/quantity.ts";
import { politely } from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MAIN } from "./run-cli.ts";

const TERMS = { label: "bench", show: (amount: number): string => String(Math.round(amount)) };

test("[J12] a progress line says what is done, how fast and how long it will take", () => {
  const half = renderProgress(TERMS, { done: 50, total: 100, note: "2 failed" }, 10, 200);
  expect(half).toBe(`bench [${"=".repeat(15)}>${" ".repeat(14)}]  50%  50/100  10/s  5 s left  2 failed`);
  expect(renderProgress(TERMS, { done: 100, total: 100 }, 10, 200)).toBe(`bench [${"=".repeat(30)}] 100%  100/100  10/s`);
  expect(renderProgress({ ...TERMS, showRate: () => "" }, { done: 1, total: 2 }, 1, 25)).toBe("bench  50%  1/2  1 s left");
  expect(renderProgress(TERMS, { done: 7, total: null }, null, 200)).toBe("bench 7");
  expect(renderProgress(TERMS, { done: 0, total: 0 }, 0, 200)).toBe(`bench [${"=".repeat(30)}] 100%  0/0  0/s`);
});

test("[J12] a progress line never is wider than the terminal", () => {
  const states: readonly ProgressState[] = [
    { done: 3, total: 100, note: "ünd 漢字 mehr" },
    { done: 123_456, total: null },
  ];
  for (const state of states) {
    for (let width = 1; width <= 120; width++) {
      expect(Bun.stringWidth(renderProgress(TERMS, state, 12.3, width))).toBeLessThanOrEqual(width);
    }
  }
});

test("[J12] durations are short", () => {
  expect([0, 0.4, 59, 60, 125, 3_600, 3_720, 1e9].map((seconds) => showDuration(seconds * 1000))).toEqual([
    "0 s",
    "0 s",
    "59 s",
    "1 min 0 s",
    "2 min 5 s",
    "1 h 0 min",
    "1 h 2 min",
    "11574 days",
  ]);
});

test("[J12] the bar is drawn anew as time passes, goes by the last seconds, and leaves nothing behind", () => {
  const clock = new ManualClock();
  let written = "";
  let done = 0;
  const terminal = { isTty: true, columns: () => 60, write: (text: string) => void (written += text) };
  const progress = startProgress({ ...TERMS, state: () => ({ done, total: 1_000 }) }, terminal, clock);
  for (let tick = 0; tick < 100; tick++) {
    done += tick < 50 ? 1 : 2;
    clock.advance(100);
  }
  expect(written.split("\u001b[2K").at(-1)).toContain("20/s");
  expect(written.split("\u001b[2K").length).toBeGreaterThan(100);
  progress.stop();
  expect(written).toEndWith("\r\u001b[2K");
  expect(clock.pending).toBe(0);
});

test("[J12] what is no terminal sees no progress", () => {
  const clock = new ManualClock();
  const terminal = { isTty: false, columns: () => 80, write: () => expect.unreachable() };
  const progress = startProgress({ ...TERMS, state: () => ({ done: 1, total: 2 }) }, terminal, clock);
  clock.advance(1_000);
  progress.stop();
  expect(clock.pending).toBe(0);
});

test("[J12] a load shows its progress on a terminal, and takes it away before the report", async () => {
  await using backend = startFakeBackend(politely(["m"]));
  let screen = "";
  const decoder = new TextDecoder();
  const terminal = {
    cols: 60,
    rows: 24,
    data: (_terminal: unknown, bytes: Uint8Array) => void (screen += decoder.decode(bytes, { stream: true })),
  };
  const flags = ["--url", backend.url, "--model", "m", "--requests", "400", "--concurrency", "2", "--rate", "800"];
  const child = Bun.spawn([process.execPath, MAIN, "bench", ...flags], { env: { PATH: process.env["PATH"] ?? "" }, terminal });
  expect(await child.exited).toBe(0);
  const drawings = screen.split("\u001b[2K");
  expect(drawings.length).toBeGreaterThan(3);
  expect(drawings[1]).toMatch(/^bench \[>? +\] +0% {2}0\/400/);
  for (const drawing of drawings.slice(1, -1)) expect(drawing.replaceAll("\r", "").length).toBeLessThan(60);
  expect(drawings.at(-1)).toStartWith("POST http://");
  expect(drawings.at(-1)).toContain("400 ok, 0 failed");
});
