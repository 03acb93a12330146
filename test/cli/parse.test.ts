// How the sources combine, and what is refused with which words.
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../src/base/errors.ts";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { parseOptions, type Environment } from "../../src/cli/options/parse.ts";

const parseServe = (args: readonly string[], env: Environment = {}) => parseOptions("serve", SERVE_OPTIONS, args, env);
const parseWork = (args: readonly string[], env: Environment = {}) => parseOptions("work", WORK_OPTIONS, args, env);

/** The words of the refusal. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** Calls `use` with the path of a config file that holds `toml`. */
function withFile<T>(toml: string, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "modelrelay-"));
  try {
    const path = join(folder, "relay.toml");
    writeFileSync(path, toml);
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("precedence", () => {
  const FILE = 'provider = "from-file"\nmax_queue_len = 7\nqueue_timeout = 2.5\n';

  test("[K2] a flag wins over the variable, the variable over the config file, the file over the default", () => {
    withFile(FILE, (path) => {
      const fromFile = parseServe(["--config", path]);
      expect(fromFile.values.provider).toBe("from-file");
      expect(fromFile.values.maxQueueLength).toBe(7);
      expect(fromFile.values.queueTimeoutMs).toBe(2_500);
      expect(fromFile.values.chunkTimeoutMs).toBe(120_000);
      expect(fromFile.origins.provider).toEqual({ kind: "file", path, name: "provider" });

      const env = { PROVIDER_NAME: "from-variable" };
      expect(parseServe(["--config", path], env).values.provider).toBe("from-variable");
      expect(parseServe(["--config", path, "--provider", "from-flag"], env).values.provider).toBe("from-flag");
      expect(parseServe([], { MODELRELAY_CONFIG: path }).values.provider).toBe("from-file");
    });
  });

  test("[K2] an empty variable counts as unset", () => {
    expect(parseServe([], { PROVIDER_NAME: "", MAX_QUEUE_LEN: " " }).values.provider).toBe("local");
    expect(parseWork([], { MODELS: "" }).values.models).toBeNull();
    withFile(FILE, (path) => {
      expect(parseServe(["--config", path], { PROVIDER_NAME: "" }).values.provider).toBe("from-file");
    });
  });

  test("[K2] a bad value that a stronger source replaces does no harm", () => {
    expect(parseServe(["--max-queue-len", "5"], { MAX_QUEUE_LEN: "many" }).values.maxQueueLength).toBe(5);
  });
});

describe("switches and lists", () => {
  test.each([
    [["--require-api-keys"], true],
    [["--require-api-keys", "true"], true],
    [["--require-api-keys=true"], true],
    [["--require-api-keys", "false"], false],
    [["--require-api-keys=false"], false],
    [["--no-require-api-keys"], false],
    [["--require-api-keys", "--provider", "x"], true],
  ] as const)("[K3] %j reads as %p", (args, expected) => {
    expect(parseServe(args).values.requireApiKeys).toBe(expected);
  });

  test("[K3] a list is repeatable and comma separated, in flags, variables and the file", () => {
    expect(parseWork(["--models", "a, b", "--models=c"]).values.models).toEqual(["a", "b", "c"]);
    expect(parseWork([], { MODELS: "a,b," }).values.models).toEqual(["a", "b"]);
    withFile('models = ["a", "b"]', (path) => expect(parseWork(["--config", path]).values.models).toEqual(["a", "b"]));
    withFile('models = "a,b"', (path) => expect(parseWork(["--config", path]).values.models).toEqual(["a", "b"]));
  });

  test("[K3] an empty list in the config file is as if the key were left out", () => {
    withFile("cors_origin = []\nmax_queue_len = 7\n", (path) => {
      const { values, origins } = parseOptions("serve", SERVE_OPTIONS, ["--config", path], {});
      expect([values.corsOrigins, origins.corsOrigins.kind, values.maxQueueLength]).toEqual([[], "default", 7]);
    });
  });

  test("[K3] booleans of the config file switch on and off", () => {
    withFile("require_api_keys = true", (path) => expect(parseServe(["--config", path]).values.requireApiKeys).toBe(true));
  });
});

describe("refusals", () => {
  const SHORT = "The only short flags are -h and -V.";
  const ALL = "'modelrelay serve --help' lists all flags";
  const SECONDS = "is not a number of seconds from 0 to 2073600";
  const HEADER = "a header name that may be passed on (not one of the connection itself, as host or content-length)";
  const LISTEN = "an address to listen on, such as 127.0.0.1:8080, 0.0.0.0:8080, [::1]:8080, :8080 or 8080";

  test.each<[readonly string[], string]>([
    [["--listn", ":80"], `unknown flag --listn; did you mean --listen? ${ALL}`],
    [["--listn=:80"], `unknown flag --listn; did you mean --listen? ${ALL}`],
    [["--port", "80"], `unknown flag --port; did you mean --listen? ${ALL}`],
    [["--host=0.0.0.0"], `unknown flag --host; did you mean --listen? ${ALL}`],
    [["--constructor"], `unknown flag --constructor. ${ALL}`],
    [["-l"], `unknown flag -l; did you mean --listen, --log-level, --log-format or --log-file? ${SHORT} ${ALL}`],
    [["-A", "x"], `unknown flag -A; did you mean --admin-token, --admin-token-file or --allowed-host? ${SHORT} ${ALL}`],
    [["-p=8080"], `unknown flag -p; did you mean --listen, --public-url or --provider? ${SHORT} ${ALL}`],
    [["-x"], `unknown flag -x. ${SHORT} ${ALL}`],
    [["-lo"], `unknown flag -lo. ${ALL}`],
    [["--no-listen"], "--no-listen: --listen takes a value and cannot be negated"],
    [["--no-require-api-keys=true"], "--no-require-api-keys takes no value; write --require-api-keys=true instead"],
    [["listen"], `unexpected argument "listen"; did you mean --listen? ${ALL}`],
    [["--"], `unexpected argument "--". ${ALL}`],
    [["--listen"], `--listen needs a value: ${LISTEN}`],
    [["--listen="], `--listen needs a value: ${LISTEN}`],
    [["--listen", "--provider", "x"], `--listen needs a value: ${LISTEN}; a value that begins with a dash is written --listen=VALUE`],
    [["--provider", "a", "--provider", "b"], "--provider is given twice"],
    [["--queue-timeout", "abc"], `--queue-timeout: "abc" ${SECONDS}`],
    [["--queue-timeout", "1e3"], `--queue-timeout: "1e3" ${SECONDS}`],
    [["--queue-timeout=-1"], `--queue-timeout: "-1" ${SECONDS}`],
    [["--max-queue-len", "1.5"], '--max-queue-len: "1.5" is not a whole number from 0 to 1000000'],
    [["--body-limit-mb", "0"], '--body-limit-mb: "0" is not a whole number of MiB from 1 to 64'],
    [["--log-format", "jsn"], '--log-format: "jsn" is not one of text, json; did you mean json?'],
    [["--require-api-keys", "maybe"], '--require-api-keys: "maybe" is not true or false'],
    [["--listen", "localhost"], `--listen: "localhost" is not ${LISTEN}; add a port: localhost:8080`],
    [["--listen", "http://localhost:80"], `--listen: "http://localhost:80" is not ${LISTEN}; leave off the scheme: localhost:80`],
    [["--listen", ":65536"], `--listen: ":65536" is not ${LISTEN}; ports go up to 65535`],
    [["--cors-origin", "*"], '--cors-origin: "*" is not an origin such as https://app.example.com'],
    [["--forward-header", "Host"], `--forward-header: "Host" is not ${HEADER}`],
    [["--forward-header", "x-a,x-worker-secret"], `--forward-header: "x-a,x-worker-secret" is not ${HEADER}`],
    [["--config", "/nonexistent/relay.toml"], "the config file /nonexistent/relay.toml cannot be read (no such file or directory, ENOENT)"],
  ])("[K4] serve %j is refused in words that help", (args, expected) => {
    expect(refusal(() => parseServe(args))).toBe(expected);
  });

  test("[K4] a bad value names the variable or the key of the file that holds it", () => {
    expect(refusal(() => parseServe([], { QUEUE_TIMEOUT_SECS: "soon" }))).toBe(`variable QUEUE_TIMEOUT_SECS: "soon" ${SECONDS}`);
    withFile('queue_timeout = "soon"', (path) => {
      expect(refusal(() => parseServe(["--config", path]))).toBe(`queue_timeout in ${path}: "soon" ${SECONDS}`);
    });
  });

  test.each([
    ["queu_timeout = 3", "unknown key queu_timeout in FILE; did you mean queue_timeout? 'modelrelay serve --help' lists all flags"],
    ['config = "other.toml"', "unknown key config in FILE. 'modelrelay serve --help' lists all flags"],
    ["provider = true", "provider in FILE: a boolean is not a text of 1 to 128 characters on one line"],
    ["provider = 1979-05-27", "provider in FILE: a table or date is not a text of 1 to 128 characters on one line"],
    ['listen = ["a"]', `listen in FILE: a list is not ${LISTEN}`],
    ["cors_origin = [true]", "cors_origin in FILE: a list is not a list of texts"],
    ["[serve]\nlisten = 1", "unknown key serve in FILE. 'modelrelay serve --help' lists all flags"],
    ["listen = ", "the config file FILE is not TOML: line 1: Missing value after '='"],
    [
      "models = [\n]\n\nprovider = 'x\n",
      "the config file FILE is not TOML: line 4: Unterminated string; literal strings cannot contain newlines",
    ],
  ])("[K4] the config file %j is refused in words that help", (toml, expected) => {
    withFile(toml, (path) => expect(refusal(() => parseServe(["--config", path]))).toBe(expected.replace("FILE", path)));
  });

  test("[K4] a refusal shows neither control characters nor the password of a URL", () => {
    expect(refusal(() => parseServe(["--\u001b[2J"]))).toContain("unknown flag --\\u001b[2J");
    expect(refusal(() => parseWork(["--proxy-url", "http://me:hunter2@relay"]))).not.toContain("hunter2");
  });
});
