// Downloads from servers that behave and from servers that do not.
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { type Downloaded, downloadModel } from "../../src/llamafile/download.ts";
import { checkRoom, freeBytes } from "../../src/llamafile/disk.ts";
import { mayRedirect } from "../../src/llamafile/safe-url.ts";
import { TerminalCli } from "../cli/terminal-cli.ts";
import { makeCertificates } from "../security/certificates.ts";
import { failureOf, until } from "../support/until.ts";
import { fileOf, redirects, says, serves, sha256, startFileServer, type FileServer } from "./file-server.ts";
import { catalogueOf, entryOf, Scene } from "./scene.ts";

const SIZE = 300_000;
const FILE = fileOf(SIZE);
const CHECKSUM = sha256(FILE);

interface Wish {
  readonly sha256?: string;
  readonly isForced?: boolean;
  readonly tries?: number;
  readonly path?: string;
}

/** Downloads `m` from the server into the scene; what was told is in `news`. */
async function download(scene: Scene, server: FileServer, wish: Wish = {}, news: string[] = []): Promise<Downloaded> {
  const facts = { slug: "m", name: "m", file: "m.llamafile", sizeBytes: SIZE, licence: "MIT", tags: [] };
  const model = { ...facts, url: `${server.url}${wish.path ?? "/m"}`, sha256: wish.sha256 ?? null };
  const observer = { onBytes: () => {}, onNews: (text: string) => void news.push(text) };
  const world = { home: scene.home, clock: systemClock, observer, signal: new AbortController().signal };
  return await downloadModel(model, { ...world, stallMs: 400, triesMax: wish.tries ?? 4, backoffMs: 1 }, wish.isForced);
}

const target = (scene: Scene): string => join(scene.home.models, "m.llamafile");
const part = (scene: Scene): string => `${target(scene)}.part`;

const partSize = (scene: Scene): number => statSync(part(scene), { throwIfNoEntry: false })?.size ?? 0;

/** Serves so many bytes and breaks the connection once some of them are on the disk. */
function breaksAt(scene: Scene, bytes: number) {
  const whenThere = () => {
    const before = partSize(scene);
    return () => partSize(scene) > before;
  };
  return serves(FILE, { breaksAfter: bytes, whenThere });
}

test("[F4] a download becomes the file when it is whole and its checksum is right: runnable, and nothing else is left", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE));
  const done = await download(scene, server, { sha256: CHECKSUM });
  expect(done).toEqual({ path: target(scene), sizeBytes: SIZE, isFresh: true, isChecked: true });
  expect(readFileSync(target(scene)).equals(FILE)).toBe(true);
  expect(statSync(target(scene)).mode & 0o100).toBe(0o100);
  expect(existsSync(part(scene)) || existsSync(`${part(scene)}.json`)).toBe(false);
  expect(await download(scene, server)).toMatchObject({ isFresh: false });
  expect(server.asked).toHaveLength(1);
  expect(await download(scene, server, { isForced: true })).toMatchObject({ isFresh: true, isChecked: false });
});

test("[F4] the checksum that the host tells with its redirect counts where the catalogue has none", async () => {
  await using scene = new Scene();
  const linked = { "x-linked-etag": `"${CHECKSUM}"`, "x-linked-size": String(SIZE) };
  await using server = await startFileServer(redirects("/cdn", linked), serves(FILE));
  expect(await download(scene, server)).toMatchObject({ isChecked: true });
  expect(server.asked.map(({ path }) => path)).toEqual(["/m", "/cdn"]);
});

test("[F5] a connection that breaks is gone on with from the byte it broke at, if the file is still the same", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(breaksAt(scene, 100_000), breaksAt(scene, 50_000), serves(FILE));
  const news: string[] = [];
  await download(scene, server, { sha256: CHECKSUM }, news);
  expect(readFileSync(target(scene)).equals(FILE)).toBe(true);
  const [first, second, third] = server.asked;
  expect(first).toMatchObject({ range: null, ifRange: null });
  const from = Number(/^bytes=(\d+)-$/.exec(second?.range ?? "")?.[1]);
  expect(from).toBeGreaterThan(0);
  expect(from).toBeLessThanOrEqual(100_000);
  expect(second?.ifRange).toBe(`"${CHECKSUM.slice(0, 16)}"`);
  expect(Number(/^bytes=(\d+)-$/.exec(third?.range ?? "")?.[1])).toBeGreaterThan(from);
  expect(news.filter((text) => text.startsWith("going on after"))).toHaveLength(2);
});

