// `llamafile config`, `import`, `rm` and `doctor`: what is kept on disk, and what is said of it.
import { expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as v from "valibot";
import { DOCTOR_OPTIONS } from "../../src/cli/llamafile/options.ts";
import { readLine } from "../../src/cli/llamafile/settings.ts";
import { runCli } from "../cli/run-cli.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { TerminalCli } from "../cli/terminal-cli.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "settings-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

test("[F20] settings are kept in a file for the owner alone, and a secret is shown by its end at most", async () => {
  await using scene = new Scene();
  const secret = "0123456789abcdefWXYZ";
  expect((await scene.run("config", "set", "worker-secret", secret)).out).toBe("worker-secret = ********WXYZ\n");
  expect((await scene.run("config", "set", "proxy-url", "https://relay.example/prefix/")).out).toBe(
    "proxy-url = https://relay.example/prefix/\n",
  );
  await scene.run("config", "set", "default-args", "--", "--temp", "0.2 ");
  await scene.run("config", "set", "gpu-layers", "20");
  expect(statSync(scene.home.settings).mode & 0o777).toBe(0o600);
  const { out } = await scene.run("config", "list");
  expect(out).toContain("worker-secret = ********WXYZ\n");
  expect(out).toContain("default-args = --temp 0.2 \n");
  expect(out).not.toContain(secret);
  expect((await scene.run("config", "get", "worker-secret")).out).toBe("********WXYZ\n");
  expect((await scene.run("config", "get", "gpu_layers")).out).toBe("20\n");
  expect((await scene.run("config", "unset", "gpu-layers")).code).toBe(0);
  expect((await scene.run("config", "set", "tls-ca", "ca.pem")).out).toBe(`tls-ca = ${resolve("ca.pem")}\n`);
  await scene.run("config", "unset", "tls-ca");
  expect(await scene.run("config", "get", "gpu-layers")).toMatchObject({ code: 1, out: "" });
  expect(Bun.TOML.parse(readFileSync(scene.home.settings, "utf8"))).toEqual({
    worker_secret: secret,
    proxy_url: "https://relay.example/prefix/",
    default_args: ["--temp", "0.2 "],
  });
}, 30_000);

test.each([
  [["set", "proxy_ulr", "x"], 'there is no setting "proxy_ulr"; did you mean proxy-url?'],
  [["set", "proxy-url", "relay.example"], "did you mean http://relay.example?"],
  [["set", "port-range", "9-1"], "is not a range of ports such as 18080-18179"],
  [["set", "worker-secret", "changeme"], "this is the placeholder of an example"],
  [["set", "gpu-layers"], "config set gpu-layers needs VALUE"],
  [["set", "default-args", "x"], "default-args are written after --"],
  [["gte", "proxy-url"], "did you mean llamafile config get?"],
])("[F20] config %p is refused with what would be right", async (words, message) => {
  await using scene = new Scene();
  const { code, err } = await scene.run("config", ...words);
  expect(err).toContain(message);
  expect(code).toBe(2);
  expect(existsSync(scene.home.settings)).toBe(false);
});

test("[F20] a flag wins over a variable, a variable over the file, the file over the default", () => {
  using folder = new TemporaryFolder();
  writeFileSync(join(folder.path, "config.toml"), 'proxy_url = "http://file:1"\nmax_concurrency = 2\ndefault_args = ["-t", "8"]\n');
  const shape = { options: DOCTOR_OPTIONS };
  const read = (args: readonly string[], env: Record<string, string>) =>
    readLine("doctor", shape, args, { MODELRELAY_HOME: folder.path, ...env });
  const everywhere = read(["--proxy-url", "http://flag:1"], { PROXY_URL: "http://variable:1", MAX_CONCURRENCY: "4" });
  expect([everywhere.values.proxyUrl?.host, everywhere.values.maxConcurrency]).toEqual(["flag:1", 4]);
  expect(read([], { PROXY_URL: "http://variable:1" }).values.proxyUrl?.host).toBe("variable:1");
  const filed = read([], {});
  expect([filed.values.proxyUrl?.host, filed.values.maxConcurrency, filed.values.provider]).toEqual(["file:1", 2, "local"]);
  expect(filed.defaultArgs).toEqual(["-t", "8"]);
  expect(filed.origins.proxyUrl).toEqual({ kind: "file", path: join(folder.path, "config.toml"), name: "proxy_url" });
});

test("[F20] a wrong key or value in the file is named with the file", async () => {
  await using scene = new Scene();
  mkdirSync(scene.home.root, { recursive: true });
  writeFileSync(scene.home.settings, 'proxy_ulr = "x"\n');
  expect((await scene.run("list")).err).toContain('unknown key "proxy_ulr" in');
  writeFileSync(scene.home.settings, "gpu_layers = -3\n");
  expect((await scene.run("run", "gemma-3-1b")).err).toContain("gpu_layers in");
  writeFileSync(scene.home.settings, "not toml");
  expect(await scene.run("status")).toMatchObject({ code: 1, err: expect.stringContaining("is not TOML") as unknown });
});

test("[F18] an import is a link or a copy under a slug of its own, and only of a program", async () => {
  await using scene = new Scene();
  const path = scene.standIn("My Model v1");
  expect(await scene.run("import", path)).toMatchObject({ code: 0, out: expect.stringMatching(/^my-model-v1: linked/) as unknown });
  expect(await scene.run("import", path, "--slug", "twin", "--copy")).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^twin: copied/) as unknown,
  });
  const file = (slug: string): string => join(scene.home.models, `${slug}.llamafile`);
  expect([lstatSync(file("my-model-v1")).isSymbolicLink(), lstatSync(file("twin")).isSymbolicLink()]).toEqual([true, false]);
  expect((await scene.run("list", "--tag", "imported")).out).toMatch(/my-model-v1.*downloaded[\s\S]*twin.*downloaded/);

  const weights = join(scene.folder, "w.llamafile");
  writeFileSync(weights, "GGUF and so on");
  for (const [args, message] of [
    [[weights], "does not begin as a program does"],
    [[path, "--slug", "twin"], "there is a model twin already: 'modelrelay llamafile rm twin' first"],
    [[path, "--slug", "gemma-3-1b"], "it is one of the catalogue"],
    [[path, "--slug", "../x"], "a slug is 1 to 64"],
    [[path, "--slug", "all"], "the slug all is taken"],
    [[join(scene.folder, "nothing")], "cannot be read (ENOENT)"],
    [[scene.folder], "is no file"],
  ] as const) {
    const { code, err } = await scene.run("import", ...args);
    expect(err).toContain(message);
    expect(code).toBe(1);
  }
}, 40_000);

