// What the documents mention is there: links, flags, variables, source files, commands, folders and log lines.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UsageError } from "../../src/base/errors.ts";
import { everyCommand, findCommand } from "../../src/cli/find-command.ts";
import { OPERATOR_OPERATIONS } from "../../src/admin/openapi-operators.ts";
import { NewKey } from "../../src/admin/key-schema.ts";
import { parseCommandLine } from "../../src/cli/options/words.ts";
import manifest from "../../package.json" with { type: "json" };
import { allDocuments, type Document, fencesOf, readDocument, ROOT, sectionOf, tableRows } from "./documents.ts";

const documents = allDocuments();
const program = filesFrom("src/main.ts");
const options = (await everyCommand()).flatMap(({ body }) => Object.values(body.options));

// Flags of other programs that the documents show, those every command has, and examples of how flags are written.
const OTHER_FLAGS = new Set([
  "--help",
  "--version",
  "--completions",
  "--frozen-lockfile",
  "--port",
  "--bun",
  "--flag",
  "--no-flag",
  "--cacert",
  "--from-literal",
]);
const DOCKER_FLAGS = new Set(
  ["add-host", "build", "cap-drop", "host", "network", "no-build", "read-only", "security-opt", "stop-timeout", "target", "user"].map(
    (name) => `--${name}`,
  ),
);
const CHECKSUM_FLAGS = new Set(["--check", "--ignore-missing", "--repo"]);
/** Of codesign and of the runtime. */
const RUNTIME_FLAGS = new Set(["--force", "--sign", "--preload", "--cpu-prof"]);
// Variables of other programs.
const OTHER_VARIABLES =
  /^(ANTHROPIC|OPENAI)_|^(NODE_EXTRA_CA_CERTS|UPDATE_DOCS|NO_COLOR|HTTPS_PROXY|HTTP_PROXY|ALL_PROXY|NO_PROXY|BUN_BE_BUN|BUN_OPTIONS|LD_PRELOAD)$/;

test("there is something to check", () => {
  expect(documents.map(({ path }) => path)).toContain("README.md");
  expect(documents.length).toBeGreaterThan(12);
  expect(linksOf(readDocument("README.md")).length).toBeGreaterThan(5);
  expect(program.size).toBeGreaterThan(80);
});

test("[M4] every relative link leads to a file, and its fragment to a heading", () => {
  const broken = documents.flatMap((document) =>
    linksOf(document).flatMap((link) => {
      const [file, fragment] = link.split("#");
      const target = file === "" ? document.path : join(dirname(document.path), file!);
      if (!existsSync(join(ROOT, target))) return [`${document.path}: ${link}`];
      const isMissing = fragment !== undefined && target.endsWith(".md") && !anchorsOf(readDocument(target).text).has(fragment);
      return isMissing ? [`${document.path}: ${link} (no such heading)`] : [];
    }),
  );
  expect(broken).toEqual([]);
});

test("[M4] every flag that is mentioned exists", () => {
  const ofScripts = ["bench", "build"].flatMap(
    (script) => readFileSync(join(ROOT, `scripts/${script}/options.ts`), "utf8").match(/--[a-z][a-z-]+/g) ?? [],
  );
  const known = new Set([...options.flatMap(({ flag }) => [`--${flag}`, `--no-${flag}`]), ...ofScripts]);
  const wrong = mentions(/(?<![\w-])--[a-z][a-z-]+\b/gi).filter(
    ([, flag]) => !known.has(flag) && ![OTHER_FLAGS, DOCKER_FLAGS, CHECKSUM_FLAGS, RUNTIME_FLAGS].some((flags) => flags.has(flag)),
  );
  expect(wrong).toEqual([]);
});

test("[M4] every variable that is mentioned exists", () => {
  const known = new Set(options.flatMap(({ variables, overridingVariables }) => [...variables, ...overridingVariables]));
  const compose = readFileSync(join(ROOT, "extras/.env.example"), "utf8");
  const source = [...program.values(), compose].join("\n");
  // In code spans only, where an upper-case name is a variable or a constant of ours.
  const spans = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map((match) => [path, match[1]!] as const),
  );
  const wrong = spans.filter(([, name]) => !known.has(name) && !OTHER_VARIABLES.test(name) && !new RegExp(`\\b${name}\\b`).test(source));
  expect(wrong).toEqual([]);
});

