// Ad-hoc code signatures for macOS executables made on other systems: without a valid one, macOS ends the process at once.
// Structures: Apple's <mach-o/loader.h> and <kern/cs_blobs.h>. A signature is big-endian, everything else here is little-endian.

const MH_MAGIC_64 = 0xfeedfacf;
const HEADER_BYTES = 32;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;

const SUPER_BLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
/** The version with the fields of the executable segment. */
const VERSION = 0x20400;
/** CS_ADHOC and CS_LINKER_SIGNED: nobody vouches for it, and `codesign` may replace it without being forced. */
const FLAGS = 0x20002;
const SHA256 = 2;
const HASH_BYTES = 32;
const PAGE_BITS = 12;
const MAIN_BINARY = 1;
const SUPER_BLOB_BYTES = 20;
const DIRECTORY_BYTES = 88;
const IDENTIFIER = "modelrelay";
/** Segments end at pages of the larger kind, those of arm64. */
const SEGMENT_ALIGNMENT = 16_384;

interface Segment {
  /** Where its load command is. */
  readonly command: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
}

interface Layout {
  readonly text: Segment;
  readonly linkedit: Segment;
  /** Where LC_CODE_SIGNATURE is. */
  readonly command: number;
  /** Where the signature begins, which is where what it signs ends. */
  readonly codeLimit: number;
}

/** The executable with a signature of its own in the place of the one it had. @throws Error when it has no place for one */
export function signMachO(executable: Uint8Array): Uint8Array {
  const { text, linkedit, command, codeLimit } = layoutOf(executable);
  const pages = Math.ceil(codeLimit / 2 ** PAGE_BITS);
  const hashOffset = DIRECTORY_BYTES + IDENTIFIER.length + 1;
  const signatureBytes = SUPER_BLOB_BYTES + hashOffset + pages * HASH_BYTES;
  const signed = new Uint8Array(codeLimit + signatureBytes);
  signed.set(executable.subarray(0, codeLimit));
  const view = new DataView(signed.buffer);

  // The commands say how long the signature is, and are signed too: they come first.
  view.setUint32(command + 12, signatureBytes, true);
  const linkeditBytes = codeLimit + signatureBytes - linkedit.fileOffset;
  view.setBigUint64(linkedit.command + 48, BigInt(linkeditBytes), true);
  view.setBigUint64(linkedit.command + 32, BigInt(Math.ceil(linkeditBytes / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT), true);

  const superBlob = [SUPER_BLOB, signatureBytes, 1, 0, SUPER_BLOB_BYTES];
  superBlob.forEach((word, index) => view.setUint32(codeLimit + index * 4, word));
  const directory = codeLimit + SUPER_BLOB_BYTES;
  const words = [CODE_DIRECTORY, signatureBytes - SUPER_BLOB_BYTES, VERSION, FLAGS, hashOffset, DIRECTORY_BYTES, 0, pages, codeLimit];
  words.forEach((word, index) => view.setUint32(directory + index * 4, word));
  signed.set([HASH_BYTES, SHA256, 0, PAGE_BITS], directory + 36);
  view.setBigUint64(directory + 64, BigInt(text.fileOffset));
  view.setBigUint64(directory + 72, BigInt(text.fileBytes));
  view.setBigUint64(directory + 80, BigInt(MAIN_BINARY));
  signed.set(new TextEncoder().encode(IDENTIFIER), directory + DIRECTORY_BYTES);
  for (let page = 0; page < pages; page++) {
    // The last page is hashed as far as it goes.
    const bytes = signed.subarray(page << PAGE_BITS, Math.min((page + 1) << PAGE_BITS, codeLimit));
    signed.set(new Bun.CryptoHasher("sha256").update(bytes).digest(), directory + hashOffset + page * HASH_BYTES);
  }
  return signed;
}

function layoutOf(executable: Uint8Array): Layout {
  const view = new DataView(executable.buffer, executable.byteOffset, executable.byteLength);
  if (view.getUint32(0, true) !== MH_MAGIC_64) throw new Error("this is no 64-bit Mach-O executable");
  const segments = new Map<string, Segment>();
  let command: number | null = null;
  for (let at = HEADER_BYTES, left = view.getUint32(16, true); left > 0; left--) {
    const kind = view.getUint32(at, true);
    if (kind === LC_CODE_SIGNATURE) command = at;
    if (kind === LC_SEGMENT_64) {
      const name = new TextDecoder().decode(executable.subarray(at + 8, at + 24)).replace(/\0+$/, "");
      const [fileOffset, fileBytes] = [Number(view.getBigUint64(at + 40, true)), Number(view.getBigUint64(at + 48, true))];
      segments.set(name, { command: at, fileOffset, fileBytes });
    }
    at += view.getUint32(at + 4, true);
  }
  const [text, linkedit] = [segments.get("__TEXT"), segments.get("__LINKEDIT")];
  if (command === null || text === undefined || linkedit === undefined)
    throw new Error("this Mach-O executable has no place for a signature");
  return { text, linkedit, command, codeLimit: view.getUint32(command + 8, true) };
}
