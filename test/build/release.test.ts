// The build: what it makes, for whom, and what it refuses.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TARGETS } from "../../scripts/build/targets.ts";
import { formatOf, signatureOf } from "./formats.ts";
import { BUILD_LIMIT_MS, builtRelease, COMMIT, ROOT, runBuild } from "./release.ts";

const FORMATS = {
  "modelrelay-linux-x64": { format: "ELF", machine: "x64", loader: "/lib64/ld-linux-x86-64.so.2" },
  "modelrelay-linux-arm64": { format: "ELF", machine: "arm64", loader: "/lib/ld-linux-aarch64.so.1" },
  "modelrelay-linux-x64-musl": { format: "ELF", machine: "x64", loader: "/lib/ld-musl-x86_64.so.1" },
  "modelrelay-linux-arm64-musl": { format: "ELF", machine: "arm64", loader: "/lib/ld-musl-aarch64.so.1" },
  "modelrelay-darwin-x64": { format: "Mach-O", machine: "x64" },
  "modelrelay-darwin-arm64": { format: "Mach-O", machine: "arm64" },
  "modelrelay-windows-x64.exe": { format: "PE", machine: "x64", subsystem: 3 },
  "modelrelay-windows-arm64.exe": { format: "PE", machine: "arm64", subsystem: 3 },
} as const;
const FILES = Object.keys(FORMATS);
const LIMIT_MS = 60_000;

let folder = "";
/** For what single tests build. */
const other = mkdtempSync(join(tmpdir(), "modelrelay-builds-"));

beforeAll(async () => {
  folder = await builtRelease();
}, BUILD_LIMIT_MS);

afterAll(() => rmSync(other, { recursive: true, force: true }));

function read(file: string): Buffer {
  return readFileSync(join(folder, file));
}

test("[E1] one file for each machine, and nothing else but their checksums", () => {
  expect(readdirSync(folder).sort()).toEqual([...FILES, "SHA256SUMS"].sort());
  expect(TARGETS.map((target) => target.file)).toEqual(FILES);
});

test(
  "[E1] SHA256SUMS is what sha256sum -c checks them against",
  () => {
    const sums = read("SHA256SUMS").toString();
    expect(sums).toBe(FILES.map((file) => `${new Bun.CryptoHasher("sha256").update(read(file)).digest("hex")}  ${file}\n`).join(""));
    if (Bun.which("sha256sum") === null) return;
    expect(Bun.spawnSync(["sha256sum", "-c", "--quiet", "SHA256SUMS"], { cwd: folder, stderr: "inherit" }).exitCode).toBe(0);
  },
  LIMIT_MS,
);

test.each(Object.entries(FORMATS))("[E2] %s is what its name says, by its headers", (file, format) => {
  expect<object>(formatOf(read(file))).toEqual(format);
});

test.each(["modelrelay-darwin-x64", "modelrelay-darwin-arm64"])(
  "[E2] %s has an ad-hoc signature over every page of it",
  (file) => {
    const bytes = read(file);
    expect(signatureOf(bytes)).toEqual({ isAdHoc: true, coversAll: true, wrongPages: [] });
    // A check that sees nothing would be content with this too.
    bytes[5 * 4096] = bytes[5 * 4096]! ^ 1;
    expect(signatureOf(bytes)?.wrongPages).toEqual([5]);
  },
  LIMIT_MS,
);

test(
  "[E7] the same commit gives the same bytes, and no path of the machine it was built on",
  async () => {
    const again = join(other, "again");
    const targets = ["linux-x64", "darwin-arm64"];
    const files = FILES.filter((file) => targets.some((name) => file === `modelrelay-${name}`));
    const ended = await runBuild(["--out", again, ...targets.flatMap((name) => ["--target", name])]);
    expect(ended).toEqual({ code: 0, out: files.map((file) => `${join(again, file)}\n`).join(""), err: "" });
    expect(readdirSync(again).sort()).toEqual(["SHA256SUMS", ...files].sort());
    for (const file of files) expect(readFileSync(join(again, file)).equals(read(file))).toBe(true);
    expect(FILES.filter((file) => read(file).includes(ROOT))).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "[E1] --single makes the one for this machine, under the plain name",
  async () => {
    const single = join(other, "single");
    const file = process.platform === "win32" ? "modelrelay.exe" : "modelrelay";
    expect(await runBuild(["--single", `--out=${single}`])).toEqual({ code: 0, out: `${join(single, file)}\n`, err: "" });
    expect(readdirSync(single)).toEqual([file]);
    expect(Bun.spawnSync([join(single, file), "--version"]).stdout.toString()).toContain(` (${COMMIT}, ${process.platform}-`);
  },
  LIMIT_MS,
);

test.each<[readonly string[], string]>([
  [["--target", "linux-x86"], "there is no target 'linux-x86'; did you mean linux-x64? The targets are linux-x64, linux-arm64, "],
  [["--target", "amiga"], "there is no target 'amiga'. The targets are linux-x64, linux-arm64, "],
  [["--target"], "--target needs a value"],
  [["--target", "--single"], "--target needs a value"],
  [["--out", "-x"], "--out needs a value"],
  [["--single", "--target", "linux-x64"], "--single and --target exclude each other"],
  [["--minify"], "there is no flag '--minify'"],
  [["linux-x64"], "there is no flag 'linux-x64'"],
])("[E1] %j is refused with exit code 2, and nothing is built", async (flags, message) => {
  const nowhere = join(other, "nowhere");
  const refused = await runBuild([...flags, `--out=${nowhere}`]);
  expect({ code: refused.code, out: refused.out }).toEqual({ code: 2, out: "" });
  expect(refused.err).toStartWith(message);
  expect(existsSync(nowhere)).toBe(false);
});
