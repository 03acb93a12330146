// Tab in the real shells at a real terminal: what stands on the line afterwards is what the program would be given.
import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/commands.ts";
import { planOfProgram } from "../../src/cli/completions/plan.ts";
import { type Shell, writeScript } from "../../src/cli/completions/shells.ts";
import { BASH_COMPLETION, isMissing } from "./installed.ts";
import { Scene, Typist } from "./shells.ts";

const LIMIT_MS = 60_000;
const TO_THE_START = "\u0001";

// Typed, and what the program would be given.
const LINES: readonly (readonly [typed: string, given: readonly string[]])[] = [
  ["modelrelay heal\t", ["modelrelay", "health"]],
  ["modelrelay keys cre\t", ["modelrelay", "keys", "create"]],
  ["modelrelay serve --log-fo\t", ["modelrelay", "serve", "--log-format"]],
  ["modelrelay serve --log-format j\t", ["modelrelay", "serve", "--log-format", "json"]],
  ["modelrelay serve --log-format=te\t", ["modelrelay", "serve", "--log-format=text"]],
  ["modelrelay serve --listen=:8080 --log-format=te\t", ["modelrelay", "serve", "--listen=:8080", "--log-format=text"]],
  ["modelrelay serve --config rel\t", ["modelrelay", "serve", "--config", "relay.toml"]],
  ["modelrelay serve --config=rel\t", ["modelrelay", "serve", "--config=relay.toml"]],
  ["modelrelay serve --config=my\tin\t", ["modelrelay", "serve", "--config=my folder/in it.toml"]],
  ["modelrelay serve --config my\tin\t", ["modelrelay", "serve", "--config", "my folder/in it.toml"]],
  ["modelrelay serve --config 'my f\tin\t", ["modelrelay", "serve", "--config", "my folder/in it.toml"]],
  ["modelrelay serve rel\t", ["modelrelay", "serve", "rel"]],
  ["modelrelay serve -- --log-fo\t", ["modelrelay", "serve", "--", "--log-fo"]],
  ["modelrelay completions pow\t", ["modelrelay", "completions", "powershell"]],
];

interface Setting {
  readonly called: string;
  readonly needs: string;
  readonly shell: Shell;
  readonly command: readonly string[];
  /** Makes it load the script. */
  readonly load: (script: string) => string;
  readonly except?: (typed: string) => boolean;
}

const BASH = { needs: "bash", shell: "bash", command: ["bash", "--norc", "--noprofile", "-i"] } as const;

const SETTINGS: readonly Setting[] = [
  { ...BASH, called: "bash", load: (script) => `source ${script}` },
  { ...BASH, called: "bash with set -u", load: (script) => `source ${script}; set -u` },
  {
    ...BASH,
    called: "bash with bash-completion",
    needs: "bash-completion",
    load: (script) => `source ${BASH_COMPLETION}; source ${script}`,
  },
  {
    ...BASH,
    called: "bash where bash-completion finds it",
    needs: "bash-completion",
    load: (script) => `${copyTo(script, ".local/share/bash-completion/completions", "modelrelay")}; source ${BASH_COMPLETION}`,
  },
  {
    ...BASH,
    called: "bash that does not cut words at = and :",
    load: (script) => `COMP_WORDBREAKS=\${COMP_WORDBREAKS//[=:]/}; source ${script}`,
    // There the blank in the name comes without its quote.
    except: (typed) => typed.includes("--config=my"),
  },
  {
    ...BASH,
    called: "bash without compopt, as 3.2 is",
    load: (script) => `enable -n compopt; source ${script}`,
    // The fallback is for all words.
    except: (typed) => typed.includes("serve rel"),
  },
  {
    called: "zsh",
    needs: "zsh",
    shell: "zsh",
    command: ["zsh", "-f", "-i"],
    load: (script) => `bindkey -e; autoload -Uz compinit; compinit -u -D; source ${script}`,
  },
  {
    called: "zsh where compinit finds it",
    needs: "zsh",
    shell: "zsh",
    command: ["zsh", "-f", "-i"],
    load: (script) =>
      `${copyTo(script, ".zfunc", "_modelrelay")}; bindkey -e; fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit -u -D`,
  },
  {
    called: "fish",
    needs: "fish",
    shell: "fish",
    command: ["fish", "--no-config", "--interactive"],
    load: (script) => `source ${script}`,
  },
  {
    called: "fish where it looks itself",
    needs: "fish",
    shell: "fish",
    command: ["fish", "--interactive"],
    // It looks only for programs that are there.
    load: (script) =>
      `${copyTo(script, ".config/fish/completions", "modelrelay.fish")}; ${copyTo("/bin/sh", ".bin", "modelrelay")}; set -x PATH ~/.bin $PATH`,
  },
];

/** To a folder at home, as the documents say. */
function copyTo(file: string, folder: string, name: string): string {
  return `mkdir -p ~/${folder}; cp ${file} ~/${folder}/${name}`;
}

const plan = await planOfProgram("modelrelay", COMMANDS);

for (const { called, needs, shell, command, load, except = () => false } of SETTINGS) {
  describe.skipIf(isMissing(needs))(called, () => {
    test(
      "[Z7] Tab completes commands, flags, values and paths, also behind = and in quotes, and nothing behind --",
      async () => {
        using scene = new Scene(writeScript(shell, plan));
        mkdirSync(join(scene.folder, "my folder"));
        scene.write("my folder/in it.toml", "");
        const printer = scene.write(".print", `#!/bin/sh\nprintf '<%s>' "$@"\necho "<end>"\n`);
        await using terminal = new Typist(command, scene.folder);
        terminal.type(`${load(scene.script)}; printf 'lo%s' aded\r`);
        await terminal.sees(/loaded/);
        const lines = LINES.filter(([typed]) => !except(typed));
        for (const [at, [typed]] of lines.entries()) {
          terminal.type(`${typed}${TO_THE_START}sh ${printer} ${at} \r`);
          await terminal.sees(new RegExp(`<${at}>.*<end>`));
        }
        const given = lines.map((_, at) => new RegExp(`<${at}>(.*?)<end>`).exec(terminal.seen)![1]);
        expect(given).toEqual(lines.map(([, words]) => words.map((word) => `<${word}>`).join("")));
      },
      LIMIT_MS,
    );
  });
}
