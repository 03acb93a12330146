// Caddy as a process of the tests' own: the shipped file, with nothing changed but the name, places and ports, in a directory that is gone afterwards.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../docs/documents.ts";
import { type FrontServer, freePort, type Place, substitute, tryStarting, whatIsMissing } from "./front-server.ts";

export const CADDYFILE = join(ROOT, "extras/Caddyfile");

const PROGRAM = Bun.which("caddy");

export const CADDY_MISSING: string | null = whatIsMissing("caddy", PROGRAM);

if (CADDY_MISSING !== null) console.warn(`\nWARNING: extras/Caddyfile is not tested: ${CADDY_MISSING}\n`);

/** Resolves once it listens. */
export async function startCaddy(place: Place): Promise<FrontServer> {
  return await tryStarting(async () => {
    const directory = mkdtempSync(join(tmpdir(), "modelrelay-caddy-"));
    const [httpPort, httpsPort] = [freePort(), freePort()];
    const shipped = substitute(readFileSync(CADDYFILE, "utf8"), [
      ["relay.example.com {\n", `https://127.0.0.1, https://localhost {\n\ttls ${place.certFile} ${place.keyFile}\n`],
      ["\treverse_proxy 127.0.0.1:8080 {\n", `\treverse_proxy ${place.upstream.host} {\n`],
      ["\tlog {\n", `\tlog {\n\t\toutput file ${directory}/access.log\n`],
      // "Your own network" of the tests; 127.0.0.4 is outside of it.
      ["remote_ip 127.0.0.1 ::1", "remote_ip 127.0.0.1 127.0.0.2 127.0.0.3 ::1"],
    ]);
    const options = `{\n\tadmin off\n\tskip_install_trust\n\thttp_port ${httpPort}\n\thttps_port ${httpsPort}\n}\n`;
    writeFileSync(join(directory, "Caddyfile"), options + shipped);
    const env = { PATH: process.env["PATH"] ?? "", HOME: directory };
    const child = Bun.spawn([PROGRAM!, "run", "--adapter", "caddyfile", "--config", join(directory, "Caddyfile")], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const log = join(directory, "access.log");
    return {
      child,
      ports: [httpPort, httpsPort],
      ready: {
        url: new URL(`https://127.0.0.1:${httpsPort}`),
        httpUrl: new URL(`http://127.0.0.1:${httpPort}`),
        log: () => (existsSync(log) ? readFileSync(log, "utf8") : ""),
      },
      forget: () => rmSync(directory, { recursive: true, force: true }),
    };
  });
}

/** One of Caddy's own commands, with all it said. */
export function runCaddy(...args: readonly string[]): { readonly code: number; readonly said: string } {
  const directory = mkdtempSync(join(tmpdir(), "modelrelay-caddy-"));
  try {
    const env = { PATH: process.env["PATH"] ?? "", HOME: directory };
    const { exitCode, stdout, stderr } = Bun.spawnSync([PROGRAM!, ...args], { env, stdout: "pipe", stderr: "pipe" });
    return { code: exitCode, said: stdout.toString() + stderr.toString() };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
