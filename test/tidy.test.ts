// The house rules, as far as a program can check them: each test names every file that breaks its rule.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import manifest from "../package.json" with { type: "json" };

const ROOT = join(import.meta.dir, "..");

// Who may import whom: the folders under src/ a folder may import, itself aside. What is not listed may import nothing.
const RELAY = ["base", "protocol", "scheduler", "hub", "store"];
const IMPORTS: ReadonlyMap<string, readonly string[]> = new Map([
  ["base", []],
  ["protocol", ["base"]],
  ["scheduler", ["base", "protocol"]],
  ["store", ["base"]],
  ["hub", ["base", "protocol", "scheduler"]],
  ["edge", RELAY],
  ["link", RELAY],
  ["admin", RELAY],
  ["cluster", RELAY],
  ["ui", ["base"]],
  ["server", [...RELAY, "edge", "link", "admin", "cluster", "ui"]],
  ["worker", ["base", "protocol"]],
  ["demo", ["base"]],
  ["load", ["base"]],
  ["llamafile", ["base"]],
  ["service", ["base"]],
  ["cli", [...RELAY, "edge", "link", "admin", "cluster", "ui", "server", "worker", "demo", "load", "llamafile", "service"]],
  ["main.ts", ["base", "cli"]],
]);

// Besides its own types, ui shows what the operators' API answers.
const TYPE_IMPORTS: ReadonlyMap<string, readonly string[]> = new Map([["ui", ["admin"]]]);

const LINES_MAX = 400;
const NAMES_THAT_SAY_NOTHING = /^(utils?|helpers?|common|misc|shared|stuff|lib|types|constants|index)$/;

// Where time may pass in a test: the one place that waits for conditions, and the one child process that keeps a pace.
const MAY_SLEEP = ["test/support/until.ts", "test/support/fake-backend-process.ts"];

interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const sources = filesOf("src/**/*.{ts,tsx}");
const tests = filesOf("test/**/*.ts");
const scripts = filesOf("scripts/**/*.ts");
const typescript = [...sources, ...tests, ...scripts];
const everything = filesOf("**/*", [/(^|\/)(node_modules|dist|coverage|\.git)\//, /\.(log|png|ico|woff2|db)$/]);

test("there is something to check", () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(tests.length).toBeGreaterThan(10);
  expect(everything.length).toBeGreaterThan(sources.length + tests.length);
  expect(sources.flatMap(importsOf).length).toBeGreaterThan(sources.length);
});

test("imports go one way", () => {
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter(({ specifier, isTypeOnly }) => {
        const [from, to] = [folderOf(file.path), folderOf(normalize(join(dirname(file.path), specifier)))];
        const allowed = [...(IMPORTS.get(from) ?? []), ...(isTypeOnly ? (TYPE_IMPORTS.get(from) ?? []) : [])];
        return to !== "" && to !== from && !allowed.includes(to);
      })
      .map(({ specifier }) => `${file.path} imports ${specifier}`),
  );
  expect(wrong).toEqual([]);
});

