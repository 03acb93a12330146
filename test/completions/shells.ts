// Asks the real shells what they would offer behind a line, with a script of ours loaded.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../support/until.ts";

/** A word as it would stand on the line, and what is said of it; empty where the shell shows nothing. */
export interface Offer {
  readonly word: string;
  readonly says: string;
}

export type Ask = (script: string, lines: readonly string[]) => Promise<readonly (readonly Offer[])[]>;

/** A folder with one script in it and a few files to complete paths to; each shell starts there. */
export class Scene implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "modelrelay-completions-"));
  readonly script: string;

  constructor(script: string) {
    this.script = this.write(".script", script);
    this.write("relay.toml", "");
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** @throws when something of the script ran that should only have been shown */
  [Symbol.dispose](): void {
    const hasRun = existsSync(join(this.folder, "ran"));
    rmSync(this.folder, { recursive: true, force: true });
    if (hasRun) throw new Error("the script ran what it should only have shown");
  }
}

function environment(folder: string): Record<string, string> {
  // fish leaves a pipe in the last of them.
  return { PATH: process.env["PATH"] ?? "", HOME: folder, TERM: "dumb", LANG: "C.UTF-8", XDG_RUNTIME_DIR: folder };
}

/** Asks the function that the script registers, with what bash would tell it. */
export async function askBash(
  script: string,
  lines: readonly string[],
  wordBreaks = BASH_WORD_BREAKS,
): Promise<readonly (readonly Offer[])[]> {
  using scene = new Scene(script);
  const fn = /complete .*-F (\S+)/.exec(script)![1]!;
  const questions = lines.map((line) => {
    const words = bashWords(line, wordBreaks);
    return [line, String(words.length - 1), ...words].map((text) => `${text}\u0001`).join("");
  });
  const load = `COMP_WORDBREAKS=$1; source "$2"; source "$3" "$4"`;
  const args = ["--norc", "--noprofile", "-u", "-c", load, "bash", wordBreaks, scene.script, capture("bash"), fn];
  const answers = await run(scene, ["bash", ...args], questions.join(""));
  return lines.map((line, at) => {
    // What the line editor would leave standing before what it puts in.
    const word = line.slice(line.lastIndexOf(" ") + 1);
    const kept = word.slice(0, Math.max(...["=", ":", "@"].map((mark) => (wordBreaks.includes(mark) ? word.lastIndexOf(mark) : -1))) + 1);
    const found = answers[at]!.split("\u0002").slice(0, -1);
    return found.map((text) => ({ word: `${kept}${text}`, says: "" }));
  });
}

const BASH_WORD_BREAKS = ` \t\n"'@><=;|&(:`;

export async function askZsh(script: string, lines: readonly string[]): Promise<readonly (readonly Offer[])[]> {
  using scene = new Scene(script);
  const answers = join(scene.folder, ".answers");
  const questions = scene.write(".questions", lines.join("\n"));
  writeFileSync(answers, "");
  const variables = { script: scene.script, questions, answers, capture: capture("zsh") };
  await using shell = new Typist(["zsh", "-f", "-i"], scene.folder, variables);
  shell.type('source "$capture"\r');
  await until(() => existsSync(`${answers}.ready`), "zsh is ready", SHELL_LIMIT_MS);
  shell.type("\u0014");
  await until(() => existsSync(`${answers}.done`), "zsh has answered", SHELL_LIMIT_MS);
  const found = readFileSync(answers, "utf8").split("\u0001").slice(0, -1);
  return found.map((answer) => offersOf(answer).map(({ word, says }) => ({ word, says: / -- (.*)$/s.exec(says)?.[1] ?? "" })));
}

export async function askFish(script: string, lines: readonly string[]): Promise<readonly (readonly Offer[])[]> {
  using scene = new Scene(script);
  const questions = lines.map((line) => `${line}\u0000`).join("");
  const answers = await run(scene, ["fish", "--no-config", capture("fish"), scene.script], questions);
  return answers.map((answer) =>
    answer
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [word = "", says = ""] = line.split("\t");
        return { word, says };
      }),
  );
}

