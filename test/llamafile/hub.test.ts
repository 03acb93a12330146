// `update-catalog` against a hub that answers as Hugging Face does, and against ones that do not.
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { readCatalogue, readLibrary } from "../../src/llamafile/library.ts";
import { byPath, redirects, says, startFileServer } from "./file-server.ts";
import { catalogueOf, entryOf, Scene } from "./scene.ts";

const json = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  says(200, JSON.stringify(body), { "content-type": "application/json", ...headers });
const fileIn = (path: string, size: number, oid: string) => ({
  type: "file",
  path,
  size,
  oid: "0".repeat(40),
  lfs: { oid, size, pointerSize: 134 },
});

const ORIGINAL = "Qwen3.5-0.8B-Q8_0.llamafile";

function hub() {
  return byPath({
    "/api/models?author=mozilla-ai&search=llamafile&limit=100": json(
      [{ id: "mozilla-ai/llamafile_0.10.0", tags: ["license:apache-2.0"] }],
      {
        link: '</api/models?cursor=2>; rel="next"',
      },
    ),
    "/api/models?cursor=2": json([{ id: "mozilla-ai/empty-llamafile", tags: [] }]),
    "/api/models?author=Mozilla&search=llamafile&limit=100": json([]),
    "/api/models/mozilla-ai/llamafile_0.10.0/tree/main": json([
      fileIn(ORIGINAL, 1_700_000_001, "a".repeat(64)),
      fileIn("New-Model-Embed-Q4.llamafile", 500_000_000, "b".repeat(64)),
      { type: "file", path: "README.md", size: 10 },
      { type: "directory", path: "old" },
    ]),
    "/api/models/mozilla-ai/empty-llamafile/tree/main": json([]),
  });
}

test("[F19] what the hub lists is put right and added, with exact sizes and checksums; the rest stays, imports too", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(hub());
  await scene.imports("mine");
  const { code, out, err } = await scene.run("update-catalog", "--hub", server.url);
  expect(out).toBe("new: new-model-embed-q4\nthe catalogue has 29 models now: 1 new, 1 put right\n");
  // The repositories of the other addresses are not on this hub.
  expect(err).toContain("Mozilla/gemma-3-1b-it-llamafile gave no list; its models stay as they were");
  expect(code).toBe(0);
  const models = new Map(readLibrary(scene.home).map((model) => [model.slug, model]));
  expect(models.get("qwen3.5-0.8b")).toMatchObject({
    name: "Qwen 3.5 0.8B Q8_0",
    sizeBytes: 1_700_000_001,
    sha256: "a".repeat(64),
    url: `${server.url}/mozilla-ai/llamafile_0.10.0/resolve/main/${ORIGINAL}`,
  });
  expect(models.get("new-model-embed-q4")).toMatchObject({ tags: ["embedding"], licence: "apache-2.0", sha256: "b".repeat(64) });
  expect(models.get("mine")).toMatchObject({ url: null });
  expect(models.size).toBe(30);
  // The same again changes nothing.
  expect((await scene.run("update-catalog", "--hub", server.url)).out).toContain("29 models now: 0 new, 0 put right");
}, 30_000);

test.each([
  ["no hub", says(404), "answered 404"],
  ["a hub without llamafiles", json([]), "lists no llamafiles"],
  ["something else", json({ error: "x" }), "answered as Hugging Face does not"],
  ["a page", says(200, "<html>"), "something that is no JSON"],
  ["one that leads astray", redirects("http://models.example/"), "redirects to where nothing is fetched from"],
])("[F19] %s leaves the catalogue as it is", async (_what, answer, message) => {
  await using scene = new Scene();
  await using server = await startFileServer(answer);
  const result = await scene.run("update-catalog", "--hub", server.url);
  expect(result).toMatchObject({ code: 1, out: "" });
  expect(result.err).toContain(message);
  expect(existsSync(scene.home.catalogue)).toBe(false);
});

test("[F19] a catalogue of one's own replaces the list, but not what is downloaded; a wrong one replaces nothing", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(says(200, catalogueOf(entryOf("own", "https://x.example/own", 5))));
  mkdirSync(scene.home.models, { recursive: true });
  writeFileSync(`${scene.home.models}/${ORIGINAL}`, "here");
  const done = await scene.run("update-catalog", "--url", `${server.url}/catalogue.json`);
  expect(done).toMatchObject({ code: 0, out: "the catalogue has 2 models now\n", err: "kept, as they are downloaded: qwen3.5-0.8b\n" });
  expect(readCatalogue(scene.home).models.map(({ slug }) => slug)).toEqual(["own", "qwen3.5-0.8b"]);
  server.answers = [says(200, catalogueOf(entryOf("own", "http://x.example/own", 5)))];
  expect((await scene.run("update-catalog", "--url", `${server.url}/catalogue.json`)).err).toContain(
    "is no catalogue of llamafiles: models.0.url:",
  );
  expect(readCatalogue(scene.home).models).toHaveLength(2);
  expect(await scene.run("update-catalog", "--url", "http://x.example/c.json")).toMatchObject({ code: 2 });
}, 30_000);
