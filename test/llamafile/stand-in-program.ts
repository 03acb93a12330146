// A program that behaves as a llamafile does, without a model: its flags, its loading, its API, its ways to fail.
//
//   bun test/llamafile/stand-in-program.ts FILE --server --host 127.0.0.1 --port 4711
//
// FILE is the llamafile it stands for; with "old" in its name it is one of 0.9, else one of 0.10. As those do, it ends at
// flags it does not know: --nobrowser is one of 0.9 alone. Its own flags, for tests:
//
//   --load-ms N        answers 503 for so long before it is ready        --crash-at-start N   ends with this code at once
//   --crash-when-asked N   ends with this code at the first question     --deaf               does not listen to SIGTERM
//   --pace N           says so many words a second; as many as it can otherwise
import { startDemoBackend } from "../../src/demo/demo.ts";

const [file = "", ...args] = process.argv.slice(2);
const isOld = file.split("/").at(-1)!.includes("old");

const WITH_VALUE = ["--host", "--port", "-ngl", "--ctx-size", "--temp", "--load-ms", "--crash-at-start", "--crash-when-asked", "--pace"];
const SWITCHES = ["--server", "--embedding", "--deaf", ...(isOld ? ["--nobrowser"] : [])];

if (args.includes("--version")) {
  console.log(`llamafile v${isOld ? "0.9.3" : "0.10.1"}`);
  process.exit(0);
}

const given = new Map<string, string>();
for (let at = 0; at < args.length; at++) {
  const arg = args[at]!;
  if (WITH_VALUE.includes(arg)) given.set(arg, args[++at] ?? "");
  else if (SWITCHES.includes(arg)) given.set(arg, "");
  else {
    console.error(`error: invalid argument: ${arg}`);
    process.exit(1);
  }
}

console.error(`process: ${process.pid}`);
console.error(`arguments: ${args.join(" ")}`);
console.error(
  `secrets: ${["WORKER_SECRET", "MODELRELAY_API_KEY", "BACKEND_API_KEY"].filter((name) => process.env[name] !== undefined).join(" ") || "none"}`,
);
if (!given.has("--server")) {
  console.error("error: nobody to chat with");
  process.exit(1);
}
if (given.has("--crash-at-start")) {
  console.error("error: the model cannot be loaded");
  process.exit(Number(given.get("--crash-at-start")));
}
if (given.has("--deaf")) process.on("SIGTERM", () => console.error("not listening"));

const startedMs = performance.now();
const loadMs = Number(given.get("--load-ms") ?? 0);
const demo = startDemoBackend({ tokensPerSecond: Number(given.get("--pace") ?? 0) });
Bun.serve({
  hostname: given.get("--host") ?? "0.0.0.0",
  port: Number(given.get("--port") ?? 8080),
  reusePort: false,
  idleTimeout: 0,
  fetch: async (request) => {
    const { pathname } = new URL(request.url);
    const isLoaded = performance.now() - startedMs >= loadMs;
    if (!isLoaded) return Response.json({ error: { code: 503, message: "Loading model", type: "unavailable_error" } }, { status: 503 });
    if (pathname === "/health") return isOld ? new Response("not found", { status: 404 }) : Response.json({ status: "ok" });
    if (given.has("--crash-when-asked") && request.method === "POST") process.exit(Number(given.get("--crash-when-asked")));
    // Whatever the model is called, it is the only one there.
    const asked: unknown = request.method === "POST" ? await request.json() : null;
    const body = typeof asked === "object" && asked !== null ? { ...asked, model: "demo" } : null;
    const init = body === null ? {} : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    return await fetch(new URL(pathname, demo.url).href, { ...init, signal: request.signal, proxy: false });
  },
});
console.error(`server is listening on port ${given.get("--port")}`);
