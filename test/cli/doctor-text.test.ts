// Findings as text: where their lines break on a terminal, and that they do not elsewhere.
import { expect, test } from "bun:test";
import { failed, ok, skipped } from "../../src/cli/doctor/finding.ts";
import { Report } from "../../src/cli/doctor/report.ts";
import { TerminalCli } from "./terminal-cli.ts";

const PARTS = { relay: "The relay", "relayed answer": "Through it" } as const;
const LONG = "one two three four five six seven eight nine ten eleven twelve";

function linesAt(width: number): readonly string[] {
  let text = "";
  const report = new Report(PARTS, (more) => (text += more), width);
  report.say("relay", failed(LONG, LONG));
  report.say("relayed answer", skipped("no relay answers"));
  report.say("relayed answer", ok("https://relay.example/a/path/that/is/longer/than/the/window/is/wide"));
  return text.split("\n");
}

test("[O7] what was found and what to do break between words, each under where it began", () => {
  expect(linesAt(60).slice(0, 6)).toEqual([
    "The relay",
    "  FAILED   relay           one two three four five six seven",
    "                           eight nine ten eleven twelve",
    "                           -> one two three four five six",
    "                              seven eight nine ten eleven",
    "                              twelve",
  ]);
  expect(linesAt(60).at(-2)).toBe("  ok       relayed answer  https://relay.example/a/path/that/is/longer/than/the/window/is/wide");
});

test("[O7] where there is little room beside its head a finding stands below", () => {
  expect(linesAt(40).slice(1, 4)).toEqual([
    "  FAILED   relay",
    "      one two three four five six seven",
    "      eight nine ten eleven twelve",
  ]);
});

test("[O7] into a pipe each stands in a line of its own", () => {
  expect(linesAt(Infinity).slice(1, 3)).toEqual([`  FAILED   relay           ${LONG}`, `                           -> ${LONG}`]);
});

test("[O7] doctor takes the terminal's width", async () => {
  const args = ["doctor", "--backend-url", "http://127.0.0.1:1", "--proxy-url", "http://127.0.0.1:2"];
  await using narrow = new TerminalCli(args, { cols: 60, rows: 60 });
  expect(await narrow.exit()).toBe(1);
  const lines = narrow.written.split(/\r*\n/);
  expect(lines.filter((line) => line.length > 60)).toEqual([]);
  expect(lines).toContain("  FAILED   connection      127.0.0.1:2 takes no connection");
});
