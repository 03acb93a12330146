// What sc.exe and reg.exe say, read by order and number: the labels are in the language of the Windows.

/**
 * The numbers behind the labels, as they are written there. `sc query`: type, state, exit code of Windows, exit code of the
 * program's own. `sc qc`: type, start type. Lines with a text behind the label, as a name or a path, are left out.
 */
export function numbersOf(out: string): readonly string[] {
  return [...out.matchAll(/^[^:\n]*:[ \t]*(?:0x)?([0-9a-f]+)(?=\s|$)/gim)].map(([, number = ""]) => number);
}

/** Where the manager keeps its services, a key for each. Names of keys are never translated. */
export const SERVICES_KEY = String.raw`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services`;

/** The names of the keys below the one that `reg query` was asked for. */
export function keysBelow(key: string, out: string): readonly string[] {
  const start = `${key}\\`.toLowerCase();
  return out
    .split(/\r?\n/)
    .filter((line) => line.toLowerCase().startsWith(start))
    .map((line) => line.slice(start.length));
}
