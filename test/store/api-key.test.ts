// The small parts: secrets, allow-lists of models, where state is kept.
import { expect, test } from "bun:test";
import { digestOf, looksLikeKey, makeSecret } from "../../src/store/api-key.ts";
import { defaultDataDir } from "../../src/store/data-dir.ts";
import { allowsModel, matchesGlob } from "../../src/store/glob.ts";
import { parseKeyRow, toKeyRow } from "../../src/store/key-row.ts";
import { freshSeed, Random } from "../support/random.ts";
import { makeKey } from "./kinds.ts";

test("[Y1] secrets hold 256 random bits, evenly spread over letters and digits", () => {
  const secrets = Array.from({ length: 2_000 }, makeSecret);
  expect(new Set(secrets).size).toBe(secrets.length);
  expect(secrets.every(looksLikeKey)).toBe(true);
  const counts = new Map<string, number>();
  for (const char of secrets.flatMap((secret) => secret.slice(3).split(""))) counts.set(char, (counts.get(char) ?? 0) + 1);
  expect(counts.size).toBe(62);
  expect(43 * Math.log2(62)).toBeGreaterThan(256);
  // Each is expected 1387 times with a standard deviation of 37: eight of those never happen by chance.
  for (const count of counts.values()) expect(Math.abs(count - (2_000 * 43) / 62)).toBeLessThan(300);
});

test("[Y1] the digest is the SHA-256 that earlier installations stored", () => {
  expect(digestOf("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(looksLikeKey("mr_live_0123456789abcdefghijABCDEFGHIJzz")).toBe(true);
  expect(looksLikeKey("mr_live_0123456789abcdefghijABCDEFGHIJz")).toBe(false);
});

test("[Y2] a row becomes the key it was; a scope of a later version opens nothing", () => {
  const { key, digest } = makeKey({ scopes: ["worker"], models: ["a*"] });
  const row = toKeyRow({ key, digest });
  expect(parseKeyRow(row)).toEqual({ key, digest });
  expect(parseKeyRow({ ...row, scopes: '["infer","everything"]' }).key.scopes).toEqual(["infer"]);
  for (const wrong of [{ scopes: "infer" }, { digest: "" }, { created_at: "yesterday" }]) {
    expect(() => parseKeyRow({ ...row, ...wrong })).toThrow("A row of the key table cannot be read.");
  }
});

test.each([
  ["llama*", "llama3.2:3b", true],
  ["llama*", "llama", true],
  ["llama*", "codellama", false],
  ["*llama", "codellama", true],
  ["*", "", true],
  ["**", "anything", true],
  ["a*b*c", "a-b-c", true],
  ["a*b*c", "abc", true],
  ["a*b*c", "acb", false],
  ["aa*aa", "aaa", false],
  ["*b*b", "ab", false],
  ["qwen3:8b", "qwen3:8b", true],
  ["qwen3:8b", "qwen3:8b-q4", false],
  ["Llama*", "llama3", false],
  ["a.c", "abc", false],
  ["", "", true],
  ["", "a", false],
])("[Y12] the pattern %p on %p: %p", (pattern, text, isMatch) => {
  expect(matchesGlob(pattern, text)).toBe(isMatch);
});

test("[Y12] no list allows all models, an empty one none, others what any of their patterns matches", () => {
  expect([allowsModel(null, "a"), allowsModel([], "a"), allowsModel(["b", "a*"], "ab"), allowsModel(["b"], "a")]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

test("[Y12] globs agree with the same pattern as a regular expression", () => {
  const random = new Random(freshSeed("globs"));
  const word = (letters: string, length: number): string => Array.from({ length }, () => random.pick(letters.split(""))).join("");
  for (let round = 0; round < 5_000; round++) {
    const [pattern, text] = [word("ab*", random.below(8)), word("ab", random.below(10))];
    const same = new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(text);
    expect([pattern, text, matchesGlob(pattern, text)]).toEqual([pattern, text, same]);
  }
});

test("[Y12] a hostile pattern costs no more than reading it", () => {
  const startedMs = performance.now();
  for (let round = 0; round < 100; round++) expect(matchesGlob(`${"*a".repeat(128)}*b`, "a".repeat(256))).toBe(false);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
});

test.each([
  ["linux", {}, "/h/me/.local/state/modelrelay"],
  ["linux", { XDG_STATE_HOME: "/h/me/state" }, "/h/me/state/modelrelay"],
  ["linux", { XDG_STATE_HOME: "state" }, "/h/me/.local/state/modelrelay"],
  ["linux", { STATE_DIRECTORY: "/var/lib/modelrelay", XDG_STATE_HOME: "/h/me/state" }, "/var/lib/modelrelay"],
  ["linux", { STATE_DIRECTORY: "/var/lib/one:/var/lib/two" }, "/var/lib/one"],
  ["linux", { STATE_DIRECTORY: "" }, "/h/me/.local/state/modelrelay"],
  ["darwin", {}, "/h/me/Library/Application Support/modelrelay"],
  ["win32", { LOCALAPPDATA: "C:\\Users\\me\\AppData\\Local" }, "C:\\Users\\me\\AppData\\Local\\modelrelay"],
  ["win32", {}, "\\h\\me\\AppData\\Local\\modelrelay"],
] as const)("[Y3] state on %s with %j is kept in %s", (platform, env, expected) => {
  expect(defaultDataDir({ env, platform, home: "/h/me" })).toBe(expected);
});
