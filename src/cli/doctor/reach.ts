// The steps below HTTP, one by one: the name, the connection, the tunnel through a proxy, the certificate.
import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const NAME_LIMIT_MS = 5_000;
const CONNECT_LIMIT_MS = 5_000;
const HANDSHAKE_LIMIT_MS = 5_000;
const TUNNEL_ANSWER_MAX_CHARS = 16_384;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Where a URL leads, with the port of its scheme when it names none. IPv6 without brackets. */
export function endpointOf(url: URL): Endpoint {
  const isSecure = url.protocol === "https:" || url.protocol === "wss:";
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port) };
}

/** The addresses of a name. @throws an error with a `code` when it has none, or nobody says in time */
export async function resolveName(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const found = await inTime(lookup(host, { all: true }), NAME_LIMIT_MS);
  return found.map(({ address }) => address);
}

/** An open connection. @throws an error with a `code` */
export async function dial({ host, port }: Endpoint): Promise<Socket> {
  const socket = connectTcp({ host, port });
  // Whoever waits for it hears of it; what comes later must not end the process.
  socket.on("error", () => {});
  const open = Promise.withResolvers<void>();
  socket.once("connect", () => open.resolve());
  socket.once("error", (error) => open.reject(error));
  return await orDestroy(socket, open.promise, CONNECT_LIMIT_MS);
}

/** Makes the connection to a proxy one to `target`. @throws an error that has the proxy's status as its `code` */
export async function tunnel(socket: Socket, target: Endpoint, proxy: URL): Promise<Socket> {
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const credential = proxy.username === "" ? "" : `Proxy-Authorization: Basic ${Buffer.from(user).toString("base64")}\r\n`;
  const authority = `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`;
  const answer = Promise.withResolvers<void>();
  let received = "";
  const onData = (bytes: Buffer): void => {
    received += bytes.toString("latin1");
    if (!received.includes("\r\n\r\n") && received.length < TUNNEL_ANSWER_MAX_CHARS) return;
    socket.off("data", onData);
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(received)?.[1] ?? "no HTTP";
    if (status.startsWith("2")) answer.resolve();
    else answer.reject(Object.assign(new Error("the proxy refuses"), { code: status }));
  };
  socket.on("data", onData);
  socket.once("close", () => answer.reject(Object.assign(new Error("closed"), { code: "closed" })));
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credential}\r\n`);
  return await orDestroy(socket, answer.promise, CONNECT_LIMIT_MS);
}

export interface SeenCertificate {
  /** Null: it is trusted here and is for this host. */
  readonly problem: string | null;
  readonly validUntilMs: number;
}

/** What TLS on this connection shows; the connection is closed then. @throws an error with a `code` when there is no TLS */
export async function seeCertificate(socket: Socket, host: string, ca: string | null): Promise<SeenCertificate> {
  const secure = connectTls({
    socket,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === null ? {} : { ca }),
    // What is wrong with it is what is asked for; nothing is sent here.
    rejectUnauthorized: false,
  });
  const seen = Promise.withResolvers<SeenCertificate>();
  secure.on("error", (error) => seen.reject(error));
  secure.once("close", () => seen.reject(Object.assign(new Error("closed"), { code: "closed" })));
  secure.once("secureConnect", () => {
    const { valid_to } = secure.getPeerCertificate();
    const error: unknown = secure.authorizationError;
    const code = typeof error === "object" && error !== null && "code" in error ? error.code : error;
    seen.resolve({ problem: secure.authorized ? null : String(code), validUntilMs: Date.parse(valid_to) });
  });
  try {
    return await inTime(seen.promise, HANDSHAKE_LIMIT_MS);
  } finally {
    secure.destroy();
    socket.destroy();
  }
}

/** A word for what went wrong: an error code, or that time ran out. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.name === "TimeoutError") return "no answer in time";
  return "code" in error ? String(error.code) : error.name;
}

async function orDestroy(socket: Socket, done: Promise<void>, limitMs: number): Promise<Socket> {
  try {
    await inTime(done, limitMs);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function inTime<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  const tooLate = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => tooLate.reject(Object.assign(new Error("too late"), { code: `no answer in ${limitMs / 1000} s` })),
    limitMs,
  );
  try {
    return await Promise.race([promise, tooLate.promise]);
  } finally {
    clearTimeout(timer);
  }
}
