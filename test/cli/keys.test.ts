// `modelrelay keys` as processes, against a served admin API with a real key ring behind it.
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plainTerms } from "../../src/store/api-key.ts";
import { type AdminRig, startAdminRig, TOKEN } from "../admin/rig.ts";
import { type CliResult, runCli } from "./run-cli.ts";

const keys = (rig: AdminRig, ...args: readonly string[]): Promise<CliResult> =>
  runCli(["keys", ...args], { MODELRELAY_ADMIN_TOKEN: TOKEN, PROXY_URL: rig.url });

describe("create", () => {
  test("[A12] the secret stands alone on the standard output, and works; what is for people goes to the other", async () => {
    await using rig = await startAdminRig();
    const { code, out, err } = await keys(rig, "create", "--name", "my app");
    expect(code).toBe(0);
    expect(out).toMatch(/^mr-[0-9A-Za-z]{43}\n$/);
    const [key] = await rig.ring.list();
    expect(await rig.ring.authenticate(out.trim())).toMatchObject({ kind: "key", key: { id: key!.id } });
    expect(key).toMatchObject({ ...plainTerms("my app"), revokedAt: null });
    expect(err).toBe(
      `Created the key "my app" (id ${key!.id}, scopes infer, does not expire).\n` +
        "Its secret goes to the standard output, this once; keep it in a safe place:\n",
    );
  });

  test("[A12] every flag reaches the key", async () => {
    await using rig = await startAdminRig();
    const infer = ["--name=app", "--scope", "infer,admin", "--model", "llama*", "--model=qwen3.5:4b", "--max-concurrent=8", "--rpm", "60"];
    expect((await keys(rig, "create", ...infer, "--expires", "30d")).code).toBe(0);
    const worker = ["--name", "box", "--scope=worker", "--provider=local", "--worker-name", "gpu box 4", "--max-slots", "4"];
    expect((await keys(rig, "create", ...worker, "--expires=2099-01-31")).code).toBe(0);
    const [app, box] = await rig.ring.list();
    expect(app).toMatchObject({
      name: "app",
      scopes: ["infer", "admin"],
      models: ["llama*", "qwen3.5:4b"],
      maxConcurrent: 8,
      requestsPerMinute: 60,
    });
    expect(Math.abs(app!.expiresAt! - app!.createdAt - 30 * 86_400)).toBeLessThan(10);
    expect(box).toMatchObject({ name: "box", scopes: ["worker"], provider: "local", workerName: "gpu box 4", maxSlots: 4 });
    expect(box!.expiresAt).toBe(Date.UTC(2099, 0, 31) / 1000);
  });

  test("[A12] --json prints what the API answered, and nothing else", async () => {
    await using rig = await startAdminRig();
    const { code, out, err } = await keys(rig, "create", "--name", "<b>app</b>", "--json");
    expect([code, err]).toEqual([0, ""]);
    const body: { readonly id: string; readonly secret: string } = JSON.parse(out);
    expect(body).toMatchObject({ name: "<b>app</b>", revoked: false, last_used_at: null });
    expect(await rig.ring.authenticate(body.secret)).toMatchObject({ kind: "key", key: { id: body.id } });
  });

  test("[A12] what the relay refuses is told with its words, on one line, and the exit code is 1", async () => {
    await using rig = await startAdminRig();
    expect(await keys(rig, "create", "--name", "x", "--max-slots", "4")).toEqual({
      code: 1,
      out: "",
      err: `modelrelay: the relay at ${rig.url} refuses (invalid_request): The request could not be read. Field 'max_slots' needs the scope worker.\n`,
    });
  });
});

