// Log lines: their shape, what is kept out of them, and which are written.
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import { LOG_THRESHOLDS, type LogThreshold } from "../../src/cli/options/log-level.ts";
import { formatLogLine, type LogFormat } from "../../src/cli/log/log-line.ts";
import { createLogSink } from "../../src/cli/log/log.ts";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { parseOptions, type Environment } from "../../src/cli/options/parse.ts";
import { writeNow } from "../../src/cli/write-now.ts";

const NOW = Date.parse("2026-11-22T10:00:00.000Z");

/** The lines that `say` causes. */
function linesOf(say: (log: Log) => void, level: LogThreshold = "trace", format: LogFormat = "text"): readonly string[] {
  const lines: string[] = [];
  const write = (descriptor: number, text: string) => void lines.push(`${descriptor} ${text}`);
  say(createLogSink({ level, format, file: null }, { clock: { unixMs: () => NOW }, env: {}, isTerminal: () => false, write }));
  return lines;
}

describe("lines", () => {
  test("[K10] a text line is time, level, message and the fields, on the standard error output", () => {
    expect(linesOf((log) => log.info("request dispatched", { request_id: "req_1", worker_id: "w1" }))).toEqual([
      "2 2026-11-22T10:00:00.000Z INFO  request dispatched request_id=req_1 worker_id=w1\n",
    ]);
  });

  test("[K10] values with spaces are quoted, lists joined, absent fields left out", () => {
    const fields = { a: "two words", b: ["x", "y"], c: undefined, d: null, e: 1.5, f: true, g: "", h: 'say "hi"', i: "k=v" };
    expect(linesOf((log) => log.error("m", fields))[0]).toBe(
      '2 2026-11-22T10:00:00.000Z ERROR m a="two words" b=x,y d=null e=1.5 f=true g="" h="say \\"hi\\"" i="k=v"\n',
    );
  });

  test("[K10] a JSON line is one object with time, level, message and the fields, which cannot replace those", () => {
    const [line] = linesOf((log) => log.warn("queue full", { model: "a\nb", n: 3, list: ["x", "y"], level: "fake" }), "trace", "json");
    expect(line!.endsWith("}\n")).toBe(true);
    expect(JSON.parse(line!.slice(2))).toEqual({
      time: "2026-11-22T10:00:00.000Z",
      level: "warn",
      message: "queue full",
      model: "a\\nb",
      n: 3,
      list: "x,y",
      field_level: "fake",
    });
  });

  test("[K11] control characters, line separators and marks that reorder text are escaped in every part", () => {
    const nasty = "a\u001b[31mb\r\nINFO forged\u2028c\u202ed\u0000";
    for (const format of ["text", "json"] as const) {
      const [line] = linesOf((log) => log.info(nasty, { [nasty]: nasty, list: [nasty] }), "info", format);
      expect(line!.trimEnd()).toMatch(/^[\u0020-\u007e]+$/);
    }
    expect(linesOf((log) => log.info("m", { model: "a\nb" }))[0]).toContain('model="a\\nb"');
  });

  test("[K11] a value longer than 512 characters is cut", () => {
    const [line] = linesOf((log) => log.info("m", { model: "x".repeat(5_000) }));
    expect(line).toContain(`model=${"x".repeat(512)}…\n`);
  });

  test("[K10] colour is for terminals: the level is painted, the words stay", () => {
    const entry = { unixMs: NOW, level: "warn", message: "queue full", fields: { model: "m" } } as const;
    expect(formatLogLine(entry, "text", true)).toContain("\u001b[33mWARN \u001b[39m queue full");
    expect(formatLogLine(entry, "text", false)).not.toContain("\u001b");
    expect(formatLogLine(entry, "json", true)).not.toContain("\u001b");
  });

  test("[K10] a terminal gets colour unless NO_COLOR says otherwise; a file or pipe never does", () => {
    const isColoured = (isTerminal: boolean, env: Environment) => {
      let line = "";
      const write = (_descriptor: number, text: string) => void (line = text);
      const world = { clock: { unixMs: () => NOW }, env, isTerminal: () => isTerminal, write };
      createLogSink({ level: "info", format: "text", file: null }, world).info("m");
      return line.includes("\u001b");
    };
    expect(isColoured(true, {})).toBe(true);
    expect(isColoured(true, { NO_COLOR: "" })).toBe(true);
    expect(isColoured(true, { NO_COLOR: "1" })).toBe(false);
    expect(isColoured(true, { TERM: "dumb" })).toBe(false);
    expect(isColoured(false, {})).toBe(false);
  });

  test("[K10] equal lines are written as often as they are said", () => {
    const lines = linesOf((log) => {
      for (let round = 0; round < 20; round++) log.info("request dispatched", { request_id: "same" });
    });
    expect(lines).toHaveLength(20);
  });
});

