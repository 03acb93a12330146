// `llamafile import` beside other models: nothing of theirs is lost, and a file of the catalogue's becomes the model that it is.
import { expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { importModel } from "../../src/llamafile/import-model.ts";
import { readLibrary } from "../../src/llamafile/library.ts";
import { tryLock } from "../../src/llamafile/lock.ts";
import { fileOf, sha256 } from "./file-server.ts";
import { catalogueOf, entryOf, Scene } from "./scene.ts";
import { SmallDisk } from "./small-disk.ts";

const SIZE = 100_000;
const FILE = fileOf(SIZE);

/** A scene whose catalogue has one model: slug `listed`, file `Listed-v1.llamafile`. */
function sceneWith(facts: { readonly sha256?: string } = {}): Scene {
  const scene = new Scene();
  mkdirSync(scene.home.models, { recursive: true });
  const entry = { ...entryOf("listed", "https://x.example/Listed-v1.llamafile", SIZE, facts.sha256), file: "Listed-v1.llamafile" };
  writeFileSync(scene.home.catalogue, catalogueOf(entry));
  return scene;
}

/** A file outside of the models directory. */
function put(scene: Scene, name: string, bytes: Uint8Array = FILE): string {
  const path = join(scene.folder, name);
  writeFileSync(path, bytes);
  return path;
}

const modelFile = (scene: Scene, name: string): string => join(scene.home.models, name);

test("[F18] what lies in the models directory already is left as it is", async () => {
  await using scene = sceneWith();
  for (const name of ["stray.llamafile", "Listed-v1.llamafile", "other.llamafile.part"]) {
    writeFileSync(modelFile(scene, name), FILE);
    for (const flags of [[], ["--copy"], ["--slug", "stray"]]) {
      const { code, err } = await scene.run("import", modelFile(scene, name), ...flags);
      expect(err).toMatch(name.startsWith("Listed") ? /is the file of listed already/ : /lies where the models of this home are kept/);
      expect(code).toBe(1);
      expect(lstatSync(modelFile(scene, name)).isFile()).toBe(true);
      expect(readFileSync(modelFile(scene, name)).equals(FILE)).toBe(true);
    }
  }
  expect(existsSync(scene.home.imports)).toBe(false);
}, 20_000);

test.each([
  ["its checksum", { sha256: sha256(FILE) }, "Listed-v1.llamafile", "checksum right"],
  ["its name and size", {}, "listed-V1.llamafile", "without a checksum to compare"],
  ["a name that a browser has numbered", {}, "Listed-v1 (1).llamafile", "without a checksum to compare"],
])(
  "[F18] a file that is a catalogue's model by %s becomes that model, and rm takes it away again",
  async (_how, facts, name, words) => {
    await using scene = sceneWith(facts);
    const path = put(scene, name);
    writeFileSync(modelFile(scene, "Listed-v1.llamafile.part"), "half of it");
    const { code, out } = await scene.run("import", path);
    expect(out).toStartWith("listed: linked, ");
    expect(out).toContain(words);
    expect(code).toBe(0);
    expect(readdirSync(scene.home.models)).toEqual(["Listed-v1.llamafile"]);
    expect((await scene.run("list")).out).toMatch(/^listed .*downloaded$/m);
    expect((await scene.run("download", "listed")).err).toContain("is here already");
    expect((await scene.run("import", path, "--copy")).err).toContain("listed is here already: 'modelrelay llamafile rm listed' first");
    expect((await scene.run("rm", "listed", "--yes")).code).toBe(0);
    expect(readdirSync(scene.home.models)).toEqual([]);
    expect(readFileSync(path).equals(FILE)).toBe(true);
  },
  20_000,
);

test("[F18] what only has the name of a catalogue's file does not become its model, but may have a name of its own", async () => {
  await using scene = sceneWith({ sha256: sha256(FILE) });
  const path = put(scene, "Listed-v1.llamafile", fileOf(SIZE, 2));
  expect(await scene.run("import", path)).toMatchObject({ code: 1, err: expect.stringContaining("has another checksum") as unknown });
  expect((await scene.run("import", path, "--slug", "listed-v1")).err).toContain(
    "the file of listed is called Listed-v1.llamafile already",
  );
  expect(await scene.run("import", path, "--slug", "mine", "--copy")).toMatchObject({ code: 0 });
  expect(readFileSync(modelFile(scene, "mine.llamafile")).equals(fileOf(SIZE, 2))).toBe(true);
  await using unchecked = sceneWith();
  const half = put(unchecked, "Listed-v1.llamafile", FILE.subarray(0, SIZE / 2));
  expect((await unchecked.run("import", half)).err).toContain("it is not all of it, or another one; --slug takes it in");
  expect(readdirSync(unchecked.home.models)).toEqual([]);
}, 20_000);

test("[F18] an import never takes the file of a model that is downloaded, whatever the capitals", async () => {
  await using scene = sceneWith();
  writeFileSync(modelFile(scene, "Listed-v1.llamafile"), FILE);
  const path = put(scene, "listed-v1.llamafile", fileOf(SIZE, 2));
  for (const args of [[path], [path, "--copy"], [path, "--slug", "listed-v1", "--copy"]]) {
    expect((await scene.run("import", ...args)).code).toBe(1);
  }
  expect(readFileSync(modelFile(scene, "Listed-v1.llamafile")).equals(FILE)).toBe(true);
  expect(readdirSync(scene.home.models)).toEqual(["Listed-v1.llamafile"]);
}, 20_000);

test("[F18] a catalogue that comes later does not take the file of an import", async () => {
  await using scene = new Scene();
  await scene.imports("late");
  const entry = { ...entryOf("newcomer", "https://x.example/late", SIZE), file: "Late.llamafile" };
  writeFileSync(scene.home.catalogue, catalogueOf(entry, entryOf("other", "https://x.example/other", SIZE)));
  expect(readLibrary(scene.home).map(({ slug }) => slug)).toEqual(["late", "other"]);
});

test("[F18] an import waits for nobody who downloads the same file at the moment", async () => {
  await using scene = sceneWith();
  const path = put(scene, "Listed-v1.llamafile");
  using _ = tryLock(scene.home, "download-Listed-v1.llamafile");
  expect((await scene.run("import", path)).err).toContain("another modelrelay is busy with Listed-v1.llamafile at this moment");
  expect(readdirSync(scene.home.models)).toEqual([]);
});

test("[F18] two imports under one slug at once make one model", async () => {
  await using scene = new Scene();
  const paths = [scene.standIn("one"), scene.standIn("two")];
  const imports = await Promise.all(paths.map((path) => scene.run("import", path, "--slug", "same", "--copy")));
  expect(imports.map(({ code }) => code).toSorted((a, b) => a - b)).toEqual([0, 1]);
  expect(imports.find(({ code }) => code === 1)?.err).toMatch(/there is a model same already|busy with same.llamafile/);
  expect(readLibrary(scene.home).filter(({ slug }) => slug === "same")).toHaveLength(1);
});

test.each([
  ["copied", {}, true],
  ["compared", { sha256: sha256(FILE) }, false],
])("[F18] a stop signal while a file is %s leaves nothing of it", async (_what, facts, isCopy) => {
  await using scene = sceneWith(facts);
  const stopping = new AbortController();
  const wish = { path: put(scene, "Listed-v1.llamafile"), slug: null, isCopy, signal: stopping.signal };
  const importing = importModel(scene.home, wish).catch((error: unknown) => error);
  const reason = new Error("stopped");
  stopping.abort(reason);
  expect(await importing).toBe(reason);
  expect(readdirSync(scene.home.models)).toEqual([]);
  expect(await importModel(scene.home, { ...wish, signal: new AbortController().signal })).toMatchObject({ slug: "listed" });
});

test.skipIf(!SmallDisk.isPossible)("[F18] a file that may not be changed is linked to as it is", async () => {
  await using scene = new Scene();
  using disk = new SmallDisk();
  const path = join(disk.path, "fixed.llamafile");
  writeFileSync(path, readFileSync(scene.standIn("fixed")), { mode: 0o444 });
  disk.makeReadOnly();
  const { code, out } = await scene.run("import", path);
  expect(out).toStartWith("fixed: linked");
  expect(code).toBe(0);
});
