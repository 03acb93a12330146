// The command line as its users meet it: real processes, their exit codes and their words.
import { expect, test } from "bun:test";
import { VERSION } from "../../src/base/version.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { MAIN, runCli, runCliInto } from "./run-cli.ts";

const SECRET = { WORKER_SECRET: "mysecret" };
const SHORT = "The only short flags are -h and -V.";
const NAMES = COMMANDS.map(({ name }) => name).join(", ");

test.each<[readonly string[], Readonly<Record<string, string>>, string]>([
  [["serve", "--listn"], {}, "unknown flag --listn; did you mean --listen? 'modelrelay serve --help' lists all flags"],
  [["serv"], {}, `unknown command serv; did you mean serve? The commands are ${NAMES}`],
  [["constructor"], {}, `unknown command constructor. The commands are ${NAMES}`],
  [["--listen", ":80"], {}, `unknown flag --listen. A command comes before its flags. The commands are ${NAMES}`],
  [["-p", "80"], {}, `unknown flag -p. ${SHORT} A command comes before its flags. The commands are ${NAMES}`],
  [
    ["llamafile", "logs", "m", "-n", "5"],
    {},
    "unknown flag -n; did you mean --lines? The only short flags are -f, -h and -V. 'modelrelay llamafile logs --help' lists all flags",
  ],
  [
    ["llamafile", "run", "-p", "80"],
    {},
    `unknown flag -p; did you mean --port or --port-range? ${SHORT} 'modelrelay llamafile run --help' lists all flags`,
  ],
  [["--verison"], {}, `unknown flag --verison; did you mean --version? A command comes before its flags. The commands are ${NAMES}`],
  [["worker"], {}, `unknown command worker; did you mean work? The commands are ${NAMES}`],
  [["help", "keys", "lits"], {}, "unknown command keys lits; did you mean keys list? The commands of keys are create, list, revoke"],
  [["keys", "delete", "x"], {}, "unknown command keys delete; did you mean keys revoke? The commands of keys are create, list, revoke"],
  [["keys", "create", "app"], {}, "unexpected argument \"app\"; did you mean --name app? 'modelrelay keys create --help' lists all flags"],
  [
    ["health", "http://a:80"],
    {},
    "unexpected argument \"http://a:80\"; did you mean --url http://a:80? 'modelrelay health --help' lists all flags",
  ],
  [["work", "--backend", "x"], {}, "unknown flag --backend; did you mean --backend-url? 'modelrelay work --help' lists all flags"],
  [["serve", "extra"], SECRET, "unexpected argument \"extra\". 'modelrelay serve --help' lists all flags"],
  [["work", "--max-concurrency", "none"], SECRET, '--max-concurrency: "none" is not a whole number from 1 to 4096'],
  [["serve"], { ...SECRET, BODY_LIMIT_MB: "lots" }, 'variable BODY_LIMIT_MB: "lots" is not a whole number of MiB from 1 to 64'],
  [
    ["work", "--log-file", "/nonexistent/w.log"],
    SECRET,
    "the log file /nonexistent/w.log cannot be opened (no such file or directory, ENOENT)",
  ],
  [["up", "--demo", "--backend-url", "http://a"], {}, "--demo and --backend-url are both given: keep one."],
])("[K4] modelrelay %j is refused on the standard error output with exit code 2 and no stack", async (args, env, message) => {
  expect(await runCli(args, env)).toEqual({ code: 2, out: "", err: `modelrelay: ${message}\n` });
});

test("[K7] serve and work without a secret exit with 2 and say how to give one", async () => {
  for (const command of ["serve", "work"]) {
    const { code, err } = await runCli([command]);
    expect(code).toBe(2);
    expect(err).toMatch(/^modelrelay: a worker secret is needed: give --worker-secret-file PATH, .*\n$/);
  }
});

test("[K9] serve --require-api-keys does not start when nobody could ever get in", async () => {
  const { code, out, err } = await runCli(["serve", "--require-api-keys", "--data-dir", ":memory:"], SECRET);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain("modelrelay: --require-api-keys is on, but there is no key and no admin token to create one with: start with");
});

test("[K14] called as modelrelay-server it takes the relay's flags, as modelrelay-worker the worker's", async () => {
  const asServer = await runCli(["--max-concurrency", "1"], SECRET, "modelrelay-server");
  expect(asServer.err).toStartWith("modelrelay: unknown flag --max-concurrency");
  const asWorker = await runCli(["--max-queue-len", "1"], SECRET, "/opt/modelrelay-worker-linux-amd64");
  expect(asWorker.err).toStartWith("modelrelay: unknown flag --max-queue-len");
  const help = await runCli(["--help"], {}, "modelrelay-worker");
  expect(help.out).toStartWith("modelrelay work:");
  const health = await runCli(["health", "--help"], {}, "modelrelay-server");
  expect(health.out).toStartWith("modelrelay health:");
});

test("[K15] --version says the version, with and without a command", async () => {
  const expected = { code: 0, out: `modelrelay ${VERSION} (source, ${process.platform}-${process.arch})\n`, err: "" };
  expect(await runCli(["--version"])).toEqual(expected);
  expect(await runCli(["-V"])).toEqual(expected);
  expect(await runCli(["version"])).toEqual(expected);
  expect(await runCli(["serve", "--version"])).toEqual(expected);
  expect(await runCli(["--version"], {}, "modelrelay-server")).toEqual(expected);
});

test.each([
  [["help"], ["--help"]],
  [
    ["help", "keys"],
    ["keys", "--help"],
  ],
  [
    ["help", "keys", "create"],
    ["keys", "create", "--help"],
  ],
])("[K15] modelrelay %j is modelrelay %j", async (words, flagged) => {
  const help = await runCli(words);
  expect({ code: help.code, err: help.err }).toEqual({ code: 0, err: "" });
  expect(help.out).toBe((await runCli(flagged)).out);
});

test("[K15] --help goes to the standard output with exit code 0; no command at all gets it too, as a refusal", async () => {
  const help = await runCli(["--help"]);
  expect({ code: help.code, err: help.err }).toEqual({ code: 0, err: "" });
  for (const command of ["serve", "work", "up", "health"]) expect(help.out).toContain(`\n  ${command} `);
  expect(await runCli([])).toEqual({ code: 2, out: "", err: help.out });
  const keys = await runCli(["keys"]);
  expect([keys.code, keys.out, keys.err]).toEqual([2, "", expect.stringContaining("Usage: modelrelay keys <command> [flags]")]);
  expect(await runCli(["keys", "--help"])).toMatchObject({ code: 0, err: "", out: keys.err });
  const serve = await runCli(["serve", "--help"]);
  expect({ code: serve.code, err: serve.err }).toEqual({ code: 0, err: "" });
});

test.skipIf(process.platform !== "linux")(
  "[K25] output that a full disk does not take is a failure, also of a command that did its work",
  async () => {
    expect(await runCliInto(Bun.file("/dev/full"), ["completions", "bash"])).toEqual({
      code: 1,
      out: "",
      err: "modelrelay: the standard output cannot be written to (the disk is full), so what should have gone there is lost\n",
    });
  },
);

test.skipIf(process.platform === "win32")("[K25] a reader that goes early is no failure", async () => {
  const pipe = 'set -o pipefail; "$0" "$1" completions bash | true; echo "${PIPESTATUS[0]}"';
  const child = Bun.spawn(["bash", "-c", pipe, process.execPath, MAIN], { stdout: "pipe", stderr: "pipe" });
  expect([await child.stdout.text(), await child.stderr.text()]).toEqual(["0\n", ""]);
});
