// `status --watch`: looks again and again until it is told to stop, whatever becomes of the relay meanwhile.
import type { Clock } from "../../base/clock.ts";
import type { RelayDoor } from "../relay/client.ts";
import { listenForStopSignals, type StopSignals, stoppableWaits } from "../stop-signals.ts";
import { writeInTurn } from "../write-in-turn.ts";
import { renderStatus, type Room, timeOf } from "./render.ts";
import { openScreen } from "./screen.ts";
import { lookOrMiss, type Snapshot, toJson } from "./snapshot.ts";

interface Watch {
  readonly door: RelayDoor;
  readonly intervalMs: number;
  readonly isJson: boolean;
  readonly clock: Clock;
}

/** Resolves to the exit code once a stop signal came, or nobody reads any more. */
export async function watchRelay(watch: Watch): Promise<number> {
  const signals = listenForStopSignals({ clock: watch.clock });
  try {
    return await (watch.isJson ? printLines(watch, signals) : redraw(watch, signals));
  } finally {
    signals.stop();
  }
}

async function printLines(watch: Watch, signals: StopSignals): Promise<number> {
  return await everyInterval(watch, signals, async (seen) => await writeInTurn(`${JSON.stringify(toJson(seen))}\n`));
}

async function redraw(watch: Watch, signals: StopSignals): Promise<number> {
  const screen = openScreen();
  const story = new Story();
  const draw = async (): Promise<boolean> => await screen.draw(story.tell(screen.room()));
  screen.onResize(() => void draw());
  try {
    return await everyInterval(watch, signals, async (seen) => {
      story.add(seen);
      return await draw();
    });
  } finally {
    screen.stop();
  }
}

/** What was seen so far, as far as it still says something: the relay as it is or was last, and when it was away. */
class Story {
  #last: Snapshot | null = null;
  #lastHere: Snapshot | null = null;
  #awaySince: number | null = null;
  #note: string | null = null;

  add(seen: Snapshot): void {
    this.#last = seen;
    if (seen.kind === "away") {
      this.#awaySince ??= seen.at;
      return;
    }
    if (this.#awaySince !== null) this.#note = `It was not seen from ${timeOf(this.#awaySince)} to ${timeOf(seen.at)}.`;
    this.#awaySince = null;
    this.#lastHere = seen;
  }

  /** 1. nothing yet  2. the relay is there  3. it is not: said, above what was seen last where that is not above it already */
  tell(room: Room): readonly string[] {
    if (this.#last === null) return []; // (1)
    const isHere = this.#awaySince === null;
    const before = isHere ? (this.#note === null ? [] : [this.#note]) : [`Not seen since ${timeOf(this.#awaySince ?? 0)}.`];
    const now = [...before, ...renderStatus(this.#last, below(before, room))];
    if (isHere || this.#lastHere === null || room.rows === Infinity) return now; // (2)
    const notice = [...now, "", "What was seen last:"];
    return [...notice, ...renderStatus(this.#lastHere, below(notice, room))]; // (3)
  }
}

function below(lines: readonly string[], { columns, rows }: Room): Room {
  return { columns, rows: Math.max(0, rows - lines.length) };
}

/** Looks, shows, waits; a look that hangs, and a reader that takes its time, are left behind when it is time to stop. */
async function everyInterval({ door, intervalMs, clock }: Watch, signals: StopSignals, show: (seen: Snapshot) => Promise<boolean>) {
  const orStopped = stoppableWaits(signals);
  for (;;) {
    const seen = await orStopped(lookOrMiss(door, clock.unixMs()));
    if (seen === null || (await orStopped(show(seen))) !== true) return 0;
    const interval = Promise.withResolvers<true>();
    const timer = clock.startTimer(intervalMs, () => interval.resolve(true));
    const isOver = await orStopped(interval.promise);
    timer.stop();
    if (isOver === null) return 0;
  }
}
