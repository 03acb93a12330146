// Secrets: where they may come from, and which are none.
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../src/base/errors.ts";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { parseOptions, type Environment } from "../../src/cli/options/parse.ts";
import { checkSecret } from "../../src/cli/options/secrets.ts";
import { toServeConfig } from "../../src/cli/serve/config.ts";
import { toWorkConfig } from "../../src/cli/work/config.ts";

const serveConfig = (args: readonly string[], env: Environment = {}) => toServeConfig(parseOptions("serve", SERVE_OPTIONS, args, env));
const workConfig = (args: readonly string[], env: Environment = {}) => toWorkConfig(parseOptions("work", WORK_OPTIONS, args, env));

function withSecretFile(content: string, use: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "modelrelay-"));
  try {
    const path = join(folder, "secret");
    writeFileSync(path, content);
    use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("where they come from", () => {
  test("[K7] a secret comes from its flag, its variable or a file, of which the line break is not part", () => {
    expect(serveConfig(["--worker-secret", "mysecret"]).workerSecret).toBe("mysecret");
    expect(workConfig([], { WORKER_SECRET: "mysecret" }).workerSecret).toBe("mysecret");
    withSecretFile("from-a-file\n", (path) => {
      expect(serveConfig(["--worker-secret-file", path]).workerSecret).toBe("from-a-file");
      expect(serveConfig([], { WORKER_SECRET_FILE: path }).workerSecret).toBe("from-a-file");
      const config = workConfig(["--worker-secret=x1", "--backend-api-key-file", path]);
      expect(config.backendApiKey).toBe("from-a-file");
      expect(serveConfig(["--worker-secret=x1", "--admin-token-file", path]).adminToken).toBe("from-a-file");
    });
  });

  test("[K7] the stronger source wins; a value and a file of the same strength are refused", () => {
    withSecretFile("from-a-file", (path) => {
      expect(serveConfig(["--worker-secret-file", path], { WORKER_SECRET: "other" }).workerSecret).toBe("from-a-file");
      expect(serveConfig(["--worker-secret", "x1"], { WORKER_SECRET_FILE: path }).workerSecret).toBe("x1");
      expect(() => serveConfig(["--worker-secret", "x1", "--worker-secret-file", path])).toThrow(
        new UsageError("--worker-secret and --worker-secret-file are both given: keep one."),
      );
      expect(() => workConfig([], { WORKER_SECRET: "x1", WORKER_SECRET_FILE: path })).toThrow(
        new UsageError("variable WORKER_SECRET and variable WORKER_SECRET_FILE are both given: keep one."),
      );
    });
  });

  test("[K7] without a worker secret neither role starts, and the refusal says how to give one", () => {
    for (const start of [serveConfig, workConfig]) {
      expect(() => start([])).toThrow(/--worker-secret-file PATH, the variable WORKER_SECRET or --worker-secret SECRET/);
    }
  });

  test("[K7] a secret file that cannot be read is named", () => {
    expect(() => serveConfig(["--worker-secret-file", "/nonexistent/secret"])).toThrow(
      new UsageError("--worker-secret-file: the file /nonexistent/secret cannot be read (no such file or directory, ENOENT)."),
    );
  });
});

describe("which are none", () => {
  test.each([
    "change-me",
    "change-me-please",
    "CHANGE_ME",
    "changeme",
    "changeme123",
    "secret-here",
    "your-secret",
    "your-secret-here",
    "your_worker_secret",
    "<secret>",
    "<paste the secret here>",
    "replace-me",
  ])("[K8] the placeholder %j is refused", (placeholder) => {
    expect(() => serveConfig([], { WORKER_SECRET: placeholder })).toThrow(/^variable WORKER_SECRET: this is the placeholder/);
    expect(() => serveConfig(["--worker-secret=ok1", `--admin-token=${placeholder}`])).toThrow(/^--admin-token: this is the placeholder/);
  });

  test("[K8] the secrets of the documented examples are accepted", () => {
    for (const secret of ["mysecret", "my-admin-secret", "s3cr3t", "secretly-here", "exchange-me"])
      expect(checkSecret(secret, "x")).toBe(secret);
  });

  test("[K8] an empty file, several lines and characters that no header carries are refused, and never shown", () => {
    withSecretFile(" \n", (path) => expect(() => serveConfig(["--worker-secret-file", path])).toThrow(/the secret is empty/));
    withSecretFile("line-one\nline-two", (path) => {
      expect(() => serveConfig(["--worker-secret-file", path])).toThrow(
        /^the file of --worker-secret-file: a secret is one line of printable/,
      );
    });
    for (const secret of ["schlüssel-7391", "a\u0007b-7391", `${"x".repeat(4_100)}7391`]) {
      expect(() => checkSecret(secret, "x")).toThrow(/^x: a secret (is one line|has at most)/);
      expect(() => checkSecret(secret, "x")).not.toThrow(/7391/);
    }
  });
});

test("[K9] keys are required by flag or variable, and not by default", () => {
  const required = (args: readonly string[], env = {}) => serveConfig(["--worker-secret", "mysecret", ...args], env).requireApiKeys;
  expect(required(["--require-api-keys", "true"])).toBe(true);
  expect(required([], { MODELRELAY_REQUIRE_API_KEYS: "true" })).toBe(true);
  expect(required(["--require-api-keys", "false"])).toBe(false);
  expect(required([])).toBe(false);
});

test("[K9] a certificate without its key, or the other way round, is refused", () => {
  for (const flag of ["--tls-cert", "--tls-key"]) {
    expect(() => serveConfig(["--worker-secret", "mysecret", flag, "x.pem"])).toThrow("--tls-cert and --tls-key go together");
  }
});
