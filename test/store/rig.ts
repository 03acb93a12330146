// A ring on a fake store under a clock that stands still.
import type { ApiKey } from "../../src/store/api-key.ts";
import { type KeyRing, startKeyRing } from "../../src/store/key-ring.ts";
import type { KeyStore } from "../../src/store/key-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { createRecordingLog, type RecordingLog } from "../support/recording-log.ts";
import { turns } from "../support/until.ts";
import { FakeStore } from "./fake-store.ts";

export interface Rig<Store extends KeyStore = FakeStore> extends AsyncDisposable {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly log: RecordingLog;
  readonly ring: KeyRing;
  /** Ids of the keys whose end was heard of. */
  readonly ended: readonly string[];
  /** Moves time on, and lets everything that is due come to its end. */
  readonly pass: (ms: number) => Promise<void>;
}

export async function startRig(store = new FakeStore()): Promise<Rig> {
  return await startRigOn(store);
}

export async function startRigOn<Store extends KeyStore>(store: Store): Promise<Rig<Store>> {
  const clock = new ManualClock();
  const log = createRecordingLog();
  const ring = await startKeyRing({ store, clock, log });
  const ended: string[] = [];
  ring.onEnded((key: ApiKey) => ended.push(key.id));
  return {
    store,
    clock,
    log,
    ring,
    ended,
    pass: async (ms) => {
      clock.advance(ms);
      await turns(3);
    },
    [Symbol.asyncDispose]: () => ring.stop(),
  };
}
