// A process of its own in which clients hang up in every phase: whatever the runtime prints about it stands on its standard error output.
import { streamEvents } from "./fake-backend-events.ts";
import type { Answer } from "./fake-backend-exchange.ts";
import { RawClient } from "./raw-client.ts";
import { until } from "./until.ts";
import { startWholePath } from "./whole-path.ts";

const byPath: Answer = async (exchange) => {
  const { path } = exchange.request;
  if (path.startsWith("/v1/models")) return await exchange.unary(200, '{"data":[{"id":"m"}]}');
  if (path === "/v1/messages") return await (await exchange.stream()).send(streamEvents("messages")[0]!);
  if (path === "/v1/responses") {
    const stream = await exchange.stream();
    while (await stream.send(`data: ${"x".repeat(10_000)}\n\n`));
    return false;
  }
  if (path === "/v1/embeddings") {
    await exchange.head(200, { "content-type": "application/json", "content-length": "1000" });
    return await exchange.raw("{");
  }
  if (path === "/v1/rerank") return await exchange.unary(200, "{}");
};

const PATHS = ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings", "/v1/rerank"];

await using path = await startWholePath(byPath, { worker: { maxConcurrency: 2 }, relay: { sseKeepaliveAfterMs: 5, sseKeepaliveMs: 5 } });
const { relay } = path;
for (const hangUp of ["cut", "close"] as const) {
  for (const [index, target] of [...PATHS, ...PATHS, ...PATHS].entries()) {
    const client = await RawClient.connect(relay);
    client.post(target, { model: "m", stream: target !== "/v1/embeddings" });
    const isInTheMiddle = index >= PATHS.length && target !== "/v1/embeddings";
    if (isInTheMiddle) await until(() => client.received.byteLength > 0, "something of the answer");
    else if (index % 2 === 0) await until(() => relay.hub.requests.size > 0 || client.received.byteLength > 0, "the request");
    client[hangUp]();
  }
  const upload = await RawClient.connect(relay);
  upload.send(`POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n${"{".repeat(450_000)}`);
  await until(() => relay.hub.bodies.heldBytes >= 450_000, "half an upload");
  upload[hangUp]();
  await relay.requests(0);
}
await path.idle();
console.log("done");
