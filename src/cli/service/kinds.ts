// The kinds of values that only services have.
import { text } from "../options/kinds.ts";
import type { ValueKind } from "../options/option.ts";

/** What unit names, labels and service names may all hold. */
export function serviceName(): ValueKind<string> {
  const kind = text("name", NAME_MAX_CHARS);
  const isName = (word: string) => /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(word);
  return {
    ...kind,
    expects: `1 to ${NAME_MAX_CHARS} letters, digits, - and _, the first a letter or digit`,
    parse: (word) => (isName(word) ? kind.parse(word) : { ok: false }),
  };
}

const NAME_MAX_CHARS = 64;
