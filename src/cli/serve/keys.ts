// The keys of `serve`: whether the relay keeps any, where, and what must not start without them.
import { existsSync } from "node:fs";
import type { Clock } from "../../base/clock.ts";
import { UsageError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ApiKey } from "../../store/api-key.ts";
import type { KeyRing } from "../../store/key-ring.ts";
import type { OptionValues } from "../options/option.ts";
import { placeBelow } from "../user-home.ts";
import type { SERVE_OPTIONS } from "./options.ts";

export interface OpenKeys {
  readonly ring: KeyRing;
  /** Writes what is not written yet and closes the store. */
  stop(): Promise<void>;
}

type KeySettings = Pick<OptionValues<typeof SERVE_OPTIONS>, "dataDir" | "databaseUrl" | "requireApiKeys">;

interface KeysWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly hasAdminToken: boolean;
}

/**
 * Null: nothing asks for keys, and there are none from earlier; then nothing is written anywhere.
 * @throws UsageError when the store cannot be used, or keys are required and nobody could ever have one
 */
export async function openKeys(settings: KeySettings, world: KeysWorld): Promise<OpenKeys | null> {
  const { dataDir: chosen, databaseUrl, requireApiKeys } = settings;
  const { env, clock, log, hasAdminToken } = world;
  const [{ defaultDataDir }, { databaseFileIn }, { openKeyStore }, { startKeyRing }] = await Promise.all([
    import("../../store/data-dir.ts"),
    import("../../store/sqlite-file.ts"),
    import("../../store/open-store.ts"),
    import("../../store/key-ring.ts"),
  ]);
  const dataDir = chosen ?? placeBelow((home) => defaultDataDir({ env, platform: process.platform, home }));
  const isAskedFor = requireApiKeys || hasAdminToken || chosen !== null || databaseUrl !== null;
  if (!isAskedFor && (dataDir === null || !existsSync(databaseFileIn(dataDir)))) return null;
  if (dataDir === null && databaseUrl === null) throw new UsageError(NO_PLACE);
  const store = await openKeyStore({ databaseUrl, dataDir: dataDir ?? "", clock });
  const ring = await startKeyRing({ store, clock, log });
  const keys = await ring.list();
  log.info("key store open", { store: databaseUrl === null ? (dataDir ?? "") : hostOf(databaseUrl), keys: keys.length });
  const stop = async (): Promise<void> => {
    await ring.stop();
    await store.close();
  };
  if (requireApiKeys && !hasAdminToken && !hasUsableKey(keys, clock)) {
    await stop();
    throw new UsageError(NOBODY_COULD_ENTER);
  }
  return { ring, stop };
}

function hasUsableKey(keys: readonly ApiKey[], clock: Clock): boolean {
  const now = clock.unixMs() / 1000;
  return keys.some((key) => key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now) && key.scopes.includes("infer"));
}

/** Where a database is, without who asks and with what password. */
function hostOf(databaseUrl: string): string {
  const url = URL.parse(databaseUrl);
  return url === null ? "Postgres" : `${url.protocol}//${url.host}${url.pathname}`;
}

const NO_PLACE = "this user has no home directory to keep keys in; --data-dir PATH (or MODELRELAY_DATA_DIR) names another place";

const NOBODY_COULD_ENTER =
  "--require-api-keys is on, but there is no key and no admin token to create one with: " +
  "start with --admin-token-file PATH (or MODELRELAY_ADMIN_TOKEN), then 'modelrelay keys create --name my-app'";
