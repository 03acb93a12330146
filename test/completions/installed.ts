// Which of the shells are here to ask. What is missing is said once; with CI=true it fails a test.
import { existsSync } from "node:fs";

export const BASH_COMPLETION = "/usr/share/bash-completion/bash_completion";

/** Debian's packages that the tests want and do not find. */
export const MISSING_PACKAGES: readonly string[] = [
  ...["bash", "zsh", "fish", "elvish"].filter((name) => Bun.which(name) === null),
  ...(existsSync(BASH_COMPLETION) ? [] : ["bash-completion"]),
];

if (MISSING_PACKAGES.length > 0) {
  const names = MISSING_PACKAGES.join(" ");
  console.warn(`\nWARNING: completions are not tested with ${names} (Debian: apt-get install -y ${names})\n`);
}

export function isMissing(name: string): boolean {
  return MISSING_PACKAGES.includes(name);
}
