// A server of files for downloads, that misbehaves as it is told; one answer a request, in their order, the last one for all that follow.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { until } from "../support/until.ts";

export interface Asked {
  readonly path: string;
  readonly range: string | null;
  readonly ifRange: string | null;
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface FileServer extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Answers of the requests to come; the last one stays. */
  answers: Answer[];
}

export async function startFileServer(...answers: Answer[]): Promise<FileServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const { range = null, "if-range": ifRange = null } = request.headers;
    asked.push({ path: request.url ?? "", range, ifRange: typeof ifRange === "string" ? ifRange : null });
    const answer = files.answers.length > 1 ? files.answers.shift()! : files.answers[0]!;
    void Promise.resolve(answer(request, response)).catch(() => response.destroy());
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const files: FileServer = {
    url: `http://127.0.0.1:${port}`,
    asked,
    answers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
  return files;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes that differ from place to place, with the beginning of a program. */
export function fileOf(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed;
  for (let at = 0; at < size; at++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    bytes[at] = state >> 16;
  }
  bytes.write("MZqFpD='\n'\nexit 0\n");
  return bytes;
}

interface Manner {
  readonly etag?: string;
  /** As Hugging Face tells of its large files. */
  readonly isLinked?: boolean;
  readonly ignoresRange?: boolean;
  /** The connection breaks after so many bytes of this answer. */
  readonly breaksAfter?: number;
  /** Asked when the answer begins: whether some of it has arrived, before the connection breaks. */
  readonly whenThere?: () => () => boolean;
  /** Then nothing more comes, and nothing ends. */
  readonly fallsSilentAfter?: number;
  readonly linkedSize?: number;
  readonly linkedSha256?: string;
}

/** Serves the bytes as a good server does, ranges and all, but for its manners. */
export function serves(bytes: Buffer, manner: Manner = {}): Answer {
  return async (request, response) => {
    const { etag = `"${sha256(bytes).slice(0, 16)}"` } = manner;
    if (manner.isLinked === true) {
      response.setHeader("x-linked-etag", `"${manner.linkedSha256 ?? sha256(bytes)}"`);
      response.setHeader("x-linked-size", String(manner.linkedSize ?? bytes.length));
    }
    response.setHeader("etag", etag);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const isFit = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
    const isRange = request.headers.range !== undefined && isFit && manner.ignoresRange !== true;
    if (isRange && from >= bytes.length) {
      response.writeHead(416, { "content-range": `bytes */${bytes.length}` });
      response.end();
      return;
    }
    const body = isRange ? bytes.subarray(from) : bytes;
    if (isRange) response.setHeader("content-range", `bytes ${from}-${bytes.length - 1}/${bytes.length}`);
    response.writeHead(isRange ? 206 : 200, { "content-length": body.length });
    const end = manner.breaksAfter ?? manner.fallsSilentAfter;
    if (end === undefined) return void response.end(body);
    const isThere = manner.whenThere?.();
    const { promise, resolve } = Promise.withResolvers<void>();
    response.write(body.subarray(0, end), () => resolve());
    await promise;
    if (manner.breaksAfter === undefined) return;
    // What has not been read when a connection breaks is lost: a break is to come in the middle of a file, not before it.
    if (isThere !== undefined) await until(isThere, "some of the bytes are on the disk");
    response.destroy();
  };
}

export function redirects(to: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => {
    response.writeHead(302, { location: to, ...headers });
    response.end();
  };
}

export function says(status: number, text = "", headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, headers);
    response.end(text);
  };
}

/** Different answers by path; 404 for the rest. */
export function byPath(paths: Readonly<Record<string, Answer>>): Answer {
  return (request, response) => (paths[request.url ?? ""] ?? says(404))(request, response);
}