test.each([
  ["another file by its ETag", serves(fileOf(SIZE, 2)), sha256(fileOf(SIZE, 2))],
  ["a server without ranges", serves(FILE, { ignoresRange: true }), CHECKSUM],
  ["a shorter file than what is here", serves(fileOf(20_000, 3), { isLinked: true }), sha256(fileOf(20_000, 3))],
])("[F5] %s: begins anew, and mixes nothing", async (_what, second, digest) => {
  await using scene = new Scene();
  await using server = await startFileServer(breaksAt(scene, 100_000), second);
  await download(scene, server, { sha256: digest });
  expect(sha256(readFileSync(target(scene)))).toBe(digest);
});

test("[F5] a server that answers a range with another one is not believed", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(
    breaksAt(scene, 100_000),
    says(206, "x".repeat(10), { "content-range": `bytes 5-14/${SIZE}` }),
    serves(FILE),
  );
  await download(scene, server, { sha256: CHECKSUM });
  expect(server.asked[2]).toMatchObject({ range: null });
});

test("[F5] a part that is whole already needs no byte more", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE));
  mkdirSync(scene.home.models, { recursive: true });
  writeFileSync(part(scene), FILE);
  writeFileSync(`${part(scene)}.json`, JSON.stringify({ url: `${server.url}/m`, etag: `"${CHECKSUM.slice(0, 16)}"`, sha256: null }));
  expect(await download(scene, server, { sha256: CHECKSUM })).toMatchObject({ isChecked: true });
  expect(server.asked).toHaveLength(1);
  expect(server.asked[0]).toMatchObject({ range: `bytes=${SIZE}-` });
});

test("[F5] bytes of which nothing is known are not gone on with", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE));
  mkdirSync(scene.home.models, { recursive: true });
  writeFileSync(part(scene), "something else");
  await download(scene, server, { sha256: CHECKSUM });
  expect(server.asked[0]).toMatchObject({ range: null });
});

test("[F6] what may pass is tried again, so many times in a row and no more; what came is kept", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(says(503), says(429), says(500), serves(FILE));
  await download(scene, server, { sha256: CHECKSUM });
  expect(server.asked).toHaveLength(4);

  server.answers = [breaksAt(scene, 100_000), says(502)];
  const failure = await failureOf(download(scene, server, { isForced: true, tries: 3 }));
  expect(String(failure)).toContain("answered 502; given up after 3 tries");
  expect(String(failure)).toContain("'modelrelay llamafile download m' goes on from there");
  expect(server.asked).toHaveLength(4 + 3);
  expect(statSync(part(scene)).size).toBeGreaterThan(0);
});

test("[F6] silence counts as a failure, and the next try goes on", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE, { fallsSilentAfter: 100_000 }), () => {}, serves(FILE));
  const news: string[] = [];
  await download(scene, server, { sha256: CHECKSUM }, news);
  expect(news.filter((text) => text.includes("has sent nothing for"))).toHaveLength(2);
  expect(server.asked[2]?.range).toMatch(/^bytes=[1-9]/);
});

test("[F6] a server that nobody finds is told as that", async () => {
  await using scene = new Scene();
  const server = await startFileServer(serves(FILE));
  await server[Symbol.asyncDispose]();
  expect(String(await failureOf(download(scene, server, { tries: 2 })))).toContain("cannot be reached");
});

test.each([
  [404, "is not there (404); 'modelrelay llamafile update-catalog'"],
  [403, "does not give the file to just anybody (403)"],
  [418, "answered 418"],
])("[F7] %d is final", async (status, message) => {
  await using scene = new Scene();
  await using server = await startFileServer(says(status));
  expect(String(await failureOf(download(scene, server)))).toContain(message);
  expect(server.asked).toHaveLength(1);
});