describe("levels", () => {
  const levelOf = (args: readonly string[], env: Environment = {}) => parseOptions("serve", SERVE_OPTIONS, args, env).values.logLevel;

  test.each(LOG_THRESHOLDS.map((level, at) => [level, at] as const))("[K12] at level %s the %d strongest are written", (level, count) => {
    const lines = linesOf((log) => {
      for (const name of ["error", "warn", "info", "debug", "trace"] as const) log[name](name);
    }, level);
    expect(lines).toHaveLength(count);
  });

  test.each<[string, LogThreshold]>([
    ["debug", "debug"],
    ["WARN", "warn"],
    ["warning", "warn"],
    ["modelrelay_server=debug", "debug"],
    ["modelrelay=trace", "trace"],
    ["modelrelay", "trace"],
    ["info,hyper=warn", "info"],
    ["hyper=warn,debug", "debug"],
    ["modelrelay=error,trace", "error"],
    ["modelrelay_worker=trace,warn", "warn"],
    ["hyper=trace", "info"],
    ["tower_http::trace=debug,,", "info"],
  ])("[K12] %j means %s to the relay, as flag and as variable", (text, level) => {
    expect(levelOf(["--log-level", text])).toBe(level);
    expect(levelOf([], { LOG_LEVEL: text })).toBe(level);
  });

  test("[K12] each role heeds its own name", () => {
    const { values } = parseOptions("work", WORK_OPTIONS, [], { LOG_LEVEL: "modelrelay_server=trace,modelrelay_worker=warn" });
    expect(values.logLevel).toBe("warn");
  });

  test("[K12] RUST_LOG overrides LOG_LEVEL and the flag when it says something to this program", () => {
    expect(levelOf([], { LOG_LEVEL: "warn", RUST_LOG: "debug" })).toBe("debug");
    expect(levelOf(["--log-level", "warn"], { RUST_LOG: "debug" })).toBe("debug");
    expect(levelOf(["--log-level", "warn"], { RUST_LOG: "hyper=trace" })).toBe("warn");
    expect(levelOf([], { LOG_LEVEL: "warn", RUST_LOG: "" })).toBe("warn");
  });

  test("[K12] nonsense in a variable is ignored, in the flag refused with the nearest level", () => {
    expect(levelOf([], { LOG_LEVEL: "loud", RUST_LOG: "x y z" })).toBe("info");
    expect(levelOf([], { LOG_LEVEL: "loud,modelrelay=debug" })).toBe("debug");
    expect(() => levelOf(["--log-level", "debg"])).toThrow(
      new UsageError(
        '--log-level: "debg" is not a log level (off, error, warn, info, debug, trace) ' +
          "or a list of directives such as modelrelay_server=debug; did you mean debug?",
      ),
    );
    expect(() => levelOf(["--log-level", "modelrelay=lowd"])).toThrow(UsageError);
  });
});

describe("log file", () => {
  test("[K13] lines are appended to the log file instead of the standard error output", () => {
    const folder = mkdtempSync(join(tmpdir(), "modelrelay-"));
    try {
      const file = join(folder, "relay.log");
      for (const word of ["first", "second"]) {
        createLogSink(
          { level: "info", format: "text", file },
          { clock: { unixMs: () => NOW }, env: {}, isTerminal: () => false, write: writeNow },
        ).info(word);
      }
      expect(readFileSync(file, "utf8")).toBe("2026-11-22T10:00:00.000Z INFO  first\n2026-11-22T10:00:00.000Z INFO  second\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("[K13] a log file that cannot be opened is refused by name", () => {
    const open = () =>
      createLogSink(
        { level: "info", format: "text", file: "/nonexistent/relay.log" },
        { clock: { unixMs: () => NOW }, env: {}, isTerminal: () => false, write: writeNow },
      );
    expect(open).toThrow(new UsageError("the log file /nonexistent/relay.log cannot be opened (no such file or directory, ENOENT)"));
  });
});
