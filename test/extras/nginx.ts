// nginx as a process of the tests' own: the shipped file, with nothing changed but names, places and ports, in a directory that is gone afterwards.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../docs/documents.ts";
import { type FrontServer, freePort, type Place, type Substitution, substitute, tryStarting, whatIsMissing } from "./front-server.ts";

const SHIPPED = join(ROOT, "extras/tls-nginx.conf");
// Debian keeps it off the PATH of those who are not root.
const PROGRAM = Bun.which("nginx") ?? (existsSync("/usr/sbin/nginx") ? "/usr/sbin/nginx" : null);

export const NGINX_MISSING: string | null = whatIsMissing("nginx", PROGRAM);

if (NGINX_MISSING !== null) console.warn(`\nWARNING: extras/tls-nginx.conf is not tested: ${NGINX_MISSING}\n`);

export interface Nginx extends FrontServer {
  /** Takes its configuration and certificates up anew. */
  reload(): void;
  /** What the shipped file's own check says. */
  check(): string;
}

/** Resolves once it listens. */
export async function startNginx(place: Place): Promise<Nginx> {
  return await tryStarting(async () => {
    const directory = mkdtempSync(join(tmpdir(), "modelrelay-nginx-"));
    const [httpPort, httpsPort] = [freePort(), freePort()];
    const shipped = substitute(readFileSync(SHIPPED, "utf8"), placesOf(place, directory, httpPort, httpsPort));
    writeFileSync(join(directory, "modelrelay.conf"), shipped);
    writeFileSync(join(directory, "nginx.conf"), debianConfig(directory));
    const command = [PROGRAM!, "-p", directory, "-c", join(directory, "nginx.conf"), "-e", "stderr"];
    const child = Bun.spawn([...command, "-g", "daemon off;"], { stdio: ["ignore", "ignore", "pipe"] });
    return {
      child,
      ports: [httpPort, httpsPort],
      ready: {
        url: new URL(`https://127.0.0.1:${httpsPort}`),
        httpUrl: new URL(`http://127.0.0.1:${httpPort}`),
        check: () => Bun.spawnSync([...command, "-t"], { stderr: "pipe" }).stderr.toString(),
        reload: () => child.kill("SIGHUP"),
        log: () => readFileSync(join(directory, "modelrelay.log"), "utf8"),
      },
      forget: () => rmSync(directory, { recursive: true, force: true }),
    };
  });
}

/** Everything of the shipped file that belongs to one machine. */
function placesOf(place: Place, directory: string, httpPort: number, httpsPort: number): readonly Substitution[] {
  const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));
  const [major = 0, minor = 0, patch = 0] = versionOf();
  const isNew = major > 1 || minor > 25 || (minor === 25 && patch >= 1);
  // As the file's own comment says for newer versions.
  const [ssl, http2] = isNew ? ["ssl;", "\n    http2 on;"] : ["ssl http2;", ""];
  return [
    ["    listen 80;\n", `    listen 127.0.0.1:${httpPort};\n`],
    ["    listen [::]:80;\n", hasIpv6 ? `    listen [::1]:${httpPort};\n` : ""],
    ["    listen 443 ssl http2;\n", `    listen 0.0.0.0:${httpsPort} ${ssl}\n`],
    ["    listen [::]:443 ssl http2;\n", (hasIpv6 ? `    listen [::1]:${httpsPort} ${ssl}` : "") + http2 + "\n"],
    ["    server 127.0.0.1:8080;\n", `    server ${place.upstream.host};\n`],
    ["/etc/letsencrypt/live/relay.example.com/fullchain.pem;", `${place.certFile};`],
    ["/etc/letsencrypt/live/relay.example.com/privkey.pem;", `${place.keyFile};`],
    ["    access_log /var/log/nginx/modelrelay.log modelrelay;\n", `    access_log ${directory}/modelrelay.log modelrelay;\n`, 2],
    ["        root /var/www/html;\n", `        root ${directory};\n`],
    // "Your own network" of the tests; 127.0.0.4 is outside of it.
    ["        allow 127.0.0.1;\n", "        allow 127.0.0.1;\n        allow 127.0.0.2;\n        allow 127.0.0.3;\n"],
  ];
}

/** What Debian's own nginx.conf has around the files of conf.d, but for its places. */
function debianConfig(directory: string): string {
  return `
    ${process.getuid?.() === 0 ? "user root;" : ""}
    worker_processes auto;
    pid ${directory}/nginx.pid;
    events { worker_connections 768; }
    http {
      sendfile on;
      tcp_nopush on;
      types_hash_max_size 2048;
      default_type application/octet-stream;
      ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
      ssl_prefer_server_ciphers on;
      access_log off;
      gzip on;
      client_body_temp_path ${directory}/body;
      proxy_temp_path ${directory}/proxy;
      fastcgi_temp_path ${directory}/fastcgi;
      uwsgi_temp_path ${directory}/uwsgi;
      scgi_temp_path ${directory}/scgi;
      include ${directory}/modelrelay.conf;
    }
  `;
}

function versionOf(): readonly number[] {
  const said = Bun.spawnSync([PROGRAM!, "-v"], { stderr: "pipe" }).stderr.toString();
  return (/nginx\/(\d+)\.(\d+)\.(\d+)/.exec(said) ?? []).slice(1).map(Number);
}
