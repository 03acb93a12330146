// Words survive the way through units, environment files, property lists, command lines of Windows and shells, whatever is in them.
import { expect, test } from "bun:test";
import { array, assert, constantFrom, oneof, property, sample } from "fast-check";
import {
  escapeXml,
  isOneLine,
  quoteForEnvironmentFile,
  quoteForSystemd,
  toShellCommand,
  toWindowsCommandLine,
} from "../../src/service/quoting.ts";

// Mostly characters that mean something somewhere.
const HOSTILE = array(
  oneof(constantFrom(...`'"\\$%\`;&<>|!*?{}[]()#~^=: /`.split("")), constantFrom("a", "Z", "é", "漢", "😀", "--", "${X}", "%i", "\\\\")),
  {
    maxLength: 12,
  },
).map((parts) => parts.join(""));

test("[G5] a word of ExecStart= is read back by systemd's rules", () => {
  const plain = (text: string) => parseSystemdWords(text);
  assert(property(array(HOSTILE), (words) => expect(plain(words.map(quoteForSystemd).join(" "))).toEqual(words)));
  expect(quoteForSystemd("100% $HOME")).toBe('"100%% $$HOME"');
  expect(quoteForSystemd(";")).toBe('";"');
  expect(quoteForSystemd("")).toBe('""');
});

test("[G5] a value of an environment file is read back as a shell reads it too", () => {
  // A shell agrees with systemd on what double quotes hold; many values in one process.
  const values = sample(HOSTILE, { numRuns: 300, seed: 7 }).filter((value) => !value.includes("!"));
  const script = values.map((value, at) => `V${at}=${quoteForEnvironmentFile(value)}; printf '%s\\n' "$V${at}"`).join("\n");
  const { stdout } = Bun.spawnSync(["sh", "-c", script]);
  expect(stdout.toString().split("\n").slice(0, -1)).toEqual(values);
});

test("[G5] text of a property list is read back by XML's rules", () => {
  assert(
    property(HOSTILE, (text) => {
      const escaped = escapeXml(text);
      expect(escaped).not.toMatch(/[<>"]|&(?!(amp|lt|gt|quot);)/);
      const back = escaped.replaceAll("&quot;", '"').replaceAll("&gt;", ">").replaceAll("&lt;", "<").replaceAll("&amp;", "&");
      expect(back).toBe(text);
    }),
  );
});

test("[G5] a command line of Windows is split again by the rules of CommandLineToArgvW", () => {
  assert(
    property(array(HOSTILE), (words) => {
      expect(splitLikeWindows(toWindowsCommandLine(["program", ...words]))).toEqual(["program", ...words]);
    }),
  );
  expect(toWindowsCommandLine(["C:\\Model Relay\\x.exe", "a\\", 'say "hi"', "b c\\"])).toBe(
    String.raw`"C:\Model Relay\x.exe" a\ "say \"hi\"" "b c\\"`,
  );
});

test("[G5] a command shown can be typed as it stands", () => {
  const words = sample(HOSTILE, { numRuns: 200, seed: 11 }).filter((word) => !word.includes("\0"));
  const { stdout } = Bun.spawnSync(["sh", "-c", toShellCommand(["printf", "%s\\n", ...words])]);
  expect(stdout.toString().split("\n").slice(0, -1)).toEqual(words);
});

test.each(["a\nb", "a\rb", "\0", "\u001b[2J", "\ud800"])("[G5] %p cannot stand in any definition", (text) => {
  expect(isOneLine(text)).toBe(false);
  expect(isOneLine('a "b" é 😀')).toBe(true);
});

/** systemd.service(5), "Command lines", and systemd.syntax(7), "Quoting": white space splits, quotes and C escapes, then %% and $$. */
function parseSystemdWords(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quoteMark: string | null = null;
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    if (character === "\\") word = `${word ?? ""}${unescapeC(line[++at]!)}`;
    else if (quoteMark === character) quoteMark = null;
    else if (quoteMark === null && (character === '"' || character === "'")) [quoteMark, word] = [character, word ?? ""];
    else if (quoteMark === null && character === " ") {
      if (word !== null) words.push(word);
      word = null;
    } else word = `${word ?? ""}${character}`;
  }
  expect(quoteMark).toBeNull();
  if (word !== null) words.push(word);
  return words.map((text) => {
    // What is left of a single % or $ would be a specifier or a variable.
    expect(text.replaceAll("%%", "").replaceAll("$$", "")).not.toMatch(/[%$]/);
    return text.replaceAll("%%", "%").replaceAll("$$", "$");
  });
}

function unescapeC(character: string): string {
  expect(character).toMatch(/^["'\\]$/);
  return character;
}

/** The documented rules: 2n backslashes and a quote are n and a delimiter, 2n+1 are n and a quote, others stand for themselves. */
function splitLikeWindows(line: string): readonly string[] {
  const words: string[] = [];
  let word = "";
  let isThere = false;
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const slashes = /^\\*/.exec(line.slice(at))![0].length;
    if (line[at + slashes] === '"') {
      word += "\\".repeat(Math.floor(slashes / 2));
      if (slashes % 2 === 1) word += '"';
      else isQuoted = !isQuoted;
      isThere = true;
      at += slashes;
    } else if (slashes > 0) {
      word += "\\".repeat(slashes);
      isThere = true;
      at += slashes - 1;
    } else if (line[at] === " " && !isQuoted) {
      if (isThere) words.push(word);
      [word, isThere] = ["", false];
    } else {
      word += line[at];
      isThere = true;
    }
  }
  return isThere ? [...words, word] : words;
}