test("[M4] every file of the repository that is mentioned exists", () => {
  const wrong = mentions(/(?<![\w./-])(?:src|test|scripts|docs|\.ci|\.github)\/[\w./*-]*\w/g).filter(
    ([, path]) => !existsSync(join(ROOT, path)),
  );
  expect(wrong).toEqual([]);
});

test("[M4] every command line that is shown is one the program takes", async () => {
  const lines = documents.flatMap(({ path, text }) => commandLines(text).map((line) => [path, line] as const));
  expect(lines.length).toBeGreaterThan(5);
  const refusals = await Promise.all(lines.map(async ([path, line]) => ({ path, line, refusal: await refusalOf(line) })));
  expect(refusals.filter(({ refusal }) => refusal !== null)).toEqual([]);
});

test("[M5] the README's two commands are those that package.json and .ci/run hold", () => {
  const bun = `npx -y bun@${manifest.engines.bun}`;
  const shown = fencesOf(readDocument("README.md").text).flatMap(({ info, body }) => (info === "sh" ? body.split("\n") : []));
  expect(shown).toContain(`${bun} install --frozen-lockfile && ${bun} run demo`);
  expect(shown).toContain(`${bun} install --frozen-lockfile && ${bun} run test`);
  expect(manifest.scripts).toMatchObject({ demo: "bun src/main.ts up --demo", test: "bun test" });
  const ci = readFileSync(join(ROOT, ".ci/run"), "utf8");
  expect(ci).toContain('npx -y "bun@${bun_version}" "$@"');
  expect(ci).toContain("pinned_bun install --frozen-lockfile");
  expect(ci).toContain("step pinned_bun test");
});

test("[M6] docs/architecture.md has a row for each folder of src that the program uses", () => {
  const rows = tableRows(sectionOf(readDocument("docs/architecture.md").text, "## Folders")).map(([folder]) => folder!.replaceAll("`", ""));
  const used = new Set([...program.keys()].map((path) => path.replace(/^src\//, "").replace(/\/.*/, "/")));
  expect({
    notDescribed: [...used].filter((folder) => !rows.includes(folder)),
    notThere: rows.filter((row) => !existsSync(join(ROOT, "src", row))),
  }).toEqual({ notDescribed: [], notThere: [] });
});

test("[M6] docs/operations.md names every route of the operators' API, and every field of a new key", () => {
  const section = sectionOf(readDocument("docs/operations.md").text, "## The admin API");
  const names = tableRows(section).flatMap(([cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!));
  const routes = OPERATOR_OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  expect(names.sort()).toEqual([...routes, ...Object.keys(NewKey.entries)].sort());
});

test("[M6] docs/operations.md lists every message that relay and worker log, and no other", () => {
  const section = sectionOf(readDocument("docs/operations.md").text, "## Log lines");
  const documented = new Set(tableRows(section).map(([message]) => message!.replaceAll("`", "")));
  const logged = loggedMessages();
  expect({
    notDocumented: logged.filter((message) => !documented.has(message)),
    notLogged: [...documented].filter((message) => !logged.includes(message)),
  }).toEqual({ notDocumented: [], notLogged: [] });
});

/** The targets of the relative links of a document. */
function linksOf({ text }: Document): readonly string[] {
  const prose = text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!)
    .filter((target) => !/^[a-z]+:/.test(target) && target !== RELEASES);
}

// Where GitHub has a repository's downloads, seen from its README.
const RELEASES = "../../releases/latest";

/** As GitHub makes them: lower case, punctuation dropped, spaces to hyphens. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map((match) => match[1]!.toLowerCase());
  return new Set(headings.map((heading) => heading.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")));
}

/** Everything in the documents that matches, with where it stands. */
function mentions(pattern: RegExp): readonly (readonly [path: string, found: string])[] {
  return documents.flatMap(({ path, text }) => [...text.matchAll(pattern)].map((match) => [path, match[0]] as const));
}

/** The lines in shell fences that run the program, from the command on, continuation lines joined. */
function commandLines(text: string): readonly string[] {
  const shell = fencesOf(text).filter(({ info }) => /^(?:sh|powershell)\b/.test(info));
  const lines = shell.flatMap(({ body }) => body.replaceAll(/\\\n\s*/g, " ").split("\n"));
  const program = /^(?:sudo )?(?:[A-Z_]+=\S+ )*(?:bun src\/main\.ts|(?:\.[\\/])?modelrelay(?:\.exe)?) (.+?)\s*(?:[&>#|].*)?$/;
  return lines.flatMap((line) => program.exec(line)?.[1] ?? []);
}

/** Why the program would not take a line; null when it would. */
async function refusalOf(line: string): Promise<string | null> {
  const words = line.split(/\s+/).map((word) => word.replaceAll(/^["']|["']$/g, ""));
  if (words.includes("--help") || words.includes("--version")) return null;
  try {
    const found = await findCommand(words);
    if (found.kind === "group") return "it does not name a command to its end";
    parseCommandLine(found.command.path, found.command.body, found.args, {});
    return null;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message;
  }
}

/** The files that make up the program, with their text: those that main.ts imports, directly or not. */
function filesFrom(main: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const wanted = [main];
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (files.has(path)) continue;
    const text = readFileSync(join(ROOT, path), "utf8");
    files.set(path, text);
    const imports = text.matchAll(/^(?:import|export)\b[^;"]*?"(\.{1,2}\/[^"]+\.tsx?)"|\bimport\(\s*"(\.{1,2}\/[^"]+\.tsx?)"/gm);
    for (const match of imports) wanted.push(join(dirname(path), match[1] ?? match[2]!).replaceAll("\\", "/"));
  }
  return files;
}

/** The fixed phrases given to the log, directly or by way of the two tables that name them by cause. */
function loggedMessages(): readonly string[] {
  const source = [...program.values()].join("\n");
  const direct = source.matchAll(/\blog\.(?:trace|debug|info|warn|error)\(\s*"([^"]+)"/g);
  const byCode = program.get("src/hub/hub.ts")!.matchAll(/^ {2}\["[a-z_]+", "([^"]+)"\]|\?\? "([a-z ]+)", fields\)/gm);
  const byEnd = program.get("src/worker/explain.ts")!.matchAll(/\b(?:refusal|hiccup)\("([^"]+)"/g);
  return [...new Set([...direct, ...byCode, ...byEnd].map((match) => match[1] ?? match[2]!))].sort();
}
