// Hubs, catalogues and file servers that mean no good, and disks that fill up at the wrong moment.
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { downloadModel } from "../../src/llamafile/download.ts";
import { readCatalogue } from "../../src/llamafile/library.ts";
import { receive } from "../../src/llamafile/receive.ts";
import { TerminalCli } from "../cli/terminal-cli.ts";
import { until } from "../support/until.ts";
import { byPath, fileOf, says, sha256, startFileServer } from "./file-server.ts";
import { catalogueOf, entryOf, Scene } from "./scene.ts";

const json = (body: unknown) => says(200, JSON.stringify(body));

/** A hub with one repository of these files. */
function hubOf(files: readonly object[], tags: readonly string[] = []) {
  return byPath({
    "/api/models?author=mozilla-ai&search=llamafile&limit=100": json([{ id: "mozilla-ai/x", tags }]),
    "/api/models?author=Mozilla&search=llamafile&limit=100": json([]),
    "/api/models/mozilla-ai/x/tree/main": json(files),
  });
}

const file = (path: string, size: number) => ({ type: "file", path, size });

test("[F19] sizes that are none and licences without end spoil nothing of what else the hub lists", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(
    hubOf([file("half.llamafile", 1.5), file("huge.llamafile", 1e300), file("good.llamafile", 5)], [`license:${"x".repeat(500)}`]),
  );
  const { code, out, err } = await scene.run("update-catalog", "--hub", server.url);
  expect({ code, isInternal: err.includes("internal error") }).toEqual({ code: 0, isInternal: false });
  expect(out).toContain("new: good\n");
  expect(readCatalogue(scene.home).models.find(({ slug }) => slug === "good")?.licence).toBe("x".repeat(200));
});

test("[F19] more models than anybody publishes are refused, and soon", async () => {
  await using scene = new Scene();
  const files = Array.from({ length: 30_000 }, (_, at) => file(`a${at}.llamafile`, 5));
  await using server = await startFileServer(hubOf(files));
  const fromHub = await scene.run("update-catalog", "--hub", server.url);
  expect(fromHub).toMatchObject({ code: 1, out: "" });
  expect(fromHub.err).toContain("more than 2000 llamafiles");
  server.answers = [says(200, `slug\tname\n${"x\ty\n".repeat(100_000)}`)];
  expect((await scene.run("update-catalog", "--url", `${server.url}/c.tsv`)).err).toContain("more than 2000 lines");
  expect(existsSync(scene.home.catalogue)).toBe(false);
});

test("[F19] what was stored can be read again, whatever signs its names are made of", async () => {
  await using scene = new Scene();
  const entry = { ...entryOf("odd", "https://x.example/odd", 5), name: "\u001b".repeat(200), licence: "\u202e".repeat(200) };
  await using server = await startFileServer(says(200, catalogueOf(entry)));
  expect((await scene.run("update-catalog", "--url", `${server.url}/c.json`)).code).toBe(0);
  const { code, out } = await scene.run("list");
  expect(code).toBe(0);
  expect(out).toContain("\\u001b");
});

const ENDLESS = (_request: unknown, response: import("node:http").ServerResponse): void => {
  const bytes = Buffer.alloc(65_536);
  const pour = (): void => {
    while (!response.destroyed && response.write(bytes));
    if (!response.destroyed) response.once("drain", pour);
  };
  pour();
};

test("[F7] a server that says no size and does not stop is left once it is more than the catalogue's checksum is of", async () => {
  await using scene = new Scene();
  await using server = await startFileServer(ENDLESS);
  const size = 1_000_000;
  const model = { slug: "m", name: "m", file: "m.llamafile", sizeBytes: size, licence: "MIT", tags: [], url: `${server.url}/m` };
  let most = 0;
  const observer = { onBytes: (done: number) => void (most = Math.max(most, done)), onNews: () => {} };
  // Without an end of its own the disk of whoever runs the tests would be its end.
  const signal = AbortSignal.timeout(5_000);
  const world = { home: scene.home, clock: systemClock, observer, signal, stallMs: 2_000, triesMax: 1, backoffMs: 1 };
  const got = await downloadModel({ ...model, sha256: sha256(fileOf(size)) }, world).catch(String);
  expect(got).toContain(`where ${size} were announced; it is removed`);
  expect(most).toBeLessThan(size + 4 * 1024 ** 2);
});