test("[F18] rm removes the link or the copy, never the file it was made of, and asks where somebody can answer", async () => {
  await using scene = new Scene();
  const path = scene.standIn("mine");
  await scene.run("import", path, "--slug", "mine");
  expect(await scene.run("rm", "mine")).toMatchObject({ code: 2, err: expect.stringContaining("--yes says that it is meant") as unknown });
  expect(await scene.run("rm", "mine", "--yes")).toMatchObject({ code: 0, out: "mine: removed\n" });
  expect(existsSync(path)).toBe(true);
  expect(existsSync(join(scene.home.models, "mine.llamafile"))).toBe(false);
  expect(await scene.run("rm", "mine", "--yes")).toMatchObject({ code: 1, err: expect.stringContaining("there is no model") as unknown });
  expect((await scene.run("rm", "gemma-3-1b", "--yes")).err).toContain("gemma-3-1b is not downloaded: there is nothing to remove");
}, 30_000);

test("[F18] on a terminal rm asks, and only a yes counts", async () => {
  await using scene = new Scene();
  await scene.imports("mine");
  const env = { HOME: scene.folder, MODELRELAY_HOME: scene.home.root };
  for (const [answer, isThere] of [
    ["\n", true],
    ["no\n", true],
    ["y\n", false],
  ] as const) {
    await using asking = new TerminalCli(["llamafile", "rm", "mine"], { cols: 100, rows: 10 }, env);
    await until(() => asking.written.includes("[y/N] "), "it asks", 10_000);
    expect(asking.written).toMatch(/Remove mine \(\d+ B\)\? \[y\/N\]/);
    asking.type(answer);
    expect(await asking.exit()).toBe(isThere ? 1 : 0);
    expect(existsSync(join(scene.home.models, "mine.llamafile"))).toBe(isThere);
  }
}, 40_000);

