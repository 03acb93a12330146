// Which models there are, which one a word means, and which ones suit a machine.
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { builtInCatalogue, parseCatalogue } from "../../src/llamafile/catalogue.ts";
import { type Fit, fitOf, recommend } from "../../src/llamafile/fit.ts";
import { defaultHome } from "../../src/llamafile/home.ts";
import { findModel, type Model, readLibrary } from "../../src/llamafile/library.ts";
import { type Machine, type MachineWorld, readMachine } from "../../src/llamafile/machine.ts";
import { isSafeUrl } from "../../src/llamafile/safe-url.ts";
import { TerminalCli } from "../cli/terminal-cli.ts";
import { catalogueOf, entryOf, Scene } from "./scene.ts";

const GIB = 1024 ** 3;

function machineOf(ramGb: number, vramGb = 0, rest: Partial<Machine> = {}): Machine {
  const gpus = vramGb === 0 ? [] : [{ name: "GPU", vramBytes: vramGb * GIB, isUnified: false }];
  return { platform: "linux", arch: "x64", ramBytes: ramGb * GIB, isRamLimited: false, cores: 8, gpus, ...rest };
}

const builtIn = (): readonly Model[] => builtInCatalogue().models.map((entry) => ({ ...entry, sizeBytes: entry.size_bytes, sha256: null }));

test("[F1] the catalogue that comes along is a good one, of https addresses alone", () => {
  const { models } = builtInCatalogue();
  expect(models.length).toBe(28);
  expect(models.filter(({ url }) => !url.startsWith("https://"))).toEqual([]);
  expect(new Set(models.flatMap(({ tags }) => tags))).toEqual(new Set(["chat", "vision", "reasoning", "code", "embedding"]));
});

test("[O2] the list of models fits the terminal; a pipe gets all of it", async () => {
  await using scene = new Scene();
  const env = { HOME: scene.folder, MODELRELAY_HOME: scene.home.root };
  await using narrow = new TerminalCli(["llamafile", "list"], { cols: 60, rows: 50 }, env);
  expect(await narrow.exit()).toBe(0);
  const lines = narrow.written.split(/\r?\n/).filter((line) => line !== "");
  expect(lines).toHaveLength(29);
  expect(lines.filter((line) => Bun.stringWidth(line) > 60)).toEqual([]);
  expect(lines[0]).toMatch(/^MODEL +SIZE +FITS +STATE$/);
  expect((await scene.run("list")).out).toMatch(/^MODEL +NAME +SIZE +LICENCE +TAGS +FITS +STATE\n/);
});

test("[F1] a word means the model of that slug, else the only one that begins so, else nothing: the nearest are named", () => {
  const models = builtIn();
  expect(findModel(models, "gemma-3-1b").slug).toBe("gemma-3-1b");
  expect(findModel(models, "Mixtral").slug).toBe("mixtral-8x7b");
  // A whole slug that is another one's beginning means itself.
  expect(findModel(models, "gpt-oss-20b").slug).toBe("gpt-oss-20b");
  expect(() => findModel(models, "gemma")).toThrow('"gemma" may be gemma-3-1b, gemma-3-4b, gemma-3-12b; write more of the name');
  expect(() => findModel(models, "gema-3-1b")).toThrow('there is no model "gema-3-1b"; did you mean gemma-3-1b');
  expect(() => findModel(models, "zzz")).toThrow("there is no model \"zzz\"; 'modelrelay llamafile list' shows all");
  expect(() => findModel(models, "")).toThrow("there is no model");
});

test("[F1] list filters by text and tag, and says the same as JSON", async () => {
  await using scene = new Scene();
  const found = await scene.run("list", "GEMMA", "--tag", "chat");
  expect(
    found.out
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  ).toEqual(["MODEL", "gemma-3-1b", "gemma-3-4b", "gemma-3-12b"]);
  const shown: unknown = JSON.parse((await scene.run("list", "e5-", "--json")).out);
  expect(shown).toEqual({
    models: [expect.objectContaining({ slug: "e5-mistral-7b", tags: ["embedding"], is_downloaded: false, status: "stopped" })],
  });
  expect(await scene.run("list", "nothing-is-so")).toMatchObject({ code: 0, out: "" });
});

