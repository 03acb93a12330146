// One measured number with what it is held against: the backend called directly in the same run, and the aim.
import type { Summary } from "../../src/load/samples.ts";

export type Unit = "ms" | "µs" | "/s" | "MiB" | "KiB";

export interface Aim {
  /** Which of the figure's numbers is meant. */
  readonly of: "relayed" | "difference";
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Figure {
  readonly name: string;
  readonly unit: Unit;
  /** Past the relay; null where that means nothing. */
  readonly direct: number | null;
  readonly relayed: number;
  readonly aim: Aim | null;
  /** What it was taken from. */
  readonly basis: string;
  /** Failed requests or streams by kind; a figure with any does not meet its aim. */
  readonly failures: Readonly<Record<string, number>>;
}

export function figure(name: string, unit: Unit, numbers: Pick<Figure, "relayed" | "basis"> & Partial<Figure>): Figure {
  return { name, unit, direct: null, aim: null, failures: {}, ...numbers };
}

export function difference({ direct, relayed }: Figure): number | null {
  return direct === null ? null : relayed - direct;
}

export function ratio({ direct, relayed }: Figure): number | null {
  return direct === null || direct === 0 ? null : relayed / direct;
}

/** Null: it has no aim. */
export function isMet(figure: Figure): boolean | null {
  const { aim } = figure;
  if (aim === null) return null;
  if (Object.keys(figure.failures).length > 0) return false;
  const value = aim.of === "relayed" ? figure.relayed : difference(figure);
  if (value === null) return null;
  return value <= (aim.atMost ?? Infinity) && value >= (aim.atLeast ?? -Infinity);
}

/** The 50th and 99th percentile of the same measurement, with an aim for either. */
export function percentiles(
  name: string,
  unit: Unit,
  relayed: Summary,
  direct: Summary | null,
  more: { readonly failures?: Figure["failures"]; readonly p50?: Aim; readonly p99?: Aim; readonly basis?: string } = {},
): readonly Figure[] {
  const basis = more.basis ?? `${relayed.count} samples, longest ${relayed.max.toFixed(2)}`;
  const failures = more.failures ?? {};
  return [
    figure(`${name}, p50`, unit, { relayed: relayed.p50, direct: direct?.p50 ?? null, aim: more.p50 ?? null, basis, failures }),
    figure(`${name}, p99`, unit, { relayed: relayed.p99, direct: direct?.p99 ?? null, aim: more.p99 ?? null, basis, failures }),
  ];
}

export function addUp(...counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const count of counts) for (const [kind, times] of Object.entries(count)) total[kind] = (total[kind] ?? 0) + times;
  return total;
}
