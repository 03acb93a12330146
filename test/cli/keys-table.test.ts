// The table of keys: its width, its columns, and what becomes of names that would break it.
import { expect, test } from "bun:test";
import { toKey } from "../../src/admin/key-schema.ts";
import { renderKeys } from "../../src/cli/keys/table.ts";
import { splitWords } from "../../src/cli/options/words.ts";
import { REVOKE_OPTIONS } from "../../src/cli/keys/options.ts";
import { type ApiKey, plainTerms, SCOPES } from "../../src/store/api-key.ts";

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1000;

function key(facts: Partial<ApiKey>): ReturnType<typeof toKey> {
  const state = { createdAt: NOW - 86_400, lastUsedAt: null, revokedAt: null };
  return toKey({ ...plainTerms("my-app"), id: "0192f3c4-8a10-4c2e-9a53-3f3d8e6f7a01", prefix: "mr-4fK9aQz", ...state, ...facts });
}

test("[A13] the table is aligned and as wide as the terminal at most, whatever the names are", () => {
  const names = ["x".repeat(128), "鍵".repeat(60), "🗝️".repeat(60), "short", "a\u001b[2Jb\nc\u202ed", "مفتاح"];
  const keys = names.map((name, index) =>
    key({ name, id: `${index}192f3c4-8a10-4c2e-9a53-3f3d8e6f7a01`, scopes: SCOPES, expiresAt: NOW + 10, lastUsedAt: NOW }),
  );
  const lines = renderKeys(keys, keys, NOW_MS, 100);
  const end = Bun.stringWidth(lines[0]!.slice(0, lines[0]!.indexOf("PREFIX")));
  for (const line of lines) {
    expect(Bun.stringWidth(line)).toBeLessThanOrEqual(100);
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    expect(line).not.toMatch(/[\u0000-\u001f\u202e]/);
  }
  for (const line of lines.slice(1)) expect(Bun.stringWidth(line.slice(0, line.indexOf("mr-4fK9aQz")))).toBe(end);
  expect(lines[1]).toMatch(/ x+… +mr-/);
});

test("[A13] on a narrow terminal whole columns go; a pipe has all of everything", () => {
  const long = key({ name: "n".repeat(128), scopes: SCOPES, lastUsedAt: NOW });
  const narrow = renderKeys([long], [long], NOW_MS, 60);
  expect(narrow[0]).toMatch(/^ID +NAME +EXPIRES +STATE$/);
  expect(narrow.filter((line) => Bun.stringWidth(line) > 60)).toEqual([]);
  const whole = renderKeys([long], [long], NOW_MS, Infinity);
  expect(whole[0]).toMatch(/^ID +NAME +PREFIX +SCOPES +CREATED +LAST USED +EXPIRES +STATE$/);
  expect(whole[1]).toContain(` ${"n".repeat(128)}  mr-4fK9aQz  `);
});

test("[A13] an end that is near is told with its time in UTC, or in minutes", () => {
  const [minute, hour, day] = [60, 3_600, 86_400];
  const ends = [null, 30, 5 * minute + 1, hour - 1, hour, 2 * day - 1, 2 * day, -minute, -2 * day];
  const keys = ends.map((secs) => key({ expiresAt: secs === null ? null : NOW + secs }));
  const [head = "", ...lines] = renderKeys(keys, keys, NOW_MS, Infinity);
  const shown = lines.map((line) => line.slice(head.indexOf("EXPIRES"), head.indexOf("STATE")).trim());
  const near = ["in 1 min", "in 5 min", "in 60 min", "2027-01-15 09:00 UTC", "2027-01-17 07:59 UTC"];
  expect(shown).toEqual(["never", ...near, "2027-01-17", "2027-01-15 07:59 UTC", "2027-01-13"]);
});

test("[A13] a key is active, expired or revoked", () => {
  const states = [key({}), key({ expiresAt: NOW }), key({ expiresAt: NOW + 1 }), key({ expiresAt: NOW - 1, revokedAt: NOW })];
  const lines = renderKeys(states, states, NOW_MS, Infinity).slice(1);
  expect(lines.map((line) => line.split(/ +/).at(-1))).toEqual(["active", "expired", "active", "revoked"]);
});

test("[A13] ids are shown as far as they are unique among all keys, shown or not", () => {
  const [one, two] = [key({ id: "aaaaaaaa-aaaa-1" }), key({ id: "aaaaaaaa-aaaa-2" })];
  expect(renderKeys([one], [one, two], NOW_MS, 100)[1]).toStartWith("aaaaaaaa-aaaa-1  my-app");
  expect(renderKeys([one], [one], NOW_MS, 100)[1]).toStartWith("aaaaaaaa  my-app");
});

test.each<[readonly string[], readonly string[], readonly string[]]>([
  [["a", "b"], ["a", "b"], []],
  [["--url", "u", "a"], ["a"], ["--url", "u"]],
  [["a", "--url=u", "b"], ["a", "b"], ["--url=u"]],
  [["--json", "a"], ["a"], ["--json"]],
  [["--json", "false", "a"], ["a"], ["--json", "false"]],
  [["--jsn", "a"], ["a"], ["--jsn"]],
  [["a", "--url"], ["a"], ["--url"]],
])("[A14] words among flags: %p", (args, words, flags) => {
  expect(splitWords(REVOKE_OPTIONS, args)).toEqual({ words, flags, passed: null });
});
