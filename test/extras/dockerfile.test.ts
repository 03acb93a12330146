// The Dockerfile says what is so: its sources are there and reach the builder, its pins are the repository's, its commands are the program's.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { TARGETS } from "../../scripts/build/targets.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { HEALTH_OPTIONS } from "../../src/cli/health/options.ts";
import type { OptionTable } from "../../src/cli/options/option.ts";
import { parseOptions } from "../../src/cli/options/parse.ts";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { execForm, flagOf, inherited, type Instruction, pairsOf, readStages, ROOT, wordsOf } from "./dockerfile.ts";

const stages = readStages();
const names = stages.map(({ name }) => name);
const instructions = stages.flatMap((stage) => stage.instructions);
const ROLES: readonly (readonly [role: string, command: string, table: OptionTable])[] = [
  ["server", "serve", SERVE_OPTIONS],
  ["worker", "work", WORK_OPTIONS],
];

test("[I1] every source of the Dockerfile is there and reaches the builder, and nothing else does", () => {
  const patterns = readLines(".dockerignore");
  const copies = instructions.filter(({ name, text }) => (name === "COPY" || name === "ADD") && !text.includes("--from="));
  const sources = copies.flatMap((copy) => wordsOf(copy).slice(0, -1));
  expect(sources.length).toBeGreaterThan(5);
  expect(sources.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
  // Everything is left out, then exactly what is copied is let in.
  expect(patterns[0]).toBe("*");
  expect(patterns.slice(1).sort()).toEqual(sources.map((source) => `!${source}`).sort());
});

test("[I1] what imports the build script and the program is copied with them", () => {
  const copied = new Set(instructions.filter(({ name }) => name === "COPY").flatMap((copy) => wordsOf(copy).slice(0, -1)));
  const outside = ["scripts/build.ts", ...new Bun.Glob("{src,scripts/build}/**/*.ts").scanSync({ cwd: ROOT })].flatMap((path) => {
    const specifiers = [...readFileSync(join(ROOT, path), "utf8").matchAll(/from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g)];
    const targets = specifiers.map((match) => join(path, "..", match[1] ?? match[2]!).replaceAll("\\", "/"));
    return targets.filter((target) => !copied.has(target) && !copied.has(target.split("/")[0]!)).map((target) => `${path}: ${target}`);
  });
  expect(outside).toEqual([]);
  expect([...copied]).toEqual(expect.arrayContaining(["package.json", "bun.lock", "bunfig.toml", "tsconfig.json", "src", "scripts"]));
});

test("[I1] every stage that is named exists, and the targets are what the last stages are called", () => {
  const froms = instructions.map((instruction) => flagOf(instruction, "from")).filter((from) => from !== null);
  expect(froms.length).toBeGreaterThan(1);
  expect(froms.filter((from) => !names.includes(from))).toEqual([]);
  expect(names).toEqual(["build", "runtime", "worker", "server"]);
  expect(new Set(names).size).toBe(names.length);
});

test("[I1] it builds with the Bun of package.json, on a base that is pinned by its digest, and its label says the version", () => {
  expect(stages[0]?.base).toBe(`oven/bun:${manifest.engines.bun}`);
  expect(stages[0]?.instructions[0]?.text).toStartWith("--platform=$BUILDPLATFORM ");
  const bases = stages.map(({ base }) => base).filter((base) => !names.includes(base) && !base.startsWith("oven/bun:"));
  expect(bases).toHaveLength(1);
  expect(bases[0]).toMatch(/:nonroot@sha256:[0-9a-f]{64}$/);
  const runtime = stages.find(({ name }) => name === "runtime")?.instructions ?? [];
  expect(runtime.filter(({ name }) => name === "ARG").map(({ text }) => text)).toContain(`VERSION=${manifest.version}`);
});

test("[I1] the platforms of the images have executables: the build's names, and no lock file is changed on the way", () => {
  const runs = (stages[0]?.instructions ?? []).filter(({ name }) => name === "RUN").map(({ text }) => text);
  expect(runs[0]).toBe('["bun", "install", "--frozen-lockfile", "--production"]');
  expect(runs[1]).toContain('amd64) machine=x64 ;; *) machine="$TARGETARCH" ;;');
  expect(runs[1]).toContain('bun run build --target "linux-$machine" --out /out');
  expect(manifest.scripts.build).toBe("bun scripts/build.ts");
  const files = TARGETS.map(({ file }) => file);
  expect(files).toEqual(expect.arrayContaining(["modelrelay-linux-x64", "modelrelay-linux-arm64"]));
});

test.each(ROLES)(
  "[I2] the image of the %s runs as a user without rights, needs no command and has no shell forms",
  (role, command, table) => {
    const all = inherited(stages, role);
    expect(lastOf(all, "USER")?.text).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(lastOf(all, "STOPSIGNAL")?.text).toBe("SIGTERM");
    const forms = all.filter(({ name }) => ["ENTRYPOINT", "CMD", "RUN", "VOLUME"].includes(name));
    expect(forms.filter(({ text }) => execForm(text) === null)).toEqual([]);

    const [executable, word, ...rest] = execForm(lastOf(all, "ENTRYPOINT")?.text ?? "") ?? [];
    expect(all.some(({ name, text }) => name === "COPY" && text === `--from=build /out/modelrelay ${executable}`)).toBe(true);
    expect(COMMANDS.map(({ name }) => name)).toContain(word!);
    expect(word).toBe(command);
    // What follows the image's name is read behind this.
    expect(() => parseOptions(command, table, [...rest, "--log-level", "debug"], { WORKER_SECRET: "0123456789abcdef" })).not.toThrow();
  },
);

test.each(ROLES)(
  "[I2] the variables of the image of the %s are the program's, with values it takes, and none is a secret",
  (role, command, table) => {
    const all = inherited(stages, role);
    const variables = all.filter(({ name }) => name === "ENV").flatMap(pairsOf);
    const known = Object.values(table).flatMap((option) => option.variables);
    expect(variables.filter(([name]) => !known.includes(name))).toEqual([]);
    expect(() => parseOptions(command, table, [], Object.fromEntries(variables))).not.toThrow();
    const declared = instructions.filter(({ name }) => name === "ENV" || name === "ARG").map(({ text }) => text);
    expect(declared.filter((text) => /SECRET|TOKEN|PASSWORD|KEY|DATABASE_URL/i.test(text))).toEqual([]);
  },
);

test("[I2] the relay's image listens where its port is, keeps keys in a volume its user may write, and asks itself how it is", () => {
  const all = inherited(stages, "server");
  const variables = new Map(all.filter(({ name }) => name === "ENV").flatMap(pairsOf));
  expect(variables.get("LISTEN_ADDR")).toBe(`0.0.0.0:${lastOf(all, "EXPOSE")?.text}`);
  const volume = execForm(lastOf(all, "VOLUME")?.text ?? "")?.[0];
  expect(volume).toBe(variables.get("MODELRELAY_DATA_DIR"));
  const copy = all.find(({ name, text }) => name === "COPY" && text.endsWith(` ${volume}`));
  expect(copy === undefined ? null : flagOf(copy, "chown")).toBe(lastOf(all, "USER")?.text ?? "");

  const [executable, word, ...rest] = execForm(lastOf(all, "HEALTHCHECK")?.text ?? "") ?? [];
  expect([executable, word]).toEqual([execForm(lastOf(all, "ENTRYPOINT")?.text ?? "")?.[0], "health"]);
  const { values } = parseOptions("health", HEALTH_OPTIONS, rest, Object.fromEntries(variables));
  // The engine gives up later than the question does.
  expect(Number.parseInt(flagOf(lastOf(all, "HEALTHCHECK")!, "timeout") ?? "", 10) * 1000).toBeGreaterThan(values.timeoutMs);
  expect(lastOf(inherited(stages, "worker"), "HEALTHCHECK")?.text).toBe("NONE");
});

test.each(ROLES)("[I2] the image of the %s has the labels that say what it is", (role) => {
  const labels = new Map(
    inherited(stages, role)
      .filter(({ name }) => name === "LABEL")
      .flatMap(pairsOf),
  );
  const said = ["title", "description", "version", "revision", "licenses"].map((name) => labels.get(`org.opencontainers.image.${name}`));
  expect(said).toEqual([`modelrelay-${role}`, expect.any(String), "$VERSION", "$REVISION", manifest.license]);
});

function lastOf(all: readonly Instruction[], name: string): Instruction | undefined {
  return all.findLast((instruction) => instruction.name === name);
}

function readLines(path: string): readonly string[] {
  return readFileSync(join(ROOT, path), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}
