// docs/errors.md has one heading for each refusal of the catalogue, and says what the catalogue says.
import { expect, test } from "bun:test";
import { REFUSALS, refusalKind, type RefusalCode } from "../../src/base/errors.ts";
import { code, expectMade, readDocument, sectionOf, toTable } from "./documents.ts";

const PATH = "docs/errors.md";
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the catalogue are its codes
const CODES = Object.keys(REFUSALS) as RefusalCode[];

test("[M2] docs/errors.md has one heading for each code, in the catalogue's order", () => {
  const headings = [...readDocument(PATH).text.matchAll(/^### `([a-z_]+)`$/gm)].map((match) => match[1]!);
  expect(headings).toEqual(CODES);
});

test("[M2] docs/errors.md lists every code with its status, its types and when to try again", () => {
  const rows = CODES.map((name) => {
    const { status, openai, anthropic, retryAfterSecs } = refusalKind(name);
    const retry = retryAfterSecs === undefined ? "" : `${retryAfterSecs} s`;
    return [`[${code(name)}](#${name})`, String(status), code(openai), code(anthropic), retry];
  });
  expectMade(PATH, "list of codes", toTable(["Code", "Status", "OpenAI `type`", "Anthropic `type`", "`Retry-After`"], rows));
});

test.each(CODES)("[M2] the section on %s gives its sentence, its cause and what to do", (name) => {
  const section = sectionOf(readDocument(PATH).text, `### \`${name}\``);
  expect(section).toContain(`> ${refusalKind(name).message}\n`);
  expect(section).toContain("**When:**");
  expect(section).toContain("**What to do:**");
});
