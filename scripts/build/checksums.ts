// SHA256SUMS: what `sha256sum -c` checks downloads against.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { TARGETS } from "./targets.ts";

/** Writes it anew for every release executable in the folder, those of earlier runs included. */
export async function writeChecksums(folder: string): Promise<void> {
  const there = new Set(readdirSync(folder));
  const lines: string[] = [];
  for (const { file } of TARGETS.filter((target) => there.has(target.file))) {
    const hash = new Bun.CryptoHasher("sha256");
    for await (const bytes of Bun.file(join(folder, file)).stream()) hash.update(bytes);
    lines.push(`${hash.digest("hex")}  ${file}\n`);
  }
  await Bun.write(join(folder, "SHA256SUMS"), lines.join(""));
}