test("[F1] list has one order: what fits before what does not, each from the smallest on", async () => {
  await using scene = new Scene();
  const answer = v.object({ models: v.array(v.object({ fits: v.boolean(), size_bytes: v.number() })) });
  const { models } = v.parse(answer, JSON.parse((await scene.run("list", "--json")).out));
  expect(models).toHaveLength(28);
  expect(models).toEqual(models.toSorted((a, b) => Number(b.fits) - Number(a.fits) || a.size_bytes - b.size_bytes));
  expect((await scene.run("--help")).out.replaceAll(/\s+/g, " ")).toContain("smallest first; what does not fit comes last");
});

test("[F1] a tag that no model has is refused with the nearest; one that only imports have is none of these", async () => {
  await using scene = new Scene();
  const wrong = await scene.run("list", "--tag", "reasonin");
  expect(wrong).toEqual({
    code: 2,
    out: "",
    err: 'modelrelay: --tag: no model has the tag "reasonin"; did you mean reasoning? The tags are chat, code, embedding, imported, reasoning, vision\n',
  });
  expect(await scene.run("list", "--tag", "Imported")).toMatchObject({ code: 0, out: "" });
  expect((await scene.run("list", "--tag", "Vision")).out).toContain("llava");
});

test.each<[string, number, Machine, Fit["kind"]]>([
  ["whole in graphics memory", 5, machineOf(8, 8), "gpu"],
  ["too large for that, but not for both", 10, machineOf(16, 8), "split"],
  ["small, without a GPU", 5, machineOf(16), "cpu"],
  ["small enough for two cores", 2.4, machineOf(16, 0, { cores: 2 }), "cpu"],
  ["too large for two cores", 2.5, machineOf(16, 0, { cores: 2 }), "slow"],
  ["on a GPU, whatever the cores", 5, machineOf(8, 8, { cores: 1 }), "gpu"],
  ["large, without a GPU", 10, machineOf(32), "slow"],
  ["larger than memory", 10, machineOf(8), "no"],
  ["larger than both", 20, machineOf(8, 8), "no"],
  ["a GPU too small to matter", 10, machineOf(32, 1), "slow"],
  ["memory that both share is there once", 12, machineOf(16, 0, { gpus: [{ name: "A", vramBytes: 12 * GIB, isUnified: true }] }), "no"],
  ["4 GiB on Windows", 4, machineOf(64, 0, { platform: "win32" }), "no"],
  ["less than 4 GiB on Windows", 3.9, machineOf(64, 0, { platform: "win32" }), "cpu"],
])("[F2] a model %s", (_what, sizeGb, machine, fit) => {
  expect(fitOf({ sizeBytes: sizeGb * GIB }, machine).kind).toBe(fit);
});

test("[F2] recommended is what fits, best first, one for each purpose, with the reason", () => {
  const models = builtIn();
  for (const ram of [3, 4, 6, 8, 12, 16, 24, 32, 64]) {
    for (const vram of [0, 4, 8, 12, 24, 48]) {
      const machine = machineOf(ram, vram);
      const picks = recommend(models, machine);
      expect(picks.filter(({ model }) => fitOf(model, machine).kind === "no")).toEqual([]);
      expect(new Set(picks.map(({ model }) => model.slug)).size).toBe(picks.length);
    }
  }
  expect(recommend(models, machineOf(32, 24))[0]).toMatchObject({ model: { slug: "qwen3.5-27b" }, fit: { kind: "gpu" } });
  expect(recommend(models, machineOf(8)).map(({ why }) => why)[0]).toBe(
    "the largest for chat; fits into memory, small enough for 8 cores without a GPU",
  );
  // The same memory, but nobody to work through it.
  expect(recommend(models, machineOf(64, 0, { cores: 2 }))[0]).toMatchObject({
    model: { slug: "qwen3.5-0.8b" },
    why: "the largest for chat; fits into memory, small enough for 2 cores without a GPU",
  });
  const large = models.filter(({ slug }) => slug === "apertus-8b");
  expect(recommend(large, machineOf(64, 0, { cores: 2 })).map(({ why }) => why)).toEqual([
    "the largest for chat; fits into memory, but is slow without a GPU",
  ]);
  expect(recommend(models, machineOf(1))).toEqual([]);
});