describe("list", () => {
  test("[A13] a table without secrets; revoked keys only with --all", async () => {
    await using rig = await startAdminRig();
    expect(await keys(rig, "list")).toEqual({
      code: 0,
      out: "",
      err: "No key is in use; 'modelrelay keys create --name NAME' makes one.\n",
    });
    const one = await rig.ring.create(plainTerms("one"));
    const two = await rig.ring.create({ ...plainTerms("two", ["infer", "worker", "admin"]), expiresAt: 4_102_444_800 });
    await rig.ring.authenticate(two.secret);
    await rig.ring.revoke(one.key.id);
    const today = new Date().toISOString().slice(0, 10);
    const listed = await keys(rig, "list");
    expect(listed).toEqual({
      code: 0,
      out:
        `${"ID".padEnd(10)}NAME  ${"PREFIX".padEnd(12)}${"SCOPES".padEnd(20)}${"CREATED".padEnd(12)}LAST USED   ${"EXPIRES".padEnd(12)}STATE\n` +
        `${two.key.id.slice(0, 8)}  two   ${two.key.prefix}  infer,worker,admin  ${today}  ${today}  2100-01-01  active\n`,
      err: "1 revoked key is not shown; --all shows them.\n",
    });
    const all = await keys(rig, "list", "--all");
    expect([all.code, all.err, all.out.split("\n").length]).toEqual([0, "", 4]);
    expect(all.out).toMatch(/ one .* never +never +revoked\n/);
    for (const { secret } of [one, two]) expect(all.out).not.toContain(secret.slice(11));
  });

  test("[A13] --json prints the keys as the API has them", async () => {
    await using rig = await startAdminRig();
    expect(await keys(rig, "list", "--json")).toEqual({ code: 0, out: '{\n  "keys": []\n}\n', err: "" });
    const { key } = await rig.ring.create(plainTerms("one"));
    await rig.ring.create(plainTerms("two"));
    await rig.ring.revoke(key.id);
    const names = async (...args: readonly string[]): Promise<readonly string[]> => {
      const body: { readonly keys: readonly { readonly name: string }[] } = JSON.parse((await keys(rig, "list", "--json", ...args)).out);
      return body.keys.map(({ name }) => name);
    };
    expect([await names(), await names("--all")]).toEqual([["two"], ["one", "two"]]);
  });
});

describe("revoke", () => {
  test("[A14] by id, by the beginning of one, by name, several at once", async () => {
    await using rig = await startAdminRig();
    const made = await Promise.all(["by id", "by beginning", "by name", "stays"].map((name) => rig.ring.create(plainTerms(name))));
    const [byId, byBeginning, byName] = made.map(({ key }) => key);
    const result = await keys(rig, "revoke", byId!.id, "--timeout", "5", byBeginning!.id.slice(0, 8).toUpperCase(), "by name");
    expect(result).toEqual({
      code: 0,
      out: [byId, byBeginning, byName].map((key) => `revoked ${key!.id} "${key!.name}"\n`).join(""),
      err: "",
    });
    expect((await rig.ring.list()).filter((key) => key.revokedAt === null).map(({ name }) => name)).toEqual(["stays"]);
    expect(JSON.parse((await keys(rig, "revoke", "--json", "stays")).out)).toEqual({ revoked: [{ id: made[3]!.key.id, name: "stays" }] });
  });

  test("[A14] when the relay fails at one of several, those before it are shown all the same", async () => {
    await using rig = await startAdminRig();
    const [one, two] = await Promise.all(["one", "two"].map((name) => rig.ring.create(plainTerms(name))));
    const error = { type: "server_error", code: "store_unavailable", message: "The disk is full." };
    using failing = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async ({ url, method, headers }) =>
        url.endsWith(two!.key.id)
          ? Response.json({ error }, { status: 503 })
          : await rig.ask(new URL(url).pathname, { method, headers: new Headers(headers) }),
    });
    const door = failing.url.href.slice(0, -1);
    const words = ["keys", "revoke", "one", "two", "--url", door];
    const err = `modelrelay: the relay at ${door} refuses (store_unavailable): The disk is full.\n`;
    const asJson = await runCli([...words, "--json"], { MODELRELAY_ADMIN_TOKEN: TOKEN });
    expect([asJson.code, asJson.err]).toEqual([1, err]);
    expect(JSON.parse(asJson.out)).toEqual({ revoked: [{ id: one!.key.id, name: "one" }] });
    // By its id it is found again, and what is revoked may be revoked once more.
    const again = await runCli(["keys", "revoke", one!.key.id, ...words.slice(3)], { MODELRELAY_ADMIN_TOKEN: TOKEN });
    expect(again).toEqual({ code: 1, out: `revoked ${one!.key.id} "one"\n`, err });
  });

  test("[A14] when one cannot be told, none is revoked", async () => {
    await using rig = await startAdminRig();
    const [good, one, two, gone] = await Promise.all(["good", "twin", "twin", "gone"].map((name) => rig.ring.create(plainTerms(name))));
    await rig.ring.revoke(gone!.key.id);
    const cases: readonly (readonly [word: string, line: RegExp])[] = [
      ["twin", new RegExp(`^modelrelay: "twin" may mean several keys; give the id: ${one!.key.id}, ${two!.key.id}\n$`)],
      ["god", /^modelrelay: there is no key "god"; did you mean "good"\? 'modelrelay keys list' shows which there are\n$/],
      ["gone", /^modelrelay: there is no key "gone" that is not revoked already\. 'modelrelay keys list' /],
      [one!.key.id.slice(0, 7), /^modelrelay: there is no key "[0-9a-f]{7}"/],
    ];
    for (const [word, line] of cases) {
      const { code, out, err } = await keys(rig, "revoke", "good", word);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(line);
    }
    expect((await rig.ring.list()).find(({ id }) => id === good!.key.id)!.revokedAt).toBeNull();
  });
});

