// What an executable is, by its own headers: its format, the machine it is for, and what loads it.
// Layouts: System V ABI (ELF), Apple's <mach-o/loader.h> and <kern/cs_blobs.h>, Microsoft's "PE Format".

interface Format {
  readonly format: "ELF" | "Mach-O" | "PE";
  readonly machine: string;
  /** ELF: the dynamic loader, which is of one C library. */
  readonly loader?: string;
  /** PE: 3 is a program of the console. */
  readonly subsystem?: number;
}

const ELF_MACHINES: Readonly<Record<number, string>> = { 0x3e: "x64", 0xb7: "arm64" };
const MACH_O_MACHINES: Readonly<Record<number, string>> = { 0x01000007: "x64", 0x0100000c: "arm64" };
const PE_MACHINES: Readonly<Record<number, string>> = { 0x8664: "x64", 0xaa64: "arm64" };

/** @throws Error when it is none of the three */
export function formatOf(file: Buffer): Format {
  if (file.readUInt32BE(0) === 0x7f454c46) return elf(file);
  if (file.readUInt32LE(0) === 0xfeedfacf) return { format: "Mach-O", machine: MACH_O_MACHINES[file.readUInt32LE(4)] ?? "?" };
  if (file.toString("latin1", 0, 2) === "MZ") return pe(file);
  throw new Error("neither ELF nor Mach-O (64 bit) nor PE");
}

interface Signature {
  readonly isAdHoc: boolean;
  /** It signs everything before it, and nothing comes after it. */
  readonly coversAll: boolean;
  /** Pages whose hash is not the signed one: macOS ends a process that touches such a page. */
  readonly wrongPages: readonly number[];
}

/** The code signature of a Mach-O executable; null: it has none. */
export function signatureOf(file: Buffer): Signature | null {
  for (let at = 32, left = file.readUInt32LE(16); left > 0; left--) {
    const [command, length] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
    if (command === 0x1d) return checkSignature(file, file.readUInt32LE(at + 8), file.readUInt32LE(at + 12));
    at += length;
  }
  return null;
}

function checkSignature(file: Buffer, begin: number, length: number): Signature | null {
  const blob = file.subarray(begin, begin + length);
  if (blob.readUInt32BE(0) !== 0xfade0cc0) return null;
  const count = blob.readUInt32BE(8);
  const offsets = Array.from({ length: count }, (_, index) => blob.readUInt32BE(16 + index * 8));
  const directory = offsets.map((offset) => blob.subarray(offset)).find((part) => part.readUInt32BE(0) === 0xfade0c02);
  if (directory === undefined) return null;
  const [flags, hashes] = [directory.readUInt32BE(12), directory.readUInt32BE(16)];
  const [pages, limit] = [directory.readUInt32BE(28), directory.readUInt32BE(32)];
  const pageBytes = 1 << directory.readUInt8(39);
  const wrongPages: number[] = [];
  for (let page = 0; page < pages; page++) {
    const bytes = file.subarray(page * pageBytes, Math.min((page + 1) * pageBytes, limit));
    const signed = directory.subarray(hashes + page * 32, hashes + (page + 1) * 32);
    if (!signed.equals(new Bun.CryptoHasher("sha256").update(bytes).digest())) wrongPages.push(page);
  }
  const coversAll = limit === begin && pages === Math.ceil(limit / pageBytes) && begin + length === file.length;
  return { isAdHoc: (flags & 2) !== 0, coversAll, wrongPages };
}

function elf(file: Buffer): Format {
  const [isWide, isLittle] = [file[4] === 2, file[5] === 1];
  if (!isWide || !isLittle) throw new Error("an ELF file, but not a little-endian one of 64 bit");
  const machine = ELF_MACHINES[file.readUInt16LE(18)] ?? "?";
  const [begin, length, count] = [Number(file.readBigUInt64LE(32)), file.readUInt16LE(54), file.readUInt16LE(56)];
  const headers = Array.from({ length: count }, (_, index) => file.subarray(begin + index * length, begin + (index + 1) * length));
  const interpreter = headers.find((header) => header.readUInt32LE(0) === 3);
  if (interpreter === undefined) throw new Error("an ELF file that nothing loads");
  const [offset, size] = [Number(interpreter.readBigUInt64LE(8)), Number(interpreter.readBigUInt64LE(32))];
  return { format: "ELF", machine, loader: file.toString("latin1", offset, offset + size).replace(/\0$/, "") };
}

function pe(file: Buffer): Format {
  const header = file.readUInt32LE(0x3c);
  if (file.toString("latin1", header, header + 4) !== "PE\0\0") throw new Error("a DOS program, but none of Windows");
  const optional = header + 24;
  return { format: "PE", machine: PE_MACHINES[file.readUInt16LE(header + 4)] ?? "?", subsystem: file.readUInt16LE(optional + 68) };
}
