// Asks Windows whose a file is and who may do what with it. Nothing here decides anything, and it only works on Windows.
import { dlopen, type Pointer, toArrayBuffer } from "bun:ffi";
import type { Security } from "./windows-rights.ts";

/** Of the file, directory or link itself: a link is not followed. Null: it is not there, or this user may not know. */
export function securityOf(path: string): Security | null {
  const kernel = loadKernel();
  const rights = loadRights();
  const file = kernel.CreateFileW(toWide(path), READ_CONTROL, SHARE_ALL, null, OPEN_EXISTING, BACKUP_SEMANTICS | OPEN_REPARSE_POINT, null);
  if (file === INVALID_HANDLE) return null;
  try {
    const descriptor = new BigUint64Array(1);
    if (rights.GetSecurityInfo(file, FILE_OBJECT, OWNER_AND_RIGHTS, null, null, null, null, descriptor) !== 0) return null;
    const text = new BigUint64Array(1);
    const chars = new Uint32Array(1);
    const isDone = rights.ConvertSecurityDescriptorToStringSecurityDescriptorW(
      descriptor[0]!,
      SDDL_REVISION,
      OWNER_AND_RIGHTS,
      text,
      chars,
    );
    kernel.LocalFree(descriptor[0]!);
    return isDone === 0 ? null : { text: takeText(text[0]!, chars[0]!), self: ownSid() };
  } finally {
    kernel.CloseHandle(file);
  }
}

/** The user this process runs as, as in `S-1-5-21-1-2-3-500`. */
function ownSid(): string {
  const kernel = loadKernel();
  const rights = loadRights();
  const token = new BigUint64Array(1);
  if (rights.OpenProcessToken(kernel.GetCurrentProcess(), TOKEN_QUERY, token) === 0) return "";
  try {
    // TOKEN_USER: a pointer to the SID, which lies behind it in the same buffer.
    const user = new BigUint64Array(TOKEN_USER_MAX_BYTES / 8);
    const text = new BigUint64Array(1);
    const isDone =
      rights.GetTokenInformation(token[0]!, TOKEN_USER, user, TOKEN_USER_MAX_BYTES, new Uint32Array(1)) !== 0 &&
      rights.ConvertSidToStringSidW(user[0]!, text) !== 0;
    return isDone ? takeText(text[0]!, SID_MAX_CHARS) : "";
  } finally {
    kernel.CloseHandle(token[0]!);
  }
}

/** Reads a text that Windows made, up to its end, and gives it back. */
function takeText(at: bigint, maxChars: number): string {
  const kernel = loadKernel();
  const chars = Math.min(maxChars, kernel.lstrlenW(at));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a pointer is a number; those of processes fit into one
  const text = Buffer.from(toArrayBuffer(Number(at) as Pointer, 0, chars * 2)).toString("utf16le");
  kernel.LocalFree(at);
  return text;
}

function toWide(text: string): Buffer {
  return Buffer.from(`${text}\0`, "utf16le");
}

const READ_CONTROL = 0x2_0000;
const SHARE_ALL = 7;
const OPEN_EXISTING = 3;
// Without the first no directory can be opened; with the second a link is not followed.
const BACKUP_SEMANTICS = 0x0200_0000;
const OPEN_REPARSE_POINT = 0x0020_0000;
const INVALID_HANDLE = 0xffff_ffff_ffff_ffffn;
const FILE_OBJECT = 1;
const OWNER_AND_RIGHTS = 1 | 4;
const SDDL_REVISION = 1;
const TOKEN_QUERY = 8;
const TOKEN_USER = 1;
// A SID has at most 68 bytes, and 184 characters.
const TOKEN_USER_MAX_BYTES = 256;
const SID_MAX_CHARS = 184;

function loadKernel() {
  return dlopen("kernel32.dll", {
    CloseHandle: { args: ["u64"], returns: "i32" },
    CreateFileW: { args: ["ptr", "u32", "u32", "ptr", "u32", "u32", "ptr"], returns: "u64" },
    GetCurrentProcess: { args: [], returns: "u64" },
    LocalFree: { args: ["u64"], returns: "u64" },
    lstrlenW: { args: ["u64"], returns: "i32" },
  }).symbols;
}

function loadRights() {
  return dlopen("advapi32.dll", {
    ConvertSecurityDescriptorToStringSecurityDescriptorW: { args: ["u64", "u32", "u32", "ptr", "ptr"], returns: "i32" },
    ConvertSidToStringSidW: { args: ["u64", "ptr"], returns: "i32" },
    GetSecurityInfo: { args: ["u64", "u32", "u32", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "u32" },
    GetTokenInformation: { args: ["u64", "u32", "ptr", "u32", "ptr"], returns: "i32" },
    OpenProcessToken: { args: ["u64", "u32", "ptr"], returns: "i32" },
  }).symbols;
}
