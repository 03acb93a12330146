// "Did you mean ...?": the known names closest to a wrong one.

/**
 * The known names nearest to `wrong`, best first: those within a third of its length in edits
 * (insert, delete, replace, swap of neighbours; case ignored), or that contain it, or that it contains.
 */
export function nearestNames(wrong: string, known: Iterable<string>, most = 3): readonly string[] {
  const wanted = wrong.toLowerCase().slice(0, LONGEST_COMPARED);
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  const scored: { readonly name: string; readonly distance: number }[] = [];
  let compared = 0;
  for (const name of known) {
    if (compared++ === NAMES_COMPARED) break;
    const candidate = name.toLowerCase().slice(0, LONGEST_COMPARED);
    const isPart = wanted.length >= 3 && candidate.length >= 3 && (candidate.includes(wanted) || wanted.includes(candidate));
    const distance = Math.abs(candidate.length - wanted.length) > allowed ? Infinity : editDistance(wanted, candidate);
    if (distance <= allowed) scored.push({ name, distance });
    else if (isPart) scored.push({ name, distance: allowed + 1 });
  }
  scored.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return scored.slice(0, most).map((entry) => entry.name);
}

// A wrong name must not cost more than a moment, however many names there are and however long: the beginnings tell enough.
const LONGEST_COMPARED = 32;
const NAMES_COMPARED = 2_000;

/** Optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      let best = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + cost);
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (isSwap) best = Math.min(best, beforeLast[column - 2]! + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
