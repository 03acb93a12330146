// Flags, variables and config files that nobody would write: values within their bounds, or one line that says what is wrong.
import { expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../src/base/errors.ts";
import { fileKey, type OptionTable } from "../../src/cli/options/option.ts";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { parseOptions } from "../../src/cli/options/parse.ts";
import type { Random } from "../support/random.ts";
import { anyText, corpus, fuzz, mutate, replay } from "./fuzz.ts";

const TABLES: readonly (readonly [string, OptionTable])[] = [
  ["serve", SERVE_OPTIONS],
  ["work", WORK_OPTIONS],
];
const VALUES = [
  "1",
  "0",
  "-1",
  "true",
  "no",
  "",
  " ",
  "a,b",
  "10.0.0.0/8",
  "https://a.example",
  ":8080",
  "[::1]:1",
  "info",
  "1e9",
  "999999999",
  "*",
];
const THE_SECRET = "hunter2-the-secret";

function anyValue(random: Random): string {
  return random.oneIn(4) ? anyText(random, 20) : random.pick(VALUES);
}

/** What it reads, or the line it refuses with. @throws for any other failure */
function outcome(args: readonly string[], env: Readonly<Record<string, string>>, [command, table]: readonly [string, OptionTable]): string {
  try {
    return JSON.stringify(parseOptions(command, table, args, env).values);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/);
    return error.message;
  }
}

fuzz({
  title: "any flags and variables are read or refused in one line, and never show a secret",
  runs: 4_000,
  run: (random) => {
    const table = random.pick(TABLES);
    const options = Object.values(table[1]).filter(({ flag }) => flag !== "config");
    const args: string[] = [];
    for (let count = random.below(6); count > 0; count--) {
      const { flag, kind } = random.pick(options);
      const value = kind.shape === "secret" ? random.pick([THE_SECRET, ""]) : anyValue(random);
      args.push(
        ...random.pick([
          [`--${flag}`, value],
          [`--${flag}=${value}`],
          [`--${flag}`],
          [`--no-${flag}`],
          [anyText(random, 9)],
          [`--${anyText(random, 9)}`],
        ]),
      );
    }
    const variables = options.flatMap((option) => option.variables).filter(() => random.oneIn(12));
    const env = Object.fromEntries(variables.map((name) => [name, anyValue(random)]));
    const read = outcome(args, env, table);
    expect(outcome(args, env, table)).toBe(read);
    if (!read.startsWith("{")) expect(read).not.toContain(THE_SECRET);
  },
});

function readsFile(bytes: Uint8Array): void {
  const folder = mkdtempSync(join(tmpdir(), "modelrelay-fuzz-"));
  try {
    const path = join(folder, "config.toml");
    writeFileSync(path, bytes);
    for (const table of TABLES) {
      const read = outcome(["--config", path], {}, table);
      expect(outcome(["--config", path], {}, table)).toBe(read);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

replay("config", "config files are read or refused", (bytes) => readsFile(bytes));

fuzz({
  title: "any config file is read or refused in one line",
  runs: 1_500,
  run: (random) => {
    const [, table] = random.pick(TABLES);
    const keys = Object.values(table).map((option) => fileKey(option));
    const values = [
      "1",
      '"a"',
      "true",
      "[1, 2]",
      '["a", "b"]',
      "{ a = 1 }",
      "1979-05-27",
      '"""\nx"""',
      "nan",
      "0x10",
      "-0",
      `"${THE_SECRET}"`,
    ];
    const lines = Array.from(
      { length: random.below(6) },
      () => `${random.oneIn(9) ? anyText(random, 6) : random.pick(keys)} = ${random.pick(values)}`,
    );
    const whole = Buffer.from(lines.join("\n"));
    readsFile(random.oneIn(2) ? whole : mutate(whole, random.pick(corpus("config")).bytes, random));
  },
});
