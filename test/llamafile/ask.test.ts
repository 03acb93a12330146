// `llamafile test`: what counts as an answer, and what is said where there is none.
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeRunState } from "../../src/llamafile/run-state.ts";
import { makeCertificates } from "../security/certificates.ts";
import { sse } from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { catalogueOf, entryOf, Scene } from "./scene.ts";

const LONG_MS = 30_000;

/** `test` of a model that runs, with another server in its place. */
async function testAt(scene: Scene, answer: Answer, ...words: readonly string[]) {
  const backend = startFakeBackend(answer);
  try {
    const state = scene.state("mine");
    writeRunState(scene.home, { ...state, port: Number(new URL(backend.url).port) });
    return await scene.run("test", "mine", ...words);
  } finally {
    await backend.stop();
  }
}

const delta = (fields: object): string => `data: ${JSON.stringify({ choices: [{ delta: fields }] })}\n\n`;
const DONE = "data: [DONE]\n\n";

test(
  "[F15] test takes thoughts for an answer, under each of their names, and names what is none",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    expect((await scene.run("run", "mine")).code).toBe(0);
    for (const fields of [{ reasoning: "Hm." }, { reasoning_content: "Hm." }, { content: "", reasoning: "Hm." }]) {
      const { code, out } = await testAt(scene, sse([delta(fields), DONE]));
      expect(out).toMatch(/^directly \(http:.*\): answered, first word after .*\n {2}Hm\.\n$/);
      expect(code).toBe(0);
    }
    expect(await testAt(scene, sse([DONE]))).toMatchObject({ code: 1, err: expect.stringContaining("ended without a word") as unknown });
    const broken = await testAt(scene, sse([delta({ content: "a" })]));
    expect(broken.err).toMatch(/^directly: failed: http:\S+: the answer ended before it was complete\n$/);
    const late = await testAt(scene, () => new Promise<never>(() => {}), "--timeout", "0.2");
    expect(late.err).toMatch(/had not answered to the end after 0\.2 s; --timeout gives it longer/);
  },
  LONG_MS,
);

test(
  "[F15] test asks a model for embeddings for one",
  async () => {
    await using scene = new Scene();
    const path = join(scene.folder, "numbers.llamafile");
    renameSync(scene.standIn("of-numbers"), path);
    mkdirSync(scene.home.root, { recursive: true });
    const entry = { ...entryOf("numbers", "https://x.example/numbers", statSync(path).size), tags: ["embedding"] };
    writeFileSync(scene.home.catalogue, catalogueOf(entry));
    expect((await scene.run("import", path)).out).toContain("the catalogue's file by its name and size");
    expect((await scene.run("run", "numbers")).code).toBe(0);
    const { code, out } = await scene.run("test", "numbers");
    expect(out).toMatch(/^directly \(http:.*\): answered, an embedding of \d+ numbers after \d+ ms\n$/);
    expect(code).toBe(0);
  },
  LONG_MS,
);

test(
  "[F15] a relay whose certificate nobody vouches for is told with the flag for it",
  async () => {
    await using scene = new Scene();
    using certificates = makeCertificates();
    const { certFile, keyFile } = certificates.issue("relay");
    const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: () => new Response("") });
    try {
      await scene.imports("mine");
      await scene.run("run", "mine");
      writeRunState(scene.home, { ...scene.state("mine"), proxy_url: `https://localhost:${server.port}` });
      const { code, err } = await scene.run("test", "mine");
      expect(err).toMatch(
        /^through the relay: failed: the certificate of https:\S+ is not trusted \([A-Z_]+\); --tls-ca PATH names the CA/m,
      );
      expect(code).toBe(1);
    } finally {
      await server.stop(true);
    }
  },
  LONG_MS,
);