test("[F2] another machine can be asked for", async () => {
  await using scene = new Scene();
  const small = await scene.run("recommend", "--ram-gb", "5", "--vram-gb", "0", "--cores", "1");
  expect(small.out).toContain("For a machine with 5.00 GB of memory, 1 core, no GPU that is known:");
  const large: unknown = JSON.parse((await scene.run("recommend", "--ram-gb", "64", "--vram-gb", "48", "--json")).out);
  expect(large).toMatchObject({ machine: { ram_bytes: 64 * GIB }, recommended: [{ slug: "mixtral-8x7b", fit: "gpu" }, {}, {}, {}, {}] });
  expect((await scene.run("recommend", "--ram-gb", "1", "--vram-gb", "0")).out).toContain("No model of the catalogue fits");
});

/** A machine made of files. */
function worldOf(files: Readonly<Record<string, string>>, rest: Partial<MachineWorld> = {}): MachineWorld & Disposable {
  const root = mkdtempSync(join(tmpdir(), "machine-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const world = { platform: "linux" as const, arch: "x64", totalBytes: 64 * GIB, cores: 8, root, run: () => null, ...rest };
  return { ...world, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

test.each<[string, Record<string, string>, number]>([
  ["none", { "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n" }, 64],
  [
    "version 2, of a group above",
    { "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": `${4 * GIB}`, "sys/fs/cgroup/a/b/memory.max": "max" },
    4,
  ],
  ["version 1", { "proc/self/cgroup": "5:cpu,memory:/c\n", "sys/fs/cgroup/memory/c/memory.limit_in_bytes": `${8 * GIB}` }, 8],
  [
    "version 1 without one",
    { "proc/self/cgroup": "5:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712" },
    64,
  ],
  ["above what is there", { "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": `${128 * GIB}` }, 64],
])("[F3] memory that a control group limits counts as that: %s", (_what, files, ramGb) => {
  using world = worldOf(files);
  expect(readMachine(world)).toMatchObject({ ramBytes: ramGb * GIB, isRamLimited: ramGb < 64 });
});

test.each<[string, Record<string, string>, number]>([
  ["none", { "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n" }, 8],
  [
    "of a group above",
    { "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "250000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000" },
    2,
  ],
  ["of less than one", { "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n" }, 1],
  ["above what is there", { "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1600000 100000\n" }, 8],
  ["unknown", {}, 8],
])("[F3] cores are those that a control group leaves: %s", (_what, files, cores) => {
  using world = worldOf(files);
  expect(readMachine(world).cores).toBe(cores);
});

test("[F3] graphics memory is that of NVIDIA's tool, of AMD's driver, and Apple's share of the memory", () => {
  const run = (command: readonly string[]) => (command[0] === "nvidia-smi" ? "NVIDIA RTX A4000, 16376\nTesla, T4, 15360\n" : null);
  using nvidia = worldOf({}, { run });
  expect(readMachine(nvidia).gpus).toEqual([
    { name: "NVIDIA RTX A4000", vramBytes: 16_376 * 1024 ** 2, isUnified: false },
    { name: "Tesla, T4", vramBytes: 15_360 * 1024 ** 2, isUnified: false },
  ]);
  using amd = worldOf({ "sys/class/drm/card1/device/mem_info_vram_total": `${16 * GIB}\n`, "sys/class/drm/card1-DP-1/status": "x" });
  expect(readMachine(amd).gpus).toEqual([{ name: "AMD GPU", vramBytes: 16 * GIB, isUnified: false }]);
  using apple = worldOf({}, { platform: "darwin", arch: "arm64" });
  expect(readMachine(apple).gpus).toEqual([{ name: "Apple GPU", vramBytes: 48 * GIB, isUnified: true }]);
});

test.each([
  ["no JSON", "{", "it begins like JSON and is not"],
  ["an unsafe address", catalogueOf(entryOf("a", "http://models.example/a", 1)), "has to begin with https://"],
  ["a file that leaves its folder", catalogueOf({ ...entryOf("a", "https://x.example/a", 1), file: "../a.llamafile" }), "has no folders"],
  ["a slug that is taken", catalogueOf(entryOf("all", "https://x.example/a", 1)), "the slug all is taken"],
  [
    "two of one slug",
    catalogueOf(entryOf("a", "https://x.example/a", 1), { ...entryOf("a", "https://x.example/a", 1), file: "b.llamafile" }),
    "two models have the same slug",
  ],
  [
    "two of one file but for its capitals",
    catalogueOf(
      { ...entryOf("a", "https://x.example/a", 1), file: "m.llamafile" },
      { ...entryOf("b", "https://x.example/b", 1), file: "M.llamafile" },
    ),
    "two models have the same file",
  ],
  ["no model", catalogueOf(), "there is no model in it"],
  ["a page", "<html>", "there is no model in it"],
])("[F19] a document with %s is no catalogue", (_what, text, message) => {
  expect(() => parseCatalogue(text, "it")).toThrow(message);
});

test("[F19] a table of tab-separated values is a catalogue too, whatever the order of its columns", () => {
  const head = "name\tslug\tsize_bytes\tsize\tlicence\tfile\turl\ttags\tsha256";
  const row = `A B\ta\t12\t12 B\tMIT\tA.llamafile\thttps://x.example/A\tchat,code\t${"a".repeat(64)}`;
  expect(parseCatalogue(`${head}\r\n${row}\r\n`, "it").models).toEqual([
    {
      slug: "a",
      name: "A B",
      file: "A.llamafile",
      url: "https://x.example/A",
      size_bytes: 12,
      sha256: "a".repeat(64),
      licence: "MIT",
      tags: ["chat", "code"],
    },
  ]);
});

test("[F19] a stored catalogue that is damaged is named with what to do", async () => {
  await using scene = new Scene();
  mkdirSync(scene.home.root, { recursive: true });
  writeFileSync(scene.home.catalogue, "half a docum");
  expect(() => readLibrary(scene.home)).toThrow("catalogue.json is damaged");
  expect(await scene.run("list")).toMatchObject({ code: 1, err: expect.stringContaining("Remove it, and it is made anew") as unknown });
});

test("[F7] addresses are https, or of this machine", () => {
  expect(["https://a.example/b", "http://127.0.0.1:1/b", "http://localhost/b", "http://[::1]:1/b"].map(isSafeUrl)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  const unsafe = ["http://a.example/b", "file:///etc/passwd", "ftp://a.example", "https://u:p@a.example/", "http://127.0.0.1.example/", ""];
  expect(unsafe.map(isSafeUrl)).toEqual(unsafe.map(() => false));
});

test("[F20] the home is where this platform keeps data, unless the environment says otherwise", () => {
  const at = (platform: NodeJS.Platform, env: Record<string, string> = {}) => defaultHome({ env, platform, userHome: "/users/u" });
  expect(at("linux")).toBe("/users/u/.local/share/modelrelay");
  expect(at("linux", { XDG_DATA_HOME: "/data" })).toBe("/data/modelrelay");
  expect(at("linux", { XDG_DATA_HOME: "data" })).toBe("/users/u/.local/share/modelrelay");
  expect(at("darwin")).toBe("/users/u/Library/Application Support/modelrelay");
  expect(at("win32", { LOCALAPPDATA: "C:\\Data" })).toBe("C:\\Data\\modelrelay");
});
