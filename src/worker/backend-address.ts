// Which URLs a relay may make this worker call: the inference endpoints of the one configured backend, and nothing else.

/** Exactly these; a hostile relay must not reach the administration of a model server through its worker. */
const INFERENCE_PATHS: ReadonlySet<string> = new Set([
  "/v1/chat/completions",
  "/v1/responses",
  "/v1/messages",
  "/v1/messages/count_tokens",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/rerank",
]);

/** The backend's URL for a relay's `path` (with its query string), or null when the path is not one the relay may use. */
export function inferenceUrl(backend: URL, path: string): URL | null {
  const [pathname = ""] = path.split("?", 1);
  if (!INFERENCE_PATHS.has(pathname) || !/^[\x21\x22\x24-\x7e]*$/.test(path)) return null;
  const url = backendUrl(backend, path);
  const isOurs = url.origin === backend.origin && url.pathname === prefixOf(backend) + pathname;
  return isOurs ? url : null;
}

/** A path of the backend below its prefix. A base that was given with its `/v1` does not get a second one. */
export function backendUrl(backend: URL, path: string): URL {
  return new URL(prefixOf(backend) + path, backend);
}

function prefixOf(backend: URL): string {
  return backend.pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
}
