// The version this program says it is, everywhere.
import manifest from "../../package.json" with { type: "json" };

export const VERSION: string = manifest.version;