test.each([
  ["Ctrl+D", "\u0004", 1],
  ["Ctrl+C", "\u0003", 130],
])(
  "[F18] %s at the question of rm removes nothing",
  async (_key, sign, exitCode) => {
    await using scene = new Scene();
    await scene.imports("mine");
    await using asking = new TerminalCli(
      ["llamafile", "rm", "mine"],
      { cols: 100, rows: 10 },
      { HOME: scene.folder, MODELRELAY_HOME: scene.home.root },
    );
    await until(() => asking.written.includes("[y/N] "), "it asks", 10_000);
    asking.type(sign);
    expect(await asking.exit()).toBe(exitCode);
    await until(() => asking.written.includes("Nothing is removed."), "it says so");
    expect(asking.written).toMatch(/\[y\/N\] .*\r?\nNothing is removed\./);
    expect(asking.written).not.toContain("error");
    expect(existsSync(join(scene.home.models, "mine.llamafile"))).toBe(true);
  },
  20_000,
);

test("[F21] doctor warns of a home that others may write in", async () => {
  await using scene = new Scene();
  const home = async () => /^ *(\w+) +home +(.*)$/m.exec((await scene.run("doctor")).out)?.slice(1, 3);
  expect(await home()).toEqual(["ok", scene.home.root]);
  chmodSync(scene.home.models, 0o777);
  expect(await home()).toEqual(["warning", expect.stringContaining("others may write in")]);
});

test("[F21] doctor says of each thing how it is, asks the relay with the secret, and fails only where something is broken", async () => {
  await using scene = new Scene();
  const alone = await scene.run("doctor", "--json");
  expect(alone.code).toBe(0);
  const { checks } = v.parse(v.object({ checks: v.array(v.object({ check: v.string(), verdict: v.string() })) }), JSON.parse(alone.out));
  expect(checks.map(({ check }) => check)).toEqual(
    expect.arrayContaining(["system", "processor", "memory", "gpu", "home", "disk", "executables", "catalogue", "relay"]),
  );
  expect(checks.at(-1)).toMatchObject({ check: "relay", verdict: "skipped" });

  await using relay = startTestRelay();
  await scene.run("config", "set", "proxy-url", relay.url.href);
  const unknown = await scene.run("doctor");
  expect(unknown).toMatchObject({ code: 1, out: expect.stringContaining("FAILED   worker secret   none is set") as unknown });
  scene.env = { WORKER_SECRET: "test-secret" };
  const good = await scene.run("doctor");
  expect(good.out).toMatch(/ok +secret +accepted/);
  expect(good).toMatchObject({ code: 0, out: expect.stringMatching(/\d+ of \d+ checks ok/) as unknown });
  scene.env = { WORKER_SECRET: "wrong-secret" };
  const wrong = await scene.run("doctor");
  expect(wrong.out).toMatch(/FAILED +secret/);
  expect(wrong.code).toBe(1);
  expect(wrong.out).not.toContain("wrong-secret");
}, 40_000);

test("[F20] a home that cannot be used is named by whoever needs it", async () => {
  await using scene = new Scene();
  const file = join(scene.folder, "file");
  writeFileSync(file, "");
  const lines = [
    ["download", "gemma-3-1b"],
    ["run", "gemma-3-1b"],
    ["config", "set", "gpu-layers", "3"],
    ["import", process.execPath, "--slug", "x"],
  ];
  for (const words of lines) {
    const { code, err } = await runCli(["llamafile", ...words, "--home", join(file, "home")], { HOME: scene.folder });
    expect(err).toContain("ENOTDIR");
    expect(err).not.toContain("internal error");
    expect(code).toBe(1);
  }
});

test("[F21] doctor names a home that cannot be used", async () => {
  await using scene = new Scene();
  const file = join(scene.folder, "file");
  writeFileSync(file, "");
  const { code, out, err } = await runCli(["llamafile", "doctor", "--home", join(file, "home")], { HOME: scene.folder });
  expect(out + err).toContain("ENOTDIR");
  expect(code).toBe(1);
});
