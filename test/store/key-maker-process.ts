// A process that makes and revokes keys, says each that is done, and waits to be killed: `bun key-maker-process.ts DATA_DIR [DATABASE_URL]`.
import { writeSync } from "node:fs";
import { systemClock } from "../../src/base/clock.ts";
import { plainTerms } from "../../src/store/api-key.ts";
import { startKeyRing } from "../../src/store/key-ring.ts";
import { openKeyStore } from "../../src/store/open-store.ts";
import { createRecordingLog } from "../support/recording-log.ts";

const PAIRS_MAX = 200;

const [dataDir = "", databaseUrl = null] = process.argv.slice(2);
const store = await openKeyStore({ databaseUrl, dataDir, clock: systemClock });
const ring = await startKeyRing({ store, clock: systemClock, log: createRecordingLog() });
// Without an end, several on one SQLite file can keep one of them from ever having its turn.
for (let pair = 0; pair < PAIRS_MAX; pair++) {
  const kept = await ring.create(plainTerms("kept"));
  writeSync(1, `key ${kept.secret}\n`);
  const revoked = await ring.create(plainTerms("revoked"));
  if (await ring.revoke(revoked.key.id)) writeSync(1, `revoked ${revoked.secret}\n`);
}
await Bun.stdin.text();
