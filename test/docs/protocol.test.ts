// docs/protocol.md lists every message of both worker protocols with exactly the fields the schemas have, and the shared numbers.
import { expect, test } from "bun:test";
import { CLOSE } from "../../src/protocol/close.ts";
import * as limits from "../../src/protocol/limits.ts";
import { register, registerAck, V1, V2 } from "../../src/protocol/schema.ts";
import { v1RelayMessage, v1WorkerMessage } from "../../src/protocol/v1.ts";
import { END_ERROR_KINDS, REJECT_REASONS, v2RelayMessage, v2WorkerMessage } from "../../src/protocol/v2.ts";
import { code, expectMade, readDocument, sectionOf, tableRows, toTable } from "./documents.ts";

const PATH = "docs/protocol.md";

/** What the tests need of a valibot object schema. */
interface Message {
  readonly entries: Readonly<Record<string, { readonly type: string; readonly literal?: unknown }>>;
}

const SECTIONS: readonly (readonly [heading: string, messages: readonly Message[]])[] = [
  ["### Registration", [register, registerAck]],
  ["### v1, relay to worker", v1RelayMessage.options.filter((message) => message !== registerAck)],
  ["### v1, worker to relay", v1WorkerMessage.options],
  ["### v2, relay to worker", v2RelayMessage.options],
  ["### v2, worker to relay", v2WorkerMessage.options],
];

test.each(SECTIONS.map(([heading, messages]) => [heading.slice(4), heading, messages] as const))(
  "[M3] the table of %s has the messages and fields of the schemas",
  (_, heading, messages) => {
    const rows = tableRows(sectionOf(readDocument(PATH).text, heading));
    const actual = messages.map((message) => [code(typeOf(message)), fieldsOf(message).join(", ")]);
    expect(rows.map(([type = "", fields = ""]) => [type, fields])).toEqual(actual);
  },
);

test("[M3] the close codes and the limits are the code's", () => {
  const closes = Object.values(CLOSE).map(({ code: number, reason }) => [String(number), code(reason)]);
  const documented = tableRows(sectionOf(readDocument(PATH).text, "## Close codes")).map(([number = "", reason = ""]) => [number, reason]);
  expect(documented).toEqual(closes);
  expectMade(PATH, "limits", toTable(["Name in `src/protocol/limits.ts`", "Value"], limitRows()));
});

test("[M3] the words with a meaning are named", () => {
  const { text } = readDocument(PATH);
  const words = [V1, V2, ...END_ERROR_KINDS, ...REJECT_REASONS];
  expect(words.filter((word) => !text.includes(code(word)))).toEqual([]);
});

function typeOf({ entries }: Message): string {
  return String(entries["type"]?.literal);
}

function fieldsOf({ entries }: Message): readonly string[] {
  return Object.entries(entries)
    .filter(([name]) => name !== "type")
    .map(([name, { type }]) => code(type === "nullish" ? `${name}?` : name));
}

function limitRows(): readonly (readonly string[])[] {
  return Object.entries(limits).flatMap(([name, value]) =>
    typeof value === "number" && /_/.test(name) ? [[code(name), describe(name, value)]] : [],
  );
}

function describe(name: string, value: number): string {
  if (name.endsWith("_MS")) return `${value / 1000} s`;
  if (!name.endsWith("_BYTES")) return String(value);
  return value % limits.MIB === 0 ? `${value / limits.MIB} MiB` : `${value / limits.KIB} KiB`;
}
