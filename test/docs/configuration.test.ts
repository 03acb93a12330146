// The configuration tables in the documents are made from the option tables the program itself reads.
import { expect, test } from "bun:test";
import { readConfigFile } from "../../src/cli/options/config-file.ts";
import { type AnyOption, fileKey, type OptionTable } from "../../src/cli/options/option.ts";
import { everyCommand } from "../../src/cli/find-command.ts";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { UP_OPTIONS } from "../../src/cli/up/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { parseOptions } from "../../src/cli/options/parse.ts";
import { code, expectMade, fencesOf, readDocument, toTable } from "./documents.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

test.each([
  ["serve", SERVE_OPTIONS],
  ["work", WORK_OPTIONS],
] as const)("[M1] the README's table of %s is the option table", (command, options) => {
  const rows = optionsOf(options).map((option) => [flagOf(option), variablesOf(option), defaultOf(option), option.help]);
  expectMade("README.md", `options of ${command}`, toTable(["Flag", "Variable", "Default", "Meaning"], rows));
});

test.each([
  ["serve", SERVE_OPTIONS],
  ["work", WORK_OPTIONS],
  ["up", UP_OPTIONS],
] as const)("[M1] docs/configuration.md has every option of %s, as the program reads it", (command, options) => {
  expectMade("docs/configuration.md", `options of ${command}`, describeGroups(optionsOf(options)));
});

test("[M1] docs/configuration.md has every option of every other command", async () => {
  const others = (await everyCommand()).filter(({ path }) => !["serve", "work", "up"].includes(path));
  const described = others.map(({ path, summary, body }) => {
    const words = (body.words ?? []).map(({ name, help }) => [code(name), help]);
    const passed = body.passed === undefined ? [] : [[code(`-- ${body.passed.name}`), body.passed.help]];
    const taken = [...words, ...passed];
    const wordTable = taken.length === 0 ? [] : [toTable(["Word", "Meaning"], taken)];
    return [`### ${path}`, `${upperFirst(summary)}.`, ...wordTable, describeGroups(optionsOf(body.options))]
      .filter((part) => part !== "")
      .join("\n\n");
  });
  expectMade("docs/configuration.md", "the other commands", described.join("\n\n"));
});

test("[M1] each TOML example in docs/configuration.md is a config file that its command takes", () => {
  const tables = new Map<string, OptionTable>([
    ["serve", SERVE_OPTIONS],
    ["work", WORK_OPTIONS],
  ]);
  const examples = fencesOf(readDocument("docs/configuration.md").text).filter((fence) => fence.info.startsWith("toml"));
  expect(examples.map((example) => example.info)).toEqual(["toml serve", "toml work"]);
  const folder = mkdtempSync(join(tmpdir(), "docs-toml-"));
  try {
    for (const { info, body } of examples) {
      const command = info.split(" ")[1]!;
      const path = join(folder, `${command}.toml`);
      writeFileSync(path, body);
      const table = tables.get(command)!;
      expect(readConfigFile(command, table, path).size).toBeGreaterThan(3);
      expect(() => parseOptions(command, table, ["--config", path], {})).not.toThrow();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function optionsOf(options: OptionTable): readonly AnyOption[] {
  return Object.values(options);
}

function upperFirst(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** One table for each group of `--help`. */
function describeGroups(options: readonly AnyOption[]): string {
  const groups = [...new Set(options.map((option) => option.group))];
  const head = ["Flag", "Variable", "File key", "Default", "Takes", "Meaning"];
  return groups
    .map((group) => {
      const rows = options
        .filter((option) => option.group === group)
        .map((option) => [flagOf(option), variablesOf(option), fileKeyOf(option), defaultOf(option), takes(option), option.help]);
      return `**${group}**\n\n${toTable(head, rows)}`;
    })
    .join("\n\n");
}

function flagOf(option: AnyOption): string {
  return code(`--${option.flag}`);
}

function variablesOf(option: AnyOption): string {
  return [...option.variables, ...option.overridingVariables].map(code).join(", ");
}

function fileKeyOf(option: AnyOption): string {
  return option.flag === "config" ? "" : code(fileKey(option));
}

/** A default that is a sentence of its own stays one. */
function defaultOf(option: AnyOption): string {
  const isValue = option.fallback !== null && option.fallbackText !== "none";
  return isValue ? code(option.fallbackText) : option.fallbackText;
}

function takes({ kind }: AnyOption): string {
  return kind.expects.replaceAll("|", "\\|");
}