describe("trouble", () => {
  test.each(["list", "create --name x", "revoke x"])("[A15] keys %s: no relay there", async (words) => {
    const url = await urlWithoutRelay();
    const { code, out, err } = await runCli(["keys", ...words.split(" "), "--url", url], { MODELRELAY_ADMIN_TOKEN: TOKEN });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toBe(
      `modelrelay: the relay at ${url} cannot be reached: no connection. Is it running? --url gives another address, with https:// where it has a certificate\n`,
    );
  });

  test("[A15] a token that is refused: where it came from, what it has to be, and never itself", async () => {
    await using rig = await startAdminRig();
    for (const args of [["list"], ["create", "--name", "x"], ["revoke", "x"]]) {
      const { code, out, err } = await runCli(["keys", ...args], { MODELRELAY_ADMIN_TOKEN: "canary-of-a-token", PROXY_URL: rig.url });
      expect([code, out]).toEqual([1, ""]);
      expect(err).toStartWith(
        `modelrelay: the relay at ${rig.url} refuses the admin token of variable MODELRELAY_ADMIN_TOKEN (admin_forbidden): `,
      );
      expect(err).toEndWith("It has to be the token that relay was started with, or a key with the scope admin\n");
      expect(err).not.toContain("canary");
    }
  });

  test("[A15] a relay without a token says how to give it one", async () => {
    await using rig = await startAdminRig({ authorize: () => Promise.resolve(false), isTokenConfigured: false });
    expect((await keys(rig, "list")).err).toContain("No admin token is configured: start the relay with --admin-token-file PATH");
  });

  test("[A15] a relay that keeps no keys", async () => {
    await using rig = await startAdminRig({ keys: null });
    const { code, err } = await keys(rig, "list");
    expect([code, err]).toEqual([1, expect.stringMatching(/^modelrelay: the relay at \S+ refuses \(store_unavailable\): .*\n$/)]);
  });

  test.each<[string, () => Response, number]>([
    ["a page", () => new Response("<html>\u001b[31m", { status: 200 }), 200],
    ["another JSON", () => Response.json({ keys: [{ id: 1 }] }), 200],
    ["nothing here", () => new Response(null, { status: 404 }), 404],
    ["another's refusal", () => Response.json({ error: "no" }, { status: 403 }), 403],
    ["a redirect", () => Response.redirect("http://127.0.0.1:9/admin/keys", 302), 302],
  ])("[A15] something else answers: %s", async (_what, answer, status) => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
    const url = `http://127.0.0.1:${server.port}`;
    try {
      const { code, out, err } = await runCli(["keys", "list", "--url", url], { MODELRELAY_ADMIN_TOKEN: TOKEN });
      expect({ code, out, err }).toEqual({
        code: 1,
        out: "",
        err: `modelrelay: ${url} answered ${status}, not as a relay with keys does; --url gives another address\n`,
      });
    } finally {
      await server.stop(true);
    }
  });

  test("[A15] what a relay writes is shown without what would steer a terminal", async () => {
    const refusal = { error: { code: "x", message: "\u001b[2J\nmodelrelay: all is well" } };
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json(refusal, { status: 500 }) });
    try {
      const { err } = await runCli(["keys", "list", "--url", `http://127.0.0.1:${server.port}`], { MODELRELAY_ADMIN_TOKEN: TOKEN });
      expect(err).toEndWith("refuses (x): \\u001b[2J\\nmodelrelay: all is well\n");
    } finally {
      await server.stop(true);
    }
  });

  test("[A15] a relay that does not answer is waited for as long as --timeout says", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => promise });
    try {
      const args = ["keys", "list", "--url", `http://127.0.0.1:${server.port}`, "--timeout", "0.2"];
      const { code, err } = await runCli(args, { MODELRELAY_ADMIN_TOKEN: TOKEN });
      expect([code, err]).toEqual([1, expect.stringContaining("did not answer in 0.2 s; --timeout gives it longer")]);
    } finally {
      resolve(new Response());
      await server.stop(true);
    }
  });

  test("[A15] the token comes from a file too; given as a flag it is warned of", async () => {
    await using rig = await startAdminRig();
    const folder = mkdtempSync(join(tmpdir(), "keys-"));
    try {
      const file = join(folder, "token");
      writeFileSync(file, `${TOKEN}\n`);
      expect(await runCli(["keys", "list", "--json", "--admin-token-file", file, "--url", rig.url])).toMatchObject({ code: 0, err: "" });
      const flagged = await runCli(["keys", "list", "--json", "--admin-token", TOKEN, "--url", rig.url]);
      expect(flagged.code).toBe(0);
      expect(flagged.err).toBe("modelrelay: a secret given as a flag shows in the process list; use --admin-token-file\n");
      const stronger = await runCli(["keys", "list", "--admin-token-file", file, "--url", rig.url], { MODELRELAY_ADMIN_TOKEN: "x" });
      expect(stronger.code).toBe(0);
      const wrong = await runCli(["keys", "list", "--admin-token", "x", "--url", rig.url], { MODELRELAY_ADMIN_TOKEN_FILE: file });
      expect(wrong.err).toContain("refuses the admin token of --admin-token (");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each<[string, readonly string[], string]>([
    ["a flag instead of a word", ["--url", "x"], "keys needs a command before its flags. The commands of keys are create, list, revoke"],
    ["an unknown word", ["lits"], "unknown command keys lits; did you mean keys list?"],
    ["no token", ["list"], "an admin token is needed"],
    ["no name", ["create"], "a name is needed: --name NAME"],
    ["an unknown flag", ["list", "--al"], "unknown flag --al; did you mean --all?"],
    ["another command's flag", ["list", "--name", "x"], "unknown flag --name"],
    ["a stray word", ["create", "my-app"], 'unexpected argument "my-app"'],
    ["nothing to revoke", ["revoke"], "keys revoke needs ID: The keys to revoke"],
    ["an unknown scope", ["create", "--name", "x", "--scope", "root"], '--scope: "root" is not one or more of infer, worker, admin'],
    ["no number", ["create", "--name", "x", "--rpm", "many"], '--rpm: "many" is not a whole number from 1 to 1000000'],
    [
      "a date that is none",
      ["create", "--name", "x", "--expires", "2027-02-30"],
      '--expires: "2027-02-30" is not a time from now such as ',
    ],
    ["a time without its zone", ["create", "--name", "x", "--expires", "2027-02-03T10:00"], "is not a time from now such as "],
    ["no time at all", ["create", "--name", "x", "--expires", "0d"], '"0d" is not a time from now such as '],
    ["a placeholder", ["list", "--admin-token", "change-me"], "--admin-token: this is the placeholder of an example"],
  ])("[A15] %s is refused before anything is asked, with exit code 2", async (_what, args, message) => {
    const { code, out, err } = await runCli(["keys", ...args], { PROXY_URL: "http://127.0.0.1:9" });
    expect([code, out, err.split("\n").length]).toEqual([2, "", 2]);
    expect(err).toContain(message);
  });

  test("[A15] a moment that is over is refused before anything is asked", async () => {
    const env = { PROXY_URL: "http://127.0.0.1:9", MODELRELAY_ADMIN_TOKEN: TOKEN };
    const { code, err } = await runCli(["keys", "create", "--name", "x", "--expires", "2020-01-01T00:00:00+02:00"], env);
    expect([code, err]).toEqual([2, "modelrelay: --expires: this moment is over; a key has to end in the future\n"]);
  });
});

/** Nobody listens there any more. */
async function urlWithoutRelay(): Promise<string> {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const url = `http://127.0.0.1:${server.port}`;
  await server.stop(true);
  return url;
}
