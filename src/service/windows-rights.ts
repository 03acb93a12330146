// Who may change or read a file of Windows, by its security descriptor in text form. Accounts are told apart by number: their names are translated.

/** What a file or directory says of itself, in SDDL ([MS-DTYP] 2.5.1), and which account asks. */
export interface Security {
  /** Owner and list of rights, as in `O:BAD:PAI(A;OICI;FA;;;SY)`. */
  readonly text: string;
  /** SID of the user this process runs as, who is an administrator. */
  readonly self: string;
}

export type Access = "change" | "read";

/** Whose it is, when that is not an administrator or the system; an owner may give himself every right. Null: it is. */
export function strangeOwner({ text, self }: Security): string | null {
  const owner = /^O:(S-[\d-]+|[A-Z]{2})/.exec(text)?.[1] ?? "nobody that is known";
  return isTrusted(owner, self) ? null : nameOfAccount(owner);
}

/** Who else than administrators and the system may do that, the owner included. Not what only holds for files that are yet to be made. */
export function strangersWith(access: Access, security: Security): readonly string[] {
  const owner = strangeOwner(security);
  const [, list = NO_LIST] = /D:(.*)$/s.exec(security.text) ?? [];
  // Without a list nobody is kept out.
  const others = list.startsWith(NO_LIST) ? ["WD"] : [...list.matchAll(ENTRY)].flatMap((match) => allowed(match, MASKS[access]));
  const strangers = others.filter((account) => !isTrusted(account, security.self)).map(nameOfAccount);
  return [...new Set([...(owner === null ? [] : [owner]), ...strangers])];
}

// Type, flags, rights, two ids of kinds of objects that files do not have, account.
const ENTRY = /\(([A-Z]+);([A-Z]*);([^;]*);[^;]*;[^;]*;([^;)]*)[;)]/g;
const NO_LIST = "NO_ACCESS_CONTROL";

/** An entry that forbids something is passed over: it is rare, and what is forbidden to some is still allowed to others. */
function allowed([, type = "", flags = "", rights = "", account = ""]: RegExpExecArray, mask: number): readonly string[] {
  const isAllowing = type === "A" || type === "XA";
  const isForLater = /^(?:..)*IO/.test(flags);
  return isAllowing && !isForLater && (toMask(rights) & mask) !== 0 ? [account] : [];
}

function toMask(rights: string): number {
  if (rights.startsWith("0x")) return Number(rights);
  return (rights.match(/../g) ?? []).reduce((mask, right) => mask | (RIGHTS[right] ?? 0), 0);
}

// The rights of files as SDDL writes them; the two-letter names of single bits come from the rights of directory services.
const RIGHTS: Readonly<Record<string, number>> = {
  GA: 0x1000_0000,
  GW: 0x4000_0000,
  // Of the highest bit the sign is of no interest.
  GR: 0x8000_0000,
  FA: 0x1f_01ff,
  FW: 0x12_0116,
  FR: 0x12_0089,
  SD: 0x1_0000,
  WD: 0x4_0000,
  WO: 0x8_0000,
  CC: 0x1,
  DC: 0x2,
  DT: 0x40,
};
const MASKS = {
  // Write or add a file, delete what is in it, delete, give rights, take ownership, and the general ones.
  change: 0x2 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x4000_0000,
  read: 0x1 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x8000_0000,
} as const;

/** Administrators, and what Windows itself runs as: who can be one of these has the machine anyway, or is a service that was let in. */
function isTrusted(account: string, self: string): boolean {
  return account === self || TRUSTED.has(account) || account.startsWith("S-1-5-80-") || /^S-1-5-21-[\d-]+-(?:500|512|519)$/.test(account);
}

// The system; administrators: the group, the account, those of the domain and of the enterprise; the accounts of services; and who made
// or owns a file, which is looked at by name.
const TRUSTED: ReadonlySet<string> = new Set(["SY", "BA", "LA", "DA", "EA", "LS", "NS", "CO", "OW"]);

function nameOfAccount(account: string): string {
  return NAMES.get(account) ?? account;
}

const NAMES = new Map([
  ["WD", "everyone"],
  ["AU", "every user"],
  ["BU", "every user"],
  ["IU", "every user who is logged on here"],
  ["BG", "guests"],
  ["AN", "nobody in particular"],
]);
