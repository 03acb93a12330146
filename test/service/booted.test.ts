// Services on a machine that systemd has booted, with the executable: what the unit's text promises is seen to happen.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { builtExecutable } from "../support/executable.ts";
import { BootedMachine, whyNotBooted } from "./booted-machine.ts";

const EXTRAS = join(import.meta.dir, "../../extras");
const LIMIT_MS = 150_000;
const MISSING = whyNotBooted();
if (MISSING !== null) console.warn(`the tests of services under a booted systemd need ${MISSING}, and are left out`);

const ASK = "curl -sS -m 20 --cacert relay.crt https://localhost/v1/chat/completions -d";
const REQUEST = `'{"model":"demo","messages":[{"role":"user","content":"hello"}]}'`;

describe.skipIf(MISSING !== null)("under a booted systemd", () => {
  let booted: BootedMachine | null = null;
  const run = async (script: string) => await booted!.run(script);
  const runUntil = async (script: string, what: string) => await booted!.runUntil(script, what);

  beforeAll(async () => {
    booted = await BootedMachine.boot(await builtExecutable(), EXTRAS);
    // The secret and the key are for root alone. The model server is the demo.
    const { code, out } = await run(`
      umask 077 && openssl rand -hex 32 > worker-secret && openssl rand -hex 32 > admin-token
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout relay.key -out relay.crt
      systemd-run --quiet --unit=model-server /usr/local/bin/modelrelay up --demo --listen 127.0.0.1:8000`);
    expect({ code, out }).toMatchObject({ code: 0 });
    await runUntil("curl -sf http://127.0.0.1:8000/v1/models | grep -q demo", "the model server answers");
  }, LIMIT_MS);
  afterAll(async () => await booted?.[Symbol.asyncDispose]());

  test(
    "[G4] [G5] [G11] installed for the machine, relay and worker run as nobody in particular, with files that only root may read, on a port below 1024",
    async () => {
      const relay = await run(
        "modelrelay service install serve --listen 127.0.0.1:443 --worker-secret-file worker-secret --tls-cert relay.crt --tls-key relay.key",
      );
      expect(relay).toEqual({
        code: 0,
        out: expect.stringContaining("modelrelay-server is installed: it runs now, and starts with the machine"),
      });
      const worker = await run(
        "modelrelay service install work --name gpu0 --proxy-url https://localhost --tls-ca relay.crt --worker-secret-file worker-secret --backend-url http://127.0.0.1:8000",
      );
      expect(worker).toEqual({ code: 0, out: expect.stringContaining("modelrelay-worker-gpu0 is installed: it runs now") });
      await runUntil("curl -sf --cacert relay.crt https://localhost/v1/models | grep -q demo", "the worker is connected");
      const { out } = await run(`${ASK} ${REQUEST} -D -`);
      expect(out).toContain('"finish_reason":"stop"');
      expect(out).toMatch(/^x-modelrelay-worker: gpu0\r$/im);
      const users = await run(
        'for u in modelrelay-server modelrelay-worker-gpu0; do ps -o euser= -p "$(systemctl show -P MainPID $u)"; done',
      );
      expect(users.out).not.toContain("root");
      const status = await run("modelrelay service status serve");
      expect(status).toEqual({ code: 0, out: expect.stringMatching(/enabled +enabled\nrunning +active\n/) });
    },
    LIMIT_MS,
  );

  test(
    "[G4] a stop lets the answer that is under way end, and a killed relay comes back with its workers",
    async () => {
      // The second one that is dispatched here: the relay is stopped in the middle of it.
      const isDispatched = 'test "$(journalctl -u modelrelay-server -o cat | grep -c "request dispatched")" = 2';
      const stopped = await run(`${ASK} ${REQUEST} > answer & until ${isDispatched}; do :; done
        systemctl stop modelrelay-server; wait; cat answer; systemctl show -P Result -P ExecMainStatus modelrelay-server`);
      expect(stopped.out).toContain('"finish_reason":"stop"');
      expect(stopped.out).toEndWith("success\n0\n");
      await run("systemctl start modelrelay-server && systemctl kill -s KILL modelrelay-server");
      await runUntil('test "$(systemctl show -P NRestarts modelrelay-server)" = 1', "it is started again");
      await runUntil("curl -sf --cacert relay.crt https://localhost/v1/models | grep -q demo", "the worker is back");
    },
    LIMIT_MS,
  );

  test(
    "[G4] [K17] an address that is in use is told, and taken as soon as it is free",
    async () => {
      await run(
        "systemctl stop modelrelay-server && systemd-run --quiet --unit=holder --property=Type=exec openssl s_server -accept 443 -cert $PWD/relay.crt -key $PWD/relay.key",
      );
      await runUntil("journalctl -u holder -o cat | grep -q ACCEPT", "the port is held");
      const taken = await run(
        "modelrelay service install serve --listen 127.0.0.1:443 --worker-secret-file worker-secret --tls-cert relay.crt --tls-key relay.key",
      );
      expect(taken).toEqual({ code: 1, out: expect.stringContaining("ended with exit code 1, as when its address is in use") });
      await run("systemctl stop holder");
      await runUntil("curl -sf --cacert relay.crt https://localhost/livez", "the relay listens");
    },
    LIMIT_MS,
  );

  test(
    "[G4] uninstalled, nothing of them is left but the keys",
    async () => {
      const gone = await run("modelrelay service uninstall serve && modelrelay service uninstall work --name gpu0");
      expect(gone).toMatchObject({ code: 0 });
      const left = await run(
        "ls /etc/systemd/system | grep modelrelay; pgrep -f 'modelrelay (serve|work)'; ls -d /var/lib/private/modelrelay",
      );
      expect(left.out).toBe("/var/lib/private/modelrelay\n");
    },
    LIMIT_MS,
  );

  test(
    "[G1] the units of extras start by hand, refuse the secret of the examples for good, and name a worker by its instance",
    async () => {
      const refused =
        await run(`mkdir -p /etc/modelrelay && cp /srv/extras/modelrelay-server.service /srv/extras/modelrelay-worker@.service /etc/systemd/system/
        install -m 600 /srv/extras/proxy.env.example /etc/modelrelay/proxy.env && install -m 600 /srv/extras/worker.env.example /etc/modelrelay/worker-gpu1.env
        systemctl daemon-reload && systemctl start modelrelay-server`);
      expect(refused).toMatchObject({ code: 0 });
      await runUntil('test "$(systemctl show -P ActiveState modelrelay-server)" = failed', "the placeholder is refused");
      const secret = 'sed -i "s/^WORKER_SECRET=.*/WORKER_SECRET=$(cat worker-secret)/" /etc/modelrelay/*.env';
      await run(`${secret}; systemctl reset-failed modelrelay-server; systemctl start modelrelay-server modelrelay-worker@gpu1`);
      await runUntil("curl -sf http://127.0.0.1:8080/v1/models | grep -q demo", "the worker is connected");
      const { out } = await run(`curl -sS -m 20 -D - http://127.0.0.1:8080/v1/chat/completions -d ${REQUEST}`);
      expect(out).toMatch(/^x-modelrelay-worker: gpu1\r$/im);
      expect(out).toContain('"finish_reason":"stop"');
    },
    LIMIT_MS,
  );
});
