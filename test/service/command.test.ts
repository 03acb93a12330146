// `modelrelay service` as a process, with a systemctl of the tests' own on its path.
import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { checkSystemdVersion, createRunner } from "../../src/cli/service/machine.ts";
import { failureOf } from "../support/until.ts";
import { StandIn } from "./stand-in.ts";

const SECRET = "a-secret-of-enough-length";
const UNIT = ".config/systemd/user/modelrelay-server.service";
const SECRETS = ".config/modelrelay/modelrelay-server.env";
const INSTALL = ["install", "serve", "--user", "--listen", "127.0.0.1:8099", "--worker-secret", SECRET];

test("[G4] install writes the unit and its secrets, enables it and starts it", async () => {
  using here = new StandIn();
  const { code, out, err } = await here.run(INSTALL);
  expect({ code, out }).toEqual({ code: 0, out: "" });
  expect(err).toContain("modelrelay-server is installed: it was started, and starts when you log in\n");
  expect(err).toEndWith("loginctl enable-linger\n");
  expect(here.calls).toEqual([
    "--user is-system-running",
    "--user daemon-reload",
    "--user enable modelrelay-server.service",
    "--user restart modelrelay-server.service",
    "--user show --property=ActiveState,SubState,NRestarts,ExecMainCode,ExecMainStatus modelrelay-server.service",
  ]);
  const unit = here.read(UNIT);
  expect(unit).toMatch(/\nExecStart=.*bun\S* .*main\.ts"? serve --listen=127\.0\.0\.1:8099\n/);
  expect(unit).not.toContain(SECRET);
  expect(unit).toContain("For changes of your own: systemctl --user edit modelrelay-server.service\n");
  expect(here.read(SECRETS)).toContain(`WORKER_SECRET="${SECRET}"\n`);
  expect(statSync(join(here.home, SECRETS)).mode & 0o777).toBe(0o600);
  expect(err).not.toContain(SECRET);
});

test("[G4] what install starts is what it wrote: the unit's own command line runs and drains", async () => {
  using here = new StandIn();
  await here.run(["install", "serve", "--user", "--listen", "127.0.0.1:0", "--worker-secret", SECRET]);
  const line = /\nExecStart=(.*)\n/.exec(here.read(UNIT))![1]!;
  const [, value = ""] = /WORKER_SECRET="(.*)"/.exec(here.read(SECRETS))!;
  // Of the quotes around a path a shell makes what systemd does.
  const command = ["sh", "-c", `exec ${line}`];
  const child = Bun.spawn(command, { env: { WORKER_SECRET: value, XDG_STATE_HOME: here.home }, stderr: "pipe", stdout: "ignore" });
  try {
    for await (const bytes of child.stderr) if (new TextDecoder().decode(bytes).includes("listening")) break;
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  } finally {
    child.kill("SIGKILL");
  }
});

test("[G4] a dry run says all of it and does none of it", async () => {
  using here = new StandIn();
  here.removeSystemctl();
  const { code, out } = await here.run([...INSTALL, "--dry-run"]);
  expect(code).toBe(0);
  expect(out).toContain(`# write ${join(here.home, UNIT)} (mode 0644)`);
  expect(out).toContain("systemctl --user enable modelrelay-server.service");
  expect(out).toContain("WORKER_SECRET=(secret)");
  expect(out).toMatch(/# ask for 2 s whether it stays up\nsystemctl --user show --property=\S+ modelrelay-server\.service\n$/);
  expect(out).not.toContain(SECRET);
  expect([here.has(".config"), here.calls]).toEqual([false, []]);
});

test("[G4] install again changes the service and nothing is left of the old one", async () => {
  using here = new StandIn();
  await here.run(INSTALL);
  const { code } = await here.run(["install", "serve", "--user", "--listen", "127.0.0.1:8100"], {
    WORKER_SECRET: "another-secret-of-length",
  });
  expect(code).toBe(0);
  expect(here.read(UNIT)).toContain("--listen=127.0.0.1:8100");
  expect(here.read(UNIT)).not.toContain("8099");
  expect(here.read(SECRETS)).toContain("another-secret-of-length");
});

test("[G4] a unit of somebody else stays as it is, unless --force is given", async () => {
  using here = new StandIn();
  here.write(UNIT, "[Service]\nExecStart=/opt/mine\n");
  const refused = await here.run(INSTALL);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain(UNIT);
  expect(refused.err).toContain("--force");
  expect(here.read(UNIT)).toContain("/opt/mine");
  expect([here.has(SECRETS), here.calls]).toEqual([false, ["--user is-system-running"]]);
  expect((await here.run([...INSTALL, "--force"])).code).toBe(0);
  expect(here.read(UNIT)).not.toContain("/opt/mine");
});

test("[G4] several workers have a name and a unit each, and variables that were set become flags", async () => {
  using here = new StandIn();
  const secret = here.write("secret", `${SECRET}\n`);
  for (const name of ["gpu0", "gpu1"]) {
    const { code, err } = await here.run(["install", "work", "--user", "--name", name, "--worker-secret-file", secret], {
      WORKER_NAME: `box ${name}`,
    });
    expect({ code, err }).toMatchObject({ code: 0 });
  }
  const unit = here.read(".config/systemd/user/modelrelay-worker-gpu1.service");
  expect(unit).toContain(` work --worker-secret-file=${secret} "--worker-name=box gpu1"\n`);
  expect(here.has(".config/systemd/user/modelrelay-worker-gpu0.service")).toBe(true);
});

test.each([
  [["install", "serve", "--user", "--lisen", "1"], "--listen"],
  [["install", "serve", "--user"], "a worker secret is needed"],
  [["install", "serve", "--user", "--worker-secret", "changeme"], "placeholder"],
  [["install", "serve", "--user", "--worker-secret", SECRET, "--tls-cert", "x.pem"], "--tls-key"],
  [["install", "work", "--user", "--worker-secret-file", "/nonexistent/secret"], "/nonexistent/secret"],
  [["install", "work", "--user", "--worker-secret", SECRET, "--name", "../evil"], "--name"],
  [["install", "work", "--user", "--worker-secret", SECRET, "--max-concurrency", "0"], "--max-concurrency"],
  [["install", "relay"], "service install relay"],
  [["status"], "serve"],
] as const)("[G4] %p is refused before anything is written, with what is wrong", async (args, words) => {
  using here = new StandIn();
  const { code, out, err } = await here.run(args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(words);
  expect([here.has(".config"), here.calls]).toEqual([false, []]);
});

test("[G10] without systemctl, or with a systemd that is not in charge, it says what else there is", async () => {
  using here = new StandIn();
  here.answer("is-system-running", { code: 1, out: "offline" });
  const offline = await here.run(INSTALL);
  expect([offline.code, offline.err]).toEqual([1, expect.stringContaining("Log in without su or sudo")]);
  here.answer("is-system-running", { code: 1, err: "Failed to connect to bus: No medium found" });
  expect((await here.run(INSTALL)).code).toBe(1);
  expect(await here.run(["status", "serve", "--user"])).toEqual({
    code: 1,
    out: "",
    err: expect.stringContaining("Log in without su or sudo"),
  });
  here.removeSystemctl();
  const missing = await here.run(INSTALL);
  expect([missing.code, missing.err]).toEqual([1, expect.stringContaining("OpenRC")]);
  expect(here.has(".config")).toBe(false);
});

test("[G10] a systemd that would not know half of the unit is refused by its number", async () => {
  const answering = (out: string) => async () => ({ code: 0, out, err: "" });
  const refusal = await failureOf(checkSystemdVersion(answering("systemd 245 (245.4-4ubuntu3)\n+PAM")));
  expect(String(refusal)).toContain("systemd 245 is too old for a service of the machine, which takes 247");
  for (const out of ["systemd 247 (247.3-7)\n", "systemd 257.4-1\n", ""]) await checkSystemdVersion(answering(out));
});

test("[G4] a settings folder that is no absolute path counts for nothing", async () => {
  using here = new StandIn();
  for (const folder of ["", "settings"]) {
    const { out } = await here.run([...INSTALL, "--dry-run"], { XDG_CONFIG_HOME: folder });
    expect(out).toContain(`# write ${join(here.home, UNIT)} `);
  }
});

test("[G10] a systemctl that fails is quoted, with its exit code", async () => {
  using here = new StandIn();
  here.answer("enable", { code: 4, err: "Unit is masked." });
  const { code, err } = await here.run(INSTALL);
  expect(code).toBe(1);
  expect(err).toContain("systemctl --user enable modelrelay-server.service failed with exit code 4: Unit is masked.");
  expect(here.calls.at(-1)).toContain("enable");
});

test("[G4] uninstall removes what install wrote and nothing else, and says when there is nothing", async () => {
  using here = new StandIn();
  await here.run(INSTALL);
  const data = here.write(".local/state/modelrelay/modelrelay.db", "keys");
  // Stopping may fail, for instance because it does not run.
  here.answer("disable", { code: 1, err: "not loaded" });
  const { code, err } = await here.run(["uninstall", "serve", "--user"]);
  expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("modelrelay-server is gone") });
  expect([here.has(UNIT), here.has(SECRETS), Bun.file(data).size]).toEqual([false, false, 4]);
  expect(here.calls.filter((call) => /disable|reset-failed/.test(call))).toEqual([
    "--user disable --now modelrelay-server.service",
    "--user reset-failed modelrelay-server.service",
  ]);
  const again = await here.run(["uninstall", "serve", "--user"]);
  expect([again.code, again.err]).toEqual([1, expect.stringContaining("is not installed")]);
});

test("[G4] uninstall leaves a service that somebody else wrote as it is, and running", async () => {
  using here = new StandIn();
  here.write(UNIT, "[Service]\nExecStart=/opt/mine\n");
  const { code, err } = await here.run(["uninstall", "serve", "--user"]);
  expect([code, err]).toEqual([1, expect.stringContaining(`${UNIT} was not written by this command`)]);
  expect(err).toContain("systemctl --user disable --now modelrelay-server.service");
  expect([here.has(UNIT), here.calls]).toEqual([true, ["--user is-system-running"]]);
});

test("[G5] install without a secret removes the one that an earlier install wrote, and no other", async () => {
  using here = new StandIn();
  await here.run(INSTALL);
  const secret = here.write("secret", `${SECRET}\n`);
  const again = ["install", "serve", "--user", "--listen", "127.0.0.1:8099", "--worker-secret-file", secret];
  expect((await here.run(again)).code).toBe(0);
  expect([here.has(SECRETS), here.has("secret")]).toEqual([false, true]);
  here.write(SECRETS, "WORKER_SECRET=somebody-elses\n");
  expect((await here.run(again)).err).toContain(`${SECRETS} stays`);
  expect(here.has(SECRETS)).toBe(true);
});

test("[G4] status says how things stand and where the log is; its exit code says whether it runs", async () => {
  using here = new StandIn();
  here.answer("is-enabled", { code: 1, err: "No such file or directory" });
  here.answer("is-active", { code: 3, out: "inactive" });
  const absent = await here.run(["status", "serve", "--user"]);
  expect(absent.code).toBe(1);
  expect(absent.out).toMatch(/installed +no\nenabled +no\nrunning +inactive\n/);
  await here.run(INSTALL);
  here.answer("is-enabled", { code: 0, out: "enabled" });
  here.answer("is-active", { code: 0, out: "active" });
  const { code, out } = await here.run(["status", "serve", "--user"]);
  expect(code).toBe(0);
  expect(out).toContain(`yes, ${join(here.home, UNIT)}`);
  expect(out).toMatch(/enabled +enabled\nrunning +active\nlog +journalctl --user -u modelrelay-server -n 50\n/);
});

test("[G4] a level of the log that was a variable becomes a flag the service takes", async () => {
  using here = new StandIn();
  const installed = await here.run(INSTALL, { LOG_LEVEL: "debug" });
  expect(installed.code).toBe(0);
  expect(here.read(UNIT)).toContain(" --log-level=debug");
});

test("[G4] a question to the manager has a limit, and what changes something has that of the manager alone", async () => {
  const env = { PATH: process.env["PATH"] };
  const hanging = ["sh", "-c", "exec sleep 60"];
  expect(String(await failureOf(createRunner(env, 200)(hanging)))).toContain("did not answer in 0.2 s; is the service manager busy?");
  expect(await createRunner(env, 20_000)(["sh", "-c", "echo out; exit 3"])).toEqual({ code: 3, out: "out\n", err: "" });
  expect(await createRunner(env)(["/nonexistent/systemctl"])).toMatchObject({ code: 127 });
});
