// Tables for terminals, and ages as people say them.
import { expect, test } from "bun:test";
import { type Column, cutLine, renderTable } from "../../src/cli/columns.ts";
import { showAge } from "../../src/cli/status/age.ts";

const COLUMNS: readonly Column[] = [
  { head: "NAME", rank: 1, maxChars: 8 },
  { head: "WHERE", rank: 3 },
  { head: "COUNT", rank: 2, isNumber: true },
];
const ROWS = [
  ["a", "here", "1"],
  ["a long name", "over there", "20"],
];

test("[O2] cells are aligned, numbers to the right, and what is too wide is cut with a sign", () => {
  expect(renderTable(COLUMNS, ROWS, 80)).toEqual([
    "NAME      WHERE       COUNT",
    "a         here            1",
    "a long …  over there     20",
  ]);
});

test("[O2] where there is no width, nothing is cut", () => {
  expect(renderTable(COLUMNS, ROWS, Infinity)[2]).toBe("a long name  over there     20");
});

test("[O2] the least important columns go first; those that stay are cut at the edge", () => {
  expect(renderTable(COLUMNS, ROWS, 26)).toEqual(["NAME      COUNT", "a             1", "a long …     20"]);
  expect(renderTable(COLUMNS, ROWS, 14)).toEqual(["NAME", "a", "a long …"]);
  expect(renderTable(COLUMNS, ROWS, 3)).toEqual(["NA…", "a", "a …"]);
});

test("[O2] wide characters count as the columns they take", () => {
  expect(cutLine("漢字かな", 8)).toBe("漢字かな");
  expect(cutLine("漢字かな", 7)).toBe("漢字か…");
  expect(Bun.stringWidth(cutLine("漢字かな", 6))).toBeLessThanOrEqual(6);
  expect(
    renderTable(
      [
        { head: "N", rank: 1 },
        { head: "X", rank: 1 },
      ],
      [
        ["漢", "x"],
        ["ab", "y"],
      ],
      20,
    ),
  ).toEqual(["N   X", "漢  x", "ab  y"]);
});

test("[O1] ages are told in the units that fit them", () => {
  expect([-5, 0, 59.9, 60, 3_599, 3_600, 11_100, 86_400, 360_000].map(showAge)).toEqual(
    "0 s, 0 s, 59 s, 1 min, 59 min, 1 h, 3 h 5 min, 1 d, 4 d 4 h".split(", "),
  );
});
