// What `service install` makes of its flags, of variables and of a config file: no secret twice, and room for every path in the definition.
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { readInstallRequest } from "../../src/cli/service/request.ts";
import type { Environment } from "../../src/cli/options/parse.ts";
import { isHidden, isReadableByAll } from "../../src/service/reach.ts";
import type { Role, Service } from "../../src/service/service.ts";

const SECRET = "a-secret-of-enough-length";
const FOLDER = mkdtempSync(join(tmpdir(), "request-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));

function fileOf(name: string, text: string): string {
  const path = join(FOLDER, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

function requestOf(role: Role, args: readonly string[], env: Environment = {}, readable: readonly string[] = []): Service {
  const program = ["/usr/local/bin/modelrelay"];
  return readInstallRequest(role, args, { env, cwd: FOLDER, program, isReadableByAll: (path) => readable.includes(path) }).service;
}

test("[G5] of a secret and a file of it the stronger goes into the service, alone", () => {
  const path = fileOf("worker-secret", `${SECRET}\n`);
  const byFlag = requestOf("serve", ["--worker-secret-file", path], { WORKER_SECRET: "the-old-one-of-the-machine" });
  expect([byFlag.flags, byFlag.secrets]).toEqual([[`--worker-secret-file=${path}`], []]);
  const byValue = requestOf("serve", ["--worker-secret", SECRET], { WORKER_SECRET_FILE: path });
  expect([byValue.flags, byValue.secrets.map(({ value }) => value)]).toEqual([[], [SECRET]]);
  const token = requestOf("serve", ["--worker-secret-file", path, "--admin-token-file", path], {
    MODELRELAY_ADMIN_TOKEN: "another-of-the-machine",
  });
  expect(token.secrets).toEqual([]);
  const key = requestOf("work", ["--worker-secret-file", path, "--backend-api-key-file", path], { BACKEND_API_KEY: "sk-of-the-machine" });
  expect(key.secrets).toEqual([]);
});

test("[G4] [G5] what a config file names has room in the definition too: its port, its directories, its files", () => {
  const secret = fileOf("config-secret", `${SECRET}\n`);
  const config = fileOf(
    "relay.toml",
    `listen = "0.0.0.0:443"\ndata_dir = "/srv/relay"\nlog_file = "/srv/log/relay.log"\nworker_secret_file = "config-secret"\nmax_queue_len = 7\n`,
  );
  const before = process.cwd();
  process.chdir(FOLDER);
  try {
    const service = requestOf("serve", ["--config", config]);
    expect(service.port).toBe(443);
    expect(service.writes).toEqual(["/srv/relay", "/srv/log"]);
    expect(Object.fromEntries(service.inputs)).toEqual({ config, "worker-secret-file": secret });
    expect(service.flags).toEqual([
      `--config=${config}`,
      `--worker-secret-file=${secret}`,
      "--data-dir=/srv/relay",
      "--log-file=/srv/log/relay.log",
    ]);
  } finally {
    process.chdir(before);
  }
});

test("[G4] a worker is called as its service is, unless it is given a name of its own", () => {
  const path = fileOf("named-secret", SECRET);
  const flagsOf = (more: readonly string[], env: Environment = {}) =>
    requestOf("work", ["--worker-secret-file", path, ...more], env).flags.filter((flag) => flag.startsWith("--worker-name"));
  expect(flagsOf(["--name", "gpu0"])).toEqual(["--worker-name=gpu0"]);
  expect(flagsOf(["--name", "gpu0", "--worker-name", "attic"])).toEqual(["--worker-name=attic"]);
  expect(flagsOf(["--name", "gpu0"], { WORKER_NAME: "cellar" })).toEqual(["--worker-name=cellar"]);
  expect(flagsOf([])).toEqual([]);
});

test("[G5] a certificate that everybody may read stays where it is, any other is handed over together with its key", () => {
  const path = fileOf("tls-secret", SECRET);
  const [cert, key] = ["/etc/relay/relay.crt", "/etc/relay/relay.key"];
  const inputsWith = (readable: readonly string[]) => {
    const flags = ["--worker-secret-file", path, "--tls-cert", cert, "--tls-key", key];
    return [...requestOf("serve", flags, {}, readable).inputs.keys()];
  };
  expect(inputsWith([cert, key])).toEqual(["worker-secret-file"]);
  // The key is for root alone, as it should be.
  expect(inputsWith([cert])).toEqual(["worker-secret-file", "tls-cert", "tls-key"]);
  const ca = fileOf("ca.pem", rootCertificates[0]!);
  const ofWorker = (readable: readonly string[]) =>
    [...requestOf("work", ["--worker-secret-file", path, "--tls-ca", ca], {}, readable).inputs.keys()].sort();
  expect([ofWorker([ca]), ofWorker([])]).toEqual([["worker-secret-file"], ["tls-ca", "worker-secret-file"]]);
});

test.if(process.platform === "linux" && process.getuid?.() === 0)(
  "[G5] everybody can read what is open itself, in open folders, and not in somebody's home",
  () => {
    expect(["/etc/passwd", "/etc/shadow", "/etc/nothing-of-that-name"].map(isReadableByAll)).toEqual([true, false, false]);
    expect(["/var/tmp/x", "/run/user/7/x"].map(isHidden)).toEqual([true, true]);
    expect(["/etc/x", "/rooted/x", "/srv/home/x"].map(isHidden)).toEqual([false, false, false]);
    // Open itself, in a folder that is closed to others.
    const closed = mkdtempSync("/var/closed-");
    writeFileSync(join(closed, "open.crt"), "", { mode: 0o644 });
    const seen = isReadableByAll(join(closed, "open.crt"));
    rmSync(closed, { recursive: true });
    expect(seen).toBe(false);
  },
);
