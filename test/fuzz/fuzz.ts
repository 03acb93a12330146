// Random inputs that can be repeated: every run has a seed of its own, and one that fails says how to run it alone.
import { test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../support/random.ts";

export interface Fuzz {
  /** What follows the rule's id in the test's title. */
  readonly title: string;
  readonly runs: number;
  /** One random input, and everything that must hold for it. */
  readonly run: (random: Random) => void;
}

/** A fixed half of the seeds, so that CI repeats itself, and a new half every time. `FUZZ_SEED=n` runs that one alone. */
export function fuzz({ title, runs, run }: Fuzz): void {
  test(`[U11] ${title}`, () => {
    const only = process.env["FUZZ_SEED"];
    const fresh = crypto.getRandomValues(new Uint32Array(1))[0]!;
    const seeds =
      only === undefined ? Array.from({ length: runs }, (_, index) => (index % 2 === 0 ? index : fresh + index)) : [Number(only)];
    for (const seed of seeds) {
      try {
        run(new Random(seed));
      } catch (error) {
        console.error(`seed ${seed} failed; alone: FUZZ_SEED=${seed} bun test test/fuzz -t ${JSON.stringify(title)}`);
        throw error;
      }
    }
  }, 60_000);
}

export interface CorpusFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The inputs that are kept under a name because they once broke something, or are likely to. */
export function corpus(folder: string): readonly CorpusFile[] {
  const known = read.get(folder);
  if (known !== undefined) return known;
  const path = join(import.meta.dir, "corpus", folder);
  const files = readdirSync(path)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(join(path, name)) }));
  if (files.length === 0) throw new Error(`there is no corpus in ${folder}`);
  read.set(folder, files);
  return files;
}

const read = new Map<string, readonly CorpusFile[]>();

/** The corpus once as it is, as a test of its own. */
export function replay(folder: string, what: string, check: (bytes: Buffer, name: string) => void): void {
  test(`[U11] ${what}, from the corpus`, () => {
    for (const { name, bytes } of corpus(folder)) {
      try {
        check(bytes, name);
      } catch (error) {
        console.error(`corpus/${folder}/${name} failed`);
        throw error;
      }
    }
  });
}

const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "\\u006d",
  "0",
  "-",
  ".",
  "e",
  "null",
  " ",
  "\n",
  "\u0000",
  "é",
  "🚀",
  "\\ud800",
  "//",
];

/** A few bytes of it put elsewhere, doubled, dropped, changed, or joined with those of another. */
export function mutate(bytes: Uint8Array, other: Uint8Array, random: Random): Buffer {
  let mutant = Buffer.from(bytes);
  for (let change = random.below(4); change >= 0; change--) {
    const at = random.below(mutant.byteLength + 1);
    const length = random.below(8);
    const [head, tail] = [mutant.subarray(0, at), mutant.subarray(at)];
    const cut = mutant.subarray(at + length);
    mutant = Buffer.concat(
      random.pick([
        [head, cut],
        [head, tail.subarray(0, length), tail],
        [head, Buffer.of(random.below(256)), tail],
        [head, Buffer.from(random.pick(PIECES)), tail],
        [head, Buffer.from(random.pick(PIECES)), cut],
        [head, Buffer.from(other).subarray(random.below(other.byteLength + 1))],
      ]),
    );
  }
  return mutant;
}

const CHARACTERS = [
  ...Array.from("abcMODELstream09 _-./:%*?=@#<>&'\"\\\t\r\n\u0000\u007f\u0085ſKﬆéßİ\u2028\u202e\ufeff🚀"),
  "\ud800",
  "\udc00",
];

/** A text with everything in it that has a meaning somewhere. */
export function anyText(random: Random, maxChars: number): string {
  return Array.from({ length: random.below(maxChars + 1) }, () => random.pick(CHARACTERS)).join("");
}