test("[F7] where no size is known, room is looked at again and again, and the download ends before the disk is full", async () => {
  const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new Uint8Array(1024 ** 2)) });
  const written: number[] = [];
  const writer = { write: (bytes: Uint8Array) => void written.push(bytes.length), flush: () => {}, [Symbol.dispose]: () => {} };
  const transfer = {
    response: new Response(body),
    startsAt: 0,
    expected: { sizeBytes: null, sha256: null },
    open: () => writer,
    isComplete: false,
  };
  const asked: number[] = [];
  const checkRoom = async (bytes: number): Promise<void> => {
    asked.push(bytes);
    await Promise.resolve();
    if (asked.length === 3) throw new Error("no room");
  };
  const stall = { signal: new AbortController().signal, beat: () => {}, rest: () => {} };
  const signal = AbortSignal.timeout(5_000);
  const receiving = { stall, onBytes: () => {}, signal, checkedBytes: 0, checkRoom };
  expect(await receive(transfer, new Bun.CryptoHasher("sha256"), receiving).catch(String)).toContain("no room");
  expect(asked).toHaveLength(3);
  // Never more than was found to have room.
  expect(written.length * 1024 ** 2).toBeLessThanOrEqual(asked.slice(0, 2).reduce((sum, bytes) => sum + bytes, 0));
});

test("[F20] a disk that fills up in the middle of a setting leaves the file as it was", async () => {
  await using scene = new Scene();
  await scene.run("config", "set", "gpu-layers", "7");
  const before = readFileSync(scene.home.settings, "utf8");
  // A limit on the size of files cuts a write short as a disk with little room does.
  const main = join(import.meta.dir, "../../src/main.ts");
  const line = `trap '' XFSZ; ulimit -f 8; exec "${process.execPath}" "${main}" llamafile config set default-args -- --x ${"a".repeat(20_000)}`;
  const child = Bun.spawn(["sh", "-c", line], {
    env: { PATH: process.env["PATH"] ?? "", HOME: scene.folder, MODELRELAY_HOME: scene.home.root },
    stdout: "ignore",
    stderr: "pipe",
  });
  const [err, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect(err).toContain("config.toml cannot be written (EFBIG)");
  expect({ code, text: readFileSync(scene.home.settings, "utf8") }).toEqual({ code: 1, text: before });
});

test("[F20] every sign of an argument that is kept is read again", async () => {
  await using scene = new Scene();
  const odd = 'a\u007fb\t"\\\u0001';
  expect((await scene.run("config", "set", "default-args", "--", odd)).code).toBe(0);
  expect((await scene.run("config", "get", "default-args")).out).toBe(`${odd}\n`);
});

test("[F17] what a model writes to its log does not steer the terminal it is shown on, and goes into a pipe as it is", async () => {
  await using scene = new Scene();
  await scene.imports("loud");
  mkdirSync(scene.home.logs, { recursive: true });
  writeFileSync(join(scene.home.logs, "loud.log"), "\u001b]0;title\u0007a\tb\r\nend\n");
  expect((await scene.run("logs", "loud")).out).toBe("\u001b]0;title\u0007a\tb\r\nend\n");
  await using terminal = new TerminalCli(
    ["llamafile", "logs", "loud"],
    { cols: 80, rows: 24 },
    { MODELRELAY_HOME: scene.home.root, HOME: scene.folder },
  );
  await until(() => terminal.written.includes("end"), "the log is shown");
  expect(terminal.written).toContain("\\u001b]0;title\\u0007a");
  expect(terminal.written).not.toContain("\u001b]");
}, 20_000);