test("[F7] a redirect out of https, onto this machine or in circles is not followed", async () => {
  const https = new URL("https://models.example/m");
  expect(mayRedirect(https, new URL("https://cdn.example/m"))).toBe(true);
  expect(mayRedirect(https, new URL("http://cdn.example/m"))).toBe(false);
  expect(mayRedirect(https, new URL("http://127.0.0.1:8000/m"))).toBe(false);
  expect(mayRedirect(new URL("http://127.0.0.1:8000/m"), new URL("http://127.0.0.1:9000/m"))).toBe(true);

  await using scene = new Scene();
  await using server = await startFileServer(redirects("http://models.example/m"));
  expect(String(await failureOf(download(scene, server)))).toContain("a download may not leave https");
  server.answers = [redirects("/m")];
  expect(String(await failureOf(download(scene, server)))).toContain("more than 8 redirects");
  server.answers = [says(302)];
  expect(String(await failureOf(download(scene, server)))).toContain("without saying where the file is");
});

test("[F7] a disk without room for what is to come is seen before a byte comes", async () => {
  await using scene = new Scene();
  const free = await freeBytes(scene.folder);
  await checkRoom(scene.folder, 1_000);
  expect(String(await failureOf(checkRoom(scene.folder, free)))).toContain("are still to come and the disk of");
  await using server = await startFileServer(serves(FILE, { isLinked: true, linkedSize: free * 2 }));
  expect(String(await failureOf(download(scene, server)))).toContain("make room, or give another place with --home");
  expect(existsSync(part(scene))).toBe(false);
});

test("[F8] what has another checksum or size than was said never becomes a model, and is removed", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE));
  const wrong = await failureOf(download(scene, server, { sha256: "0".repeat(64) }));
  expect(String(wrong)).toContain(`has the checksum ${CHECKSUM} where ${"0".repeat(64)} was expected; it is removed`);
  expect(existsSync(target(scene)) || existsSync(part(scene))).toBe(false);

  server.answers = [serves(FILE, { isLinked: true, linkedSize: SIZE - 1_000 })];
  expect(String(await failureOf(download(scene, server)))).toContain(`where ${SIZE - 1_000} were announced; it is removed`);
  expect(existsSync(target(scene)) || existsSync(part(scene))).toBe(false);

  server.answers = [serves(FILE, { isLinked: true, linkedSize: SIZE + 1_000 })];
  expect(String(await failureOf(download(scene, server, { tries: 3 })))).toContain("given up after 3 tries");
  expect(existsSync(target(scene))).toBe(false);
});

test("[F9] one file is downloaded by one program at a time, and Ctrl+C keeps what is here for the next time", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE, { fallsSilentAfter: 100_000 }));
  mkdirSync(scene.home.root, { recursive: true });
  writeFileSync(scene.home.catalogue, catalogueOf(entryOf("m", `${server.url}/m`, SIZE, CHECKSUM)));
  await using first = scene.start("download", "m");
  await until(() => existsSync(part(scene)) && statSync(part(scene)).size > 0, "bytes came");
  const second = await scene.run("download", "m");
  expect(second).toMatchObject({ code: 1 });
  expect(second.err).toContain("another modelrelay is downloading m at this moment");

  first.signal("SIGINT");
  expect(await first.exit()).toBe(130);
  expect(first.err).toContain("What is here is kept; 'modelrelay llamafile download m' goes on");
  server.answers = [serves(FILE)];
  const third = await scene.run("download", "m");
  expect(third).toMatchObject({ code: 0, out: `${target(scene)}\n` });
  expect(third.err).toContain("m: going on after");
  expect(third.err).toContain("m: downloaded, 293 kB, checksum right");
  expect(server.asked.at(-1)?.range).toMatch(/^bytes=[1-9]/);
  expect((await scene.run("download", "m")).err).toContain("m: is here already");
}, 40_000);

test("[F9] a download that is told to stop ends with the exit code of that signal", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE, { fallsSilentAfter: 100_000 }));
  mkdirSync(scene.home.root, { recursive: true });
  writeFileSync(scene.home.catalogue, catalogueOf(entryOf("m", `${server.url}/m`, SIZE, CHECKSUM)));
  for (const words of [
    ["download", "m"],
    ["run", "m"],
  ]) {
    await using loading = scene.start(...words);
    await until(() => existsSync(part(scene)) && statSync(part(scene)).size > 0, "bytes came");
    // With the lines of a pipe, the first byte of this try may not be there yet.
    await loading.sees(/m: /);
    loading.signal("SIGTERM");
    expect(await loading.exit()).toBe(143);
  }
}, 40_000);

