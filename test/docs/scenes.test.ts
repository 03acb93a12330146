// What the documents show and say can be run, is run: with the compiled program, as a reader would.
import { expect, test } from "bun:test";
import { failureOf } from "../support/until.ts";
import { allDocuments } from "./documents.ts";
import { play, type Scene, scenesOf } from "./scene.ts";

const scenes = scenesOf(allDocuments());
const SCENE_LIMIT_MS = 120_000;

// What a reader has, or installs first.
const MISSING = ["curl", "openssl"].filter((name) => Bun.which(name) === null);
if (MISSING.length > 0) {
  const names = MISSING.join(" ");
  console.warn(`\nWARNING: what the documents show with ${names} is not run (Debian: apt-get install -y ${names})\n`);
}

function canBePlayed({ steps }: Scene): boolean {
  return !steps.some(({ body }) => MISSING.some((name) => new RegExp(`\\b${name}\\b`).test(body)));
}

test("with CI=true nothing is left out: every scene is played", () => {
  if (process.env["CI"] === "true") expect(MISSING).toEqual([]);
});

test("there are scenes to play, and the first one runs the program", () => {
  expect(scenes.map(({ title }) => title)).toContain("README.md: first");
  expect(scenes.flatMap(({ steps }) => steps).length).toBeGreaterThan(20);
});

for (const scene of scenes) {
  test.skipIf(!canBePlayed(scene))(`[M5] this runs: ${scene.title}`, async () => await play(scene), SCENE_LIMIT_MS);
}

test("[M5] a block that fails is noticed, and so is a process that does not come up or does not stop well", async () => {
  const scene = (info: string, body: string) => scenesOf([{ path: "x.md", text: `\`\`\`${info}\n${body}\n\`\`\`\n` }])[0]!;
  const failure = async (info: string, body: string) => String(await failureOf(play(scene(info, body))));
  expect(await failure("sh run a", "modelrelay health --url http://127.0.0.1:9 || exit 3")).toContain("this failed with 3");
  expect(await failure("sh run a", "false\ntrue")).toContain("this failed with 1");
  expect(await failure("sh start a", "modelrelay serve --worker-secret changeme")).toContain("this ended with 2");
  expect(await failure("sh start a", "sh -c 'echo listening url=; exec sleep 60'")).toContain("was told to stop and ended with 143");
  expect(await failure("js run a", "throw new Error('no')")).toContain("this failed with 1");
});
