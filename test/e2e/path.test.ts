// The whole way, once for each route: client, relay, worker, backend and back.
import { expect, test } from "bun:test";
import { listing, politely, unary } from "../support/fake-backend-answers.ts";
import { startWholePath } from "../support/whole-path.ts";

const ROUTES = [
  "/v1/chat/completions",
  "/v1/responses",
  "/v1/messages",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/messages/count_tokens",
  "/v1/rerank",
];

test("[H1] [H3] a request reaches the backend as it was sent, and its answer comes back", async () => {
  await using path = await startWholePath(politely(["m"]));
  const { relay, backend } = path;
  const sent = '{ "model":"m",  "messages":[{"role":"user","content":"grüße 🚀"}], "unknown": [1,2] }';
  const response = await fetch(relay.at("/v1/chat/completions?beta=true"), { method: "POST", body: sent });
  expect(response.status).toBe(200);
  expect(await response.json()).toHaveProperty("choices");
  const received = backend.requests.find((request) => request.path === "/v1/chat/completions?beta=true");
  expect(received === undefined ? null : Buffer.from(received.body).toString()).toBe(sent);
});

test("[H1] every relayed route goes its way, the query string with it", async () => {
  await using path = await startWholePath(listing(["m"], async (exchange) => await unary(200, exchange.request.path)(exchange)));
  const { relay } = path;
  for (const route of ROUTES) {
    for (const query of ["", "?beta=true", "?a=1&b=%20%2F%20&c"]) {
      const response = await relay.post(route + query, { model: "m" });
      expect(await response.text()).toBe(route + query);
    }
  }
});

test("[H3] a body of megabytes, with every kind of white space and escape, arrives byte for byte", async () => {
  await using path = await startWholePath(politely(["m"]));
  const { relay, backend } = path;
  const text = 'x\\u00e9\\n\\"€🚀'.repeat(200_000);
  const sent = Buffer.from(`\r\n\t { "messages" : [ "${text}" ] ,\n"model"\t:"m" , "stream":false,"n":1.50e+3 } \n`);
  const response = await fetch(relay.at("/v1/messages"), { method: "POST", body: sent });
  await response.text();
  expect(response.status).toBe(200);
  const received = backend.requests.find((request) => request.path === "/v1/messages");
  expect(Buffer.compare(Buffer.from(received?.body ?? []), sent)).toBe(0);
});
