// Where a load goes, and a request to it as bytes that are made once and sent many times.

export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
  /** Null: plain HTTP. */
  readonly tls: TlsTerms | null;
}

export interface TlsTerms {
  /** PEM; these certificates vouch for the server and no others. Null: those the system knows. */
  readonly ca: string | null;
}

export function endpointOf(url: URL, ca: string | null = null): Endpoint {
  const isSecure = url.protocol === "https:";
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
  return { hostname: url.hostname.replace(/^\[|\]$/g, ""), port, tls: isSecure ? { ca } : null };
}

/** A POST request with a JSON body. */
export function postBytes(url: URL, body: string, headers: Readonly<Record<string, string>> = {}): Buffer {
  const lines = Object.entries({
    host: url.host,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.from(`POST ${url.pathname}${url.search} HTTP/1.1\r\n${head}\r\n${body}`);
}