/** A shell at a terminal, typed into. */
export class Typist implements AsyncDisposable {
  seen = "";
  readonly #child: Bun.Subprocess;

  constructor(command: readonly string[], folder: string, env: Readonly<Record<string, string>> = {}) {
    const decoder = new TextDecoder();
    this.#child = Bun.spawn([...command], {
      cwd: folder,
      env: { ...environment(folder), ...env },
      // Wide enough for every description to stand on one line.
      terminal: { cols: 2_000, rows: 200, data: (_, bytes) => void (this.seen += decoder.decode(bytes, { stream: true })) },
    });
  }

  type(keys: string): void {
    this.#child.terminal!.write(keys);
  }

  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    await until(() => pattern.test(this.seen), `${String(pattern)} on the terminal`);
    return pattern.exec(this.seen)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    this.#child.terminal?.close();
  }
}

/** elvish's completer hands out what may stand there; which of it goes on from what was typed, the editor sees itself. */
export async function askElvish(script: string, lines: readonly string[]): Promise<readonly (readonly Offer[])[]> {
  using scene = new Scene(script);
  const answers = scene.write(".answers", "");
  const program = lines[0]!.split(" ")[0]!;
  const calls = lines.map((line) => {
    const words = line.split(" ").map((word) => `'${word.replaceAll("'", "''")}'`);
    const say = 'if (eq (kind-of $c) string) { print $c } else { print $c[stem]"\\x02"(to-string $c[display]) }';
    return `$edit:completion:arg-completer[${program}] ${words.join(" ")} | each {|c| ${say}; print "\\x03" }; print "\\x01"`;
  });
  scene.write(".questions", calls.join("\n"));
  await using shell = new Typist(["elvish", "-norc"], scene.folder, { XDG_RUNTIME_DIR: join(scene.folder, ".run") });
  shell.type("eval (slurp < .script); eval (slurp < .questions) > .answers; echo done > .answers.done\r");
  await until(() => existsSync(`${answers}.done`), "elvish has answered", SHELL_LIMIT_MS);
  const found = readFileSync(answers, "utf8").split("\u0001").slice(0, -1);
  return found.map((answer, at) =>
    offersOf(answer)
      .map(({ word, says }) => ({ word, says: Bun.stripANSI(says).slice(word.length + " (".length, -1) }))
      .filter(({ word }) => word.startsWith(lines[at]!.split(" ").at(-1)!)),
  );
}

const SHELL_LIMIT_MS = 60_000;

/** As capture.zsh writes them. */
function offersOf(answer: string): readonly Offer[] {
  return answer
    .split("\u0003")
    .slice(0, -1)
    .map((offer) => {
      const [word = "", says = ""] = offer.split("\u0002");
      return { word, says };
    });
}

async function run(scene: Scene, command: readonly string[], input: string): Promise<readonly string[]> {
  const child = Bun.spawn([...command], {
    cwd: scene.folder,
    env: environment(scene.folder),
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  if (code !== 0 || err !== "") throw new Error(`${command[0]} ended with ${code}:\n${err}${out}`);
  return out.split("\u0001").slice(0, -1);
}

/** As bash 4 and later cut a line without quotes: at blanks, and around runs of the word breaks. */
function bashWords(line: string, wordBreaks: string): readonly string[] {
  const marks = ["=", ":", "@"].filter((mark) => wordBreaks.includes(mark)).join("");
  const cut = marks === "" ? /\S+/g : new RegExp(`[${marks}]+|[^\\s${marks}]+`, "g");
  const words = line.match(cut) ?? [];
  return line.endsWith(" ") ? [...words, ""] : words;
}

function capture(shell: string): string {
  return join(import.meta.dir, `capture.${shell}`);
}
