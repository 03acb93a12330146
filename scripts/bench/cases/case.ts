// What every case of the benchmark is: its name, what it measures, and how.
import type { Figure } from "../figure.ts";

export interface CaseWorld {
  /** Seconds instead of minutes, to see that it works; its figures mean little. */
  readonly isQuick: boolean;
  /** Where relay and workers leave CPU profiles; null: nowhere. */
  readonly profileDir: string | null;
}

export interface Case {
  readonly name: string;
  /** One line for readers of the report. */
  readonly method: string;
  readonly measure: (world: CaseWorld) => Promise<readonly Figure[]>;
}