test("src imports nothing from test or scripts", () => {
  const wrong = sources.filter((file) => importsOf(file).some(({ specifier }) => /^(\.\.\/)+(test|scripts)\//.test(specifier)));
  expect(pathsOf(wrong)).toEqual([]);
});

test("relative imports name the file, extension included", () => {
  const wrong = typescript.flatMap((file) =>
    importsOf(file).flatMap(({ specifier }) => (/\.[a-z]+$/.test(specifier) ? [] : [`${file.path} imports ${specifier}`])),
  );
  expect(wrong).toEqual([]);
});

test(`no file under src has more than ${LINES_MAX} lines`, () => {
  const wrong = sources.filter((file) => file.text.split("\n").length - 1 > LINES_MAX);
  expect(pathsOf(wrong)).toEqual([]);
});

test("each file opens with a comment that says why it exists", () => {
  const wrong = typescript.filter((file) => !/^(#!.*\n)?\/\/ \S/.test(file.text));
  expect(pathsOf(wrong)).toEqual([]);
});

test("no file or folder has a name that says nothing", () => {
  const parts = typescript.flatMap((file) =>
    file.path
      .split("/")
      .slice(1)
      .map((part) => [part.split(".")[0], file.path] as const),
  );
  const wrong = parts.filter(([name]) => NAMES_THAT_SAY_NOTHING.test(name ?? "")).map(([, path]) => path);
  expect(wrong).toEqual([]);
});

test("every export has one name and one home", () => {
  const wrong = typescript.filter((file) => /^export (default\b|\*|(type )?\{[^}]*\} from)/m.test(file.text));
  expect(pathsOf(wrong)).toEqual([]);
});

test("only main.ts ends the process", () => {
  const wrong = sources.filter((file) => file.path !== "src/main.ts" && /\bprocess\.(exit|abort|reallyExit)\b(?!Code)/.test(file.text));
  expect(pathsOf(wrong)).toEqual([]);
});

test("no file's path is taken from a URL, where a space is %20 and a drive has a slash before it", () => {
  const wrong = typescript.filter((file) => /\bimport\.meta\.url\b[^;]*\.pathname/.test(file.text) && file.path !== "test/tidy.test.ts");
  expect(pathsOf(wrong)).toEqual([]);
});

test("no test sleeps", () => {
  const sleeping = /\b(setTimeout|setInterval|Bun\.sleep|Bun\.sleepSync|sleepSync)\(|"(node:)?timers\/promises"/;
  const wrong = tests.filter((file) => sleeping.test(file.text) && !MAY_SLEEP.includes(file.path) && file.path !== "test/tidy.test.ts");
  expect(pathsOf(wrong)).toEqual([]);
});

test("no test is left out or preferred", () => {
  const wrong = tests.filter((file) => /\b(test|describe|it)\.(only|skip|todo)\(/.test(file.text));
  expect(pathsOf(wrong)).toEqual([]);
});

test("every rule of docs/behaviour.md is cited by a test, and no test cites another", () => {
  const rules = [...readFileSync(join(ROOT, "docs/behaviour.md"), "utf8").matchAll(/^- \*\*\[([A-Z]\d+)\]\*\*/gm)].map(
    (match) => match[1]!,
  );
  const cited = new Set(tests.flatMap((file) => citedRules(file.text)));
  expect(rules.length).toBe(new Set(rules).size);
  expect({ notCited: rules.filter((rule) => !cited.has(rule)), unknown: [...cited].filter((rule) => !rules.includes(rule)) }).toEqual({
    notCited: [],
    unknown: [],
  });
});

test("nothing names a machine's own paths or the host of a package registry", () => {
  // Written apart, so that this file does not name them itself.
  const paths = ["work", "root", "tmp", "home/[a-z]+"].map((name) => `(^|[\\s"'\`(=:])/${name}/[a-zA-Z]`).join("|");
  const hosts = ["npmjs", "registry", "verdaccio", "artifactory", "pypi"]
    .map((name) => `https?://[a-z0-9.-]*${name}[a-z0-9.-]*[:/]`)
    .join("|");
  const forbidden = new RegExp(`${paths}|${hosts}`, "m");
  expect(
    everything.flatMap(
      (file) =>
        forbidden
          .exec(file.text)
          ?.map((found) => `${file.path}: ${found}`)
          .slice(0, 1) ?? [],
    ),
  ).toEqual([]);
});

test("dependencies are pinned exactly, and none runs scripts when it is installed", () => {
  const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.engines });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  expect(manifest.trustedDependencies).toEqual([]);
  expect(manifest.devDependencies["bun-types"]).toBe(manifest.engines.bun);
});

interface Import {
  readonly specifier: string;
  readonly isTypeOnly: boolean;
}

/** The relative imports of a file, dynamic ones included. */
function importsOf(file: SourceFile): readonly Import[] {
  const statements = file.text.matchAll(
    /^(?:import|export)\b(\s+type\b)?[^;"]*?\bfrom\s+"(\.{1,2}\/[^"]+)"|^import\s+"(\.{1,2}\/[^"]+)"|\bimport\(\s*"(\.{1,2}\/[^"]+)"/gm,
  );
  return [...statements].map((match) => ({ specifier: match[2] ?? match[3] ?? match[4]!, isTypeOnly: match[1] !== undefined }));
}

/** "src/edge/app.ts" -> "edge"; "src/main.ts" -> "main.ts"; outside of src -> "". */
function folderOf(path: string): string {
  const [top, folder] = path.split("/");
  return top === "src" ? (folder ?? "") : "";
}

/** The ids at the beginning of string literals: titles, or tables that titles are made of. */
function citedRules(text: string): readonly string[] {
  const lists = text.matchAll(/["'`]((?:\[[A-Z]\d+\][ ,]*)+)/g);
  return [...lists].flatMap((list) => [...list[1]!.matchAll(/\[([A-Z]\d+)\]/g)].map((match) => match[1]!));
}

function pathsOf(files: readonly SourceFile[]): readonly string[] {
  return files.map((file) => file.path);
}

function filesOf(pattern: string, except: readonly RegExp[] = []): readonly SourceFile[] {
  const paths = [...new Bun.Glob(pattern).scanSync({ cwd: ROOT, dot: true, onlyFiles: true })].map((path) => path.replaceAll("\\", "/"));
  return paths
    .filter((path) => !except.some((pattern) => pattern.test(path)))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}
