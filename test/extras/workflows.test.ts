// The workflows: whose code they run, what they may do, and that what they name is there.
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { UsageError } from "../../src/base/errors.ts";
import { TARGETS } from "../../scripts/build/targets.ts";
import { releaseNotes } from "../../scripts/release/notes.ts";
import { readStages, ROOT } from "./dockerfile.ts";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Job {
  readonly uses?: string;
  readonly needs?: string | readonly string[];
  readonly steps?: readonly Step[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: { readonly include: readonly Readonly<Record<string, string>>[] } };
  readonly "timeout-minutes"?: number;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: unknown;
  readonly concurrency: unknown;
  readonly defaults: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const FOLDER = join(ROOT, ".github/workflows");
const workflows = new Map(readdirSync(FOLDER).map((file) => [file, read(file)]));
const jobs = [...workflows].flatMap(([file, { jobs }]) => Object.entries(jobs).map(([name, job]) => [`${file} ${name}`, job] as const));
const steps = jobs.flatMap(([name, job]) => (job.steps ?? []).map((step) => [name, step] as const));
const release = workflows.get("release.yml")!;

test("[I5] what is not ours is pinned to a commit, with its version beside it, and comes from one owner", () => {
  const uses = [...workflows.keys()].flatMap((file) => readFileSync(join(FOLDER, file), "utf8").match(/(?<=\buses: ).*$/gm) ?? []);
  expect(uses.length).toBeGreaterThan(5);
  const foreign = uses.filter((use) => !use.startsWith("./"));
  expect(foreign.filter((use) => !/^actions\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(use))).toEqual([]);
  // One action, one version.
  expect(new Set(foreign).size).toBe(new Set(foreign.map((use) => use.split("@")[0])).size);
  expect(uses.filter((use) => use.startsWith("./") && !existsSync(join(ROOT, use)))).toEqual([]);
});

test("[I5] workflows may read and nothing else; jobs that may write say what", () => {
  for (const [file, workflow] of workflows)
    expect({ file, permissions: workflow.permissions }).toEqual({ file, permissions: { contents: "read" } });
  const writers = jobs
    .filter(([, { permissions }]) => permissions !== undefined)
    .map(([name, { permissions }]) => [name, permissions] as const);
  expect(Object.fromEntries(writers)).toEqual({
    "release.yml images": { contents: "read", packages: "write" },
    "release.yml publish": {
      contents: "write",
      packages: "write",
      "id-token": "write",
      attestations: "write",
      "artifact-metadata": "write",
    },
  });
});

test("[I5] no credentials stay behind a checkout, every job ends in time, and two runs do not meet", () => {
  const checkouts = steps.filter(([, { uses }]) => uses?.startsWith("actions/checkout@"));
  expect(checkouts.length).toBeGreaterThan(2);
  expect(checkouts.filter(([, step]) => step.with?.["persist-credentials"] !== false)).toEqual([]);
  expect(jobs.filter(([, job]) => job.uses === undefined && !(Number(job["timeout-minutes"]) <= 60)).map(([name]) => name)).toEqual([]);
  expect([...workflows].filter(([, { concurrency }]) => concurrency === undefined).map(([file]) => file)).toEqual([]);
  expect(release.concurrency).toMatchObject({ "cancel-in-progress": false });
});

test("[I5] no text of an event becomes part of a script, and the one secret used is the run's own", () => {
  expect(steps.filter(([, { run }]) => run?.includes("${{")).map(([name]) => name)).toEqual([]);
  const secrets = [...workflows.keys()].flatMap((file) => readFileSync(join(FOLDER, file), "utf8").match(/secrets\.\w+/g) ?? []);
  expect(new Set(secrets)).toEqual(new Set(["secrets.GITHUB_TOKEN"]));
  expect([...workflows.values()].flatMap(({ on }) => Object.keys(on)).filter((event) => /_target|workflow_run|issue/.test(event))).toEqual(
    [],
  );
});

test("[I5] a script ends where a part of it fails, on every system", () => {
  for (const [file, { defaults }] of workflows) expect({ file, defaults }).toEqual({ file, defaults: { run: { shell: "bash" } } });
  const scripts = readdirSync(join(ROOT, ".ci")).map((name) => readFileSync(join(ROOT, ".ci", name), "utf8"));
  expect(scripts.filter((script) => !/^#!\/usr\/bin\/env bash\n(#.*\n)+set -e?uo pipefail$/m.test(script))).toEqual([]);
  expect(readFileSync(join(ROOT, ".gitattributes"), "utf8")).toContain("/.ci/* text eol=lf");
});

test("[I5] the scripts that are named are there and can be run", () => {
  const named = steps.flatMap(([, { run }]) => run?.match(/\.ci\/[\w-]+|\bscripts\/[\w/-]+\.ts|(?<=\bbun run )\w+/g) ?? []);
  expect(new Set(named)).toEqual(new Set([".ci/run", ".ci/images", ".ci/try-executable", "scripts/release-notes.ts", "build"]));
  for (const name of named.filter((name) => name.includes("/"))) expect(existsSync(join(ROOT, name))).toBe(true);
  for (const name of named.filter((name) => name.startsWith(".ci/"))) expect(statSync(join(ROOT, name)).mode & 0o111).not.toBe(0);
  expect(manifest.scripts.build).toBe("bun scripts/build.ts");
});

test("[I6] every executable that is built is tried on a system of its own before anything is published", () => {
  const tried = release.jobs["try"]?.strategy?.matrix.include ?? [];
  expect(tried).toHaveLength(TARGETS.length);
  expect(new Set(tried.map(({ file }) => file))).toEqual(new Set(TARGETS.map(({ file }) => file)));
  const wrong = tried.filter(
    ({ file, runner }) => !SYSTEMS.some(([name, pattern]) => file!.startsWith(`modelrelay-${name}`) && pattern.test(runner!)),
  );
  expect(wrong).toEqual([]);
  const scripts = (release.jobs["try"]?.steps ?? []).flatMap(({ run }) => run ?? []);
  expect(scripts).toEqual([`.ci/try-executable "dist/$FILE" "\${GITHUB_REF_NAME#v}"`]);
});

test("[I6] nothing is published that was not checked: tag and changelog, then checks and executables, then images, then the release", () => {
  const needs = Object.fromEntries(Object.entries(release.jobs).map(([name, job]) => [name, [job.needs ?? []].flat()]));
  expect(needs).toEqual({ notes: [], check: ["notes"], build: ["notes"], try: ["build"], images: ["check", "try"], publish: ["images"] });
  expect(release.on).toEqual({ push: { tags: ["v*"] } });
  const published = jobs.filter(([, job]) =>
    (job.steps ?? []).some(({ run }) => /docker push|gh release|imagetools create/.test(run ?? "")),
  );
  expect(published.map(([name]) => name)).toEqual(["release.yml images", "release.yml publish"]);
  const roles = readStages().map(({ name }) => name);
  for (const role of ["server", "worker"]) expect(roles).toContain(role);
});

test("[I6] a release is of the tag's version and says what is new in it; else it is refused with what to do", async () => {
  const changelog =
    "# Changelog\n\n## 2.0.0\n\n- New\n\n### Fixed\n\n- Old\n\n## 1.2.0 (2026-01-02)\n\n- Less\n\n## 1.1.0\n\n## 1.0.0\n\nThe first.\n";
  expect(releaseNotes("v2.0.0", { version: "2.0.0", changelog })).toBe("- New\n\n### Fixed\n\n- Old");
  expect(releaseNotes("v1.2.0", { version: "1.2.0", changelog })).toBe("- Less");
  expect(releaseNotes("v1.0.0", { version: "1.0.0", changelog })).toBe("The first.");
  const refusals = [
    ["v2.0.1", "2.0.0", "the tag is v2.0.1 and package.json says 2.0.0: tag v2.0.0, or change the version first"],
    ["2.0.0", "2.0.0", "the tag is 2.0.0 and package.json says 2.0.0: tag v2.0.0"],
    ["v3.0.0", "3.0.0", "docs/changelog.md has no section '## 3.0.0'"],
    ["v1.1.0", "1.1.0", "docs/changelog.md says nothing in its section '## 1.1.0'"],
  ] as const;
  for (const [tag, version, message] of refusals) {
    expect(() => releaseNotes(tag, { version, changelog })).toThrow(UsageError);
    expect(() => releaseNotes(tag, { version, changelog })).toThrow(message);
  }
});

test("[I6] the script the workflow runs knows this version's tag from others", async () => {
  const good = await runScript(`v${manifest.version}`);
  expect({ code: good.code, err: good.err }).toEqual({ code: 0, err: "" });
  expect(good.out.length).toBeGreaterThan(20);
  expect(await runScript("v99.0.0")).toEqual({
    code: 1,
    out: "",
    err: expect.stringContaining("the tag is v99.0.0 and package.json says"),
  });
  expect(await runScript()).toEqual({ code: 2, out: "", err: "One argument is needed: the release's tag, such as v1.2.3.\n" });
});

// Which runners are which system, by GitHub's labels.
const SYSTEMS: readonly (readonly [target: string, runner: RegExp])[] = [
  ["linux-x64", /^ubuntu-[\d.]+$/],
  ["linux-arm64", /^ubuntu-[\d.]+-arm$/],
  ["darwin-x64", /^macos-\d+-intel$/],
  ["darwin-arm64", /^macos-\d+$/],
  ["windows-x64", /^windows-20\d\d$/],
  ["windows-arm64", /^windows-\d+-arm$/],
];

function read(file: string): Workflow {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what of it is used is what the tests check
  return Bun.YAML.parse(readFileSync(join(FOLDER, file), "utf8")) as Workflow;
}

async function runScript(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const child = Bun.spawn([process.execPath, join(ROOT, "scripts/release-notes.ts"), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}
