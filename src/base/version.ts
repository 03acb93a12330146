// The version this program says it is, everywhere, and what this very copy of it was made from.
import manifest from "../../package.json" with { type: "json" };

export const VERSION: string = manifest.version;

// Replaced by their values when an executable is built; in the sources there is nothing of these names.
declare const MODELRELAY_COMMIT: string | undefined;
declare const MODELRELAY_TARGET: string | undefined;

/** `abc1234, linux-x64-musl` in an executable; `source, linux-x64` when it runs from its sources. */
export const BUILD: string = [
  typeof MODELRELAY_COMMIT === "string" ? MODELRELAY_COMMIT : "source",
  typeof MODELRELAY_TARGET === "string" ? MODELRELAY_TARGET : `${process.platform}-${process.arch}`,
].join(", ");
