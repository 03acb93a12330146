// The words a command takes besides its flags.
import { expect, test } from "bun:test";
import { option } from "../../src/cli/options/option.ts";
import { flag, text } from "../../src/cli/options/kinds.ts";
import { parseCommandLine, type WordSlot } from "../../src/cli/options/words.ts";

const options = {
  port: option({ flag: "port", variables: [], kind: text("n", 9), fallback: null, group: "G", help: "." }),
  loud: option({ flag: "loud", variables: [], kind: flag(), fallback: false, group: "G", help: "." }),
};
const MODEL: WordSlot = { name: "MODEL", help: "which one.", isNeeded: true, isMany: false };
const MORE: WordSlot = { name: "MORE", help: "others.", isNeeded: false, isMany: true };
const SHELL: WordSlot = { name: "SHELL", help: "which shell.", isNeeded: true, isMany: false, choices: ["bash", "fish"] };
const passed = { name: "ARGS", help: "for it." };

test("[K24] words, flags among them, and what follows -- come out apart", () => {
  const line = parseCommandLine(
    "x",
    { options, words: [MODEL, MORE], passed },
    ["a", "--port", "1", "b", "--loud", "c", "--", "--port", "d"],
    {},
  );
  expect(line).toMatchObject({ words: ["a", "b", "c"], passed: ["--port", "d"], values: { port: "1", loud: true } });
});

test.each<[string, readonly WordSlot[], readonly string[], string]>([
  ["a missing word", [MODEL], [], "x needs MODEL: which one. 'modelrelay x --help' says more"],
  ["a word too many", [MODEL], ["a", "b"], 'unexpected argument "b". '],
  ["a word where none belongs", [], ["b"], 'unexpected argument "b". '],
  ["one that is not among the choices", [SHELL], ["fsh"], 'SHELL: "fsh" is not one of bash, fish; did you mean fish?'],
  ["-- where nothing may follow", [MODEL], ["a", "--", "b"], 'unexpected argument "--". '],
])("[K24] %s is refused", (_what, words, args, message) => {
  expect(() => parseCommandLine("x", { options, words }, args, {})).toThrow(message);
});
