// What the relay reads of a body, judged by JSON.parse and, for what JSON.parse lets pass, by a reader written from the rules.
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { RelayError } from "../../src/base/errors.ts";
import { readRouting } from "../../src/edge/json-gate.ts";

type Read = { readonly model: string | null; readonly isStreaming: boolean } | "refused";

function read(body: string | Uint8Array): Read {
  try {
    return readRouting(Buffer.from(body));
  } catch (error) {
    if (error instanceof RelayError && error.code === "invalid_request") return "refused";
    throw error;
  }
}

function refusalOf(body: string | Uint8Array): string {
  try {
    readRouting(Buffer.from(body));
  } catch (error) {
    if (error instanceof RelayError) return error.detail ?? "";
  }
  throw new Error("this should have been refused");
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** The rules, over the members in their order. */
function expected(members: readonly (readonly [string, unknown])[]): Read {
  const values = new Map<string, unknown>();
  for (const [key, value] of members) {
    const name = key.toLowerCase();
    if (name !== "model" && name !== "stream") continue;
    if (name !== key || values.has(key)) return "refused";
    values.set(key, value);
  }
  if (members.some(([, value]) => depthOf(value) > 63)) return "refused";
  const model = values.get("model");
  if (model !== undefined && (typeof model !== "string" || model.length === 0 || model.length > 256)) return "refused";
  return { model: model ?? null, isStreaming: values.get("stream") === true };
}

const KEYS = fc.oneof(fc.constantFrom("model", "stream", "Model", "STREAM", "messages", "", "__proto__"), fc.string({ unit: "binary" }));
const VALUES = fc.oneof(fc.constantFrom(true, false, "m", "", null), fc.jsonValue({ stringUnit: "binary" }));
const SPACE = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

/** The same string with some of its characters as \u escapes. */
function escaped(text: string, isEscaped: (index: number) => boolean): string {
  const plain = JSON.stringify(text);
  if (plain !== `"${text}"`) return plain;
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
  return `"${units.map((unit, index) => (isEscaped(index) ? `\\u${unit.toString(16).padStart(4, "0")}` : text[index])).join("")}"`;
}

test("[H3] [H4] any object is read as the rules say, whatever its spelling, space and order", () => {
  const member = fc.tuple(KEYS, VALUES, fc.nat(), SPACE);
  fc.assert(
    fc.property(fc.array(member, { maxLength: 6 }), SPACE, (parts, space) => {
      const texts = parts.map(([key, value, bits, gap]) => {
        const name = escaped(key, (index) => ((bits >> (index % 30)) & 1) === 1);
        return `${gap}${name}${space}:${gap}${JSON.stringify(value)}${space}`;
      });
      const wellFormed = parts.map(([key, value]): readonly [string, unknown] => [
        JSON.parse(JSON.stringify(key)),
        JSON.parse(JSON.stringify(value)),
      ]);
      expect(read(`${space}{${texts.join(",")}${space}}${space}`)).toEqual(expected(wellFormed));
    }),
    { numRuns: 500 },
  );
});

test("[H4] a body is taken for JSON exactly when JSON.parse takes it for an object", () => {
  const seeds = ['{"model":"m","stream":true,"a":[1,-2.5e+3,{"b":null}],"c":"\\u00e9\\n"}', '{"a":{}}', "{}", '{"x":[[],[0]],"y":"🚀"}'];
  const edit = fc.tuple(
    fc.nat(),
    fc.constantFrom("", "{", "}", "[", "]", ",", ":", '"', "\\", "0", "-", ".", "e", "t", " ", "\n", "\u0000", "é"),
  );
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 3 }), (seed, edits) => {
      let text = seed;
      for (const [at, piece] of edits)
        text = text.slice(0, at % (text.length + 1)) + piece + text.slice((at % (text.length + 1)) + (at % 2));
      fc.pre(text.isWellFormed());
      let isObject = false;
      try {
        const value: unknown = JSON.parse(text);
        isObject = typeof value === "object" && value !== null && !Array.isArray(value);
      } catch {
        isObject = false;
      }
      // What JSON.parse takes may still be refused for its routing keys, but never the other way round.
      if (!isObject) expect(read(text)).toBe("refused");
      else if (!/model|stream/i.test(text)) expect(read(text)).not.toBe("refused");
    }),
    { numRuns: 2_000 },
  );
});

test("[H4] numbers and words are those of JSON and no others", () => {
  for (const value of ["0", "-0", "1", "10", "1.5", "1e5", "1E+5", "1.0e-5", "true", "false", "null"]) {
    expect([value, read(`{"a":${value}}`)]).toEqual([value, { model: null, isStreaming: false }]);
  }
  for (const value of ["01", "+1", ".5", "1.", "1e", "-", "NaN", "Infinity", "True", "nul", "undefined", "0x1", "'a'", "1_000", ""]) {
    expect([value, read(`{"a":${value}}`)]).toEqual([value, "refused"]);
  }
});

test("[H4] a routing key twice, or in another spelling, is refused with its name", () => {
  expect(refusalOf('{"model":"a","model":"a"}')).toContain("'model' is given twice");
  expect(refusalOf('{"stream":true,"\\u0073tream":false}')).toContain("'stream' is given twice");
  for (const key of ["Model", "MODEL", "mOdEl", "\\u004dodel", "Stream"]) expect(refusalOf(`{"${key}":"a"}`)).toContain("another spelling");
  // Case folding takes the long s for an s, and some backends' JSON readers fold.
  expect(refusalOf('{"model":"m","\u017ftream":true}')).toContain("another spelling");
  expect(refusalOf('{"\\u017ftream":true}')).toContain("another spelling");
  expect(read('{"model":"m","inner":{"model":1,"Model":2,"model":3},"models":[],"streaming":1}')).toEqual({
    model: "m",
    isStreaming: false,
  });
});

test("[H4] nesting up to 64 levels passes, 65 are refused, and a million do no harm", () => {
  const nested = (levels: number): string => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  const objects = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
  for (const make of [nested, objects]) {
    expect(read(make(64))).not.toBe("refused");
    expect(refusalOf(make(65))).toContain("64 levels");
    expect(read(make(1_000_000))).toBe("refused");
  }
});

test("[H4] what is no object, or no UTF-8, is refused", () => {
  for (const body of ["", " ", "[]", '"m"', "1", "null", "model=m", "\uFEFF{}", "{}{}", "{} x", "\u0000{}"])
    expect([body, read(body)]).toEqual([body, "refused"]);
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf5, 0x80, 0x80, 0x80]]) {
    expect(refusalOf(Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]))).toContain("UTF-8");
  }
  expect(read(Buffer.from('{"model":"m"}', "utf16le"))).toBe("refused");
});

test("[H4] the model is a string of 1 to 256 characters; stream counts only as true", () => {
  for (const model of ["1", "null", "[]", "{}", '""', `"${"x".repeat(257)}"`, "true"]) expect(read(`{"model":${model}}`)).toBe("refused");
  expect(read(`{"model":"${"x".repeat(256)}"}`)).toEqual({ model: "x".repeat(256), isStreaming: false });
  for (const stream of ["1", '"true"', "null", "[true]", '{"a":true}', "false"]) {
    expect(read(`{"model":"m","stream":${stream}}`)).toEqual({ model: "m", isStreaming: false });
  }
});
