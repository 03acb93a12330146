// What was answered with success is there afterwards: asked of processes that are killed in the middle of their work.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/base/clock.ts";
import { startKeyRing } from "../../src/store/key-ring.ts";
import { openKeyStore } from "../../src/store/open-store.ts";
import { Child } from "../processes/child.ts";
import { POSTGRES_MISSING, TestPostgres } from "../support/postgres.ts";
import { createRecordingLog } from "../support/recording-log.ts";
import { until } from "../support/until.ts";
import { temporaryDirectory } from "./kinds.ts";

const KEY_MAKER = fileURLToPath(new URL("key-maker-process.ts", import.meta.url));
const ENOUGH = 20;
// A busy machine starts processes slowly.
const START_LIMIT_MS = 15_000;

setDefaultTimeout(2 * START_LIMIT_MS);

let postgres: TestPostgres | null = null;
beforeAll(async () => {
  if (POSTGRES_MISSING === null) postgres = await TestPostgres.start();
});
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

test("[Y2] SQLite: every key and revocation that was answered is there after kill -9, again and again on one file", async () => {
  using at = temporaryDirectory();
  for (let round = 0; round < 3; round++) await killAndLook(at.path, null, 1);
});

test("[Y2] [Y10] SQLite: three processes that start, write and are killed at once on one file lose nothing", async () => {
  using at = temporaryDirectory();
  await killAndLook(at.path, null, 3);
});

test.skipIf(POSTGRES_MISSING !== null)("[Y2] Postgres: every key and revocation that was answered is there after kill -9", async () => {
  await killAndLook("", (await postgres?.database()) ?? null, 2);
});

test.skipIf(POSTGRES_MISSING !== null)("[Y2] Postgres: what was answered is there after the server itself crashed", async () => {
  const server = postgres!;
  const databaseUrl = await server.database();
  await using maker = new Child("key maker", [KEY_MAKER, "", databaseUrl]);
  await until(() => maker.lines.length >= ENOUGH, "keys are made", START_LIMIT_MS);
  await server.stop();
  maker.signal("SIGKILL");
  await maker.exit();
  await server.run();
  await look("", databaseUrl, saidBy([maker]));
});

async function killAndLook(dataDir: string, databaseUrl: string | null, processes: number): Promise<void> {
  const args = [KEY_MAKER, dataDir, ...(databaseUrl === null ? [] : [databaseUrl])];
  const makers = Array.from({ length: processes }, (_, index) => new Child(`key maker ${index}`, args));
  try {
    await until(() => makers.every((maker) => maker.lines.length >= ENOUGH || !maker.isRunning), "keys are made", START_LIMIT_MS);
    expect(makers.filter((maker) => !maker.isRunning).map((maker) => maker.transcript)).toEqual([]);
    for (const maker of makers) maker.signal("SIGKILL");
    for (const maker of makers) await maker.exit();
    await look(dataDir, databaseUrl, saidBy(makers));
  } finally {
    for (const maker of makers) await maker[Symbol.asyncDispose]();
  }
}

/** The lines "key SECRET" and "revoked SECRET". A line that was cut by the kill was not said. */
function saidBy(makers: readonly Child[]): readonly (readonly string[])[] {
  const said = makers.flatMap((maker) => maker.lines.map((line) => line.name.split(" ")));
  const whole = said.filter(([, secret]) => secret?.length === 46);
  expect(whole.length).toBeGreaterThanOrEqual(ENOUGH * makers.length - makers.length);
  return whole;
}

async function look(dataDir: string, databaseUrl: string | null, said: readonly (readonly string[])[]): Promise<void> {
  const store = await openKeyStore({ databaseUrl, dataDir, clock: systemClock });
  const ring = await startKeyRing({ store, clock: systemClock, log: createRecordingLog() });
  expect(said.map(([, secret = ""]) => ring.peek(secret)?.kind)).toEqual(said.map(([kind]) => (kind === "key" ? "key" : "revoked")));
  await ring.stop();
  await store.close();
}