test("[F9] a download that was killed is gone on with too", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE, { fallsSilentAfter: 100_000 }));
  mkdirSync(scene.home.root, { recursive: true });
  writeFileSync(scene.home.catalogue, catalogueOf(entryOf("m", `${server.url}/m`, SIZE, CHECKSUM)));
  await using first = scene.start("download", "m");
  await until(() => existsSync(part(scene)) && statSync(part(scene)).size > 0, "bytes came");
  first.signal("SIGKILL");
  await first.exit();
  server.answers = [serves(FILE)];
  expect(await scene.run("download", "m")).toMatchObject({ code: 0 });
  expect(server.asked.at(-1)?.range).toMatch(/^bytes=[1-9]/);
}, 40_000);

test("[F4] a terminal shows how far it is, how fast and how long it will take, until it is over", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE, { fallsSilentAfter: 150_000 }));
  mkdirSync(scene.home.root, { recursive: true });
  writeFileSync(scene.home.catalogue, catalogueOf(entryOf("m", `${server.url}/m`, SIZE, CHECKSUM)));
  const env = { HOME: scene.folder, MODELRELAY_HOME: scene.home.root };
  await using loading = new TerminalCli(["llamafile", "download", "m"], { cols: 90, rows: 10 }, env);
  await until(() => /m \[=+>? *\] +\d+% +1\d\d kB\/293 kB/.test(loading.written), "half of it is shown", 10_000);
  server.answers = [serves(FILE)];
  loading.type("\u0003");
  expect(await loading.exit()).toBe(130);
  expect(loading.written).toContain("m: stopped. What is here is kept");
}, 40_000);

test.each([
  ["nobody here vouches for", {}, "NODE_EXTRA_CA_CERTS=PATH names one that vouches for it"],
  ["is for another host", { altNames: "DNS:elsewhere.example" }, "whoever answers there is somebody else"],
  ["has run out", { days: -1 }, "put the clock of this machine right"],
])(
  "[F7] a certificate that %s is final, of a download and of a catalogue, and is told with what to do",
  async (_what, terms, advice) => {
    await using scene = new Scene();
    using certificates = makeCertificates();
    const { certFile, keyFile } = certificates.issue("files", terms);
    const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: () => new Response("") });
    // Who is trusted is settled when a process starts.
    if ("altNames" in terms || "days" in terms) scene.env = { NODE_EXTRA_CA_CERTS: certificates.caFile };
    try {
      const url = `https://localhost:${server.port}`;
      mkdirSync(scene.home.root, { recursive: true });
      writeFileSync(scene.home.catalogue, catalogueOf(entryOf("m", `${url}/m`, SIZE)));
      for (const words of [
        ["download", "m", "--retry-delay", "0"],
        ["update-catalog", "--url", `${url}/c.json`],
      ]) {
        const { code, err } = await scene.run(...words);
        expect(err).toMatch(/^modelrelay: the certificate of localhost:\d+ is not trusted \([A-Z_]+\); /);
        expect(err).toContain(advice);
        expect(code).toBe(1);
      }
    } finally {
      await server.stop(true);
    }
  },
  20_000,
);

test("[F6] a proxy that is set for others is not asked for what is on this machine", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(serves(FILE));
  scene.env = { HTTP_PROXY: "http://127.0.0.1:1", http_proxy: "http://127.0.0.1:1" };
  mkdirSync(scene.home.root, { recursive: true });
  writeFileSync(scene.home.catalogue, catalogueOf(entryOf("m", `${server.url}/m`, SIZE, CHECKSUM)));
  expect(await scene.run("download", "m", "--tries", "1")).toMatchObject({ code: 0 });
  await scene.imports("mine");
  expect(await scene.run("run", "mine", "--load-timeout", "10")).toMatchObject({ code: 0 });
  expect((await scene.run("test", "mine")).out).toContain("answered");
}, 60_000);
