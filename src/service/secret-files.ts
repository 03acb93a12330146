// Secrets given as values, for managers that show a service's variables to everybody: each goes into a file of its own.
import { join } from "node:path";
import type { Places, Service, Step } from "./service.ts";

interface WithFiles {
  readonly flags: readonly string[];
  readonly steps: readonly Step[];
}

/** @param service whose secrets all have a flag for a file */
export function withSecretsInFiles(service: Service, { settings }: Places, prefix: string): WithFiles {
  const files = service.secrets.map(({ fileFlag, value }) => {
    if (fileFlag === null) throw new Error("a secret without a file came this far");
    return { fileFlag, path: secretPath(settings, prefix, fileFlag), value };
  });
  return {
    flags: [...service.flags, ...files.map(({ fileFlag, path }) => `--${fileFlag}=${path}`)],
    steps: files.map(({ path, value }) => ({ kind: "write", path, text: `${value}\n`, mode: 0o600, isSecret: true })),
  };
}

/** Where every secret of a service would be, for removing them. */
export function secretPaths({ settings }: Places, prefix: string, fileFlags: readonly string[]): readonly string[] {
  return fileFlags.map((flag) => secretPath(settings, prefix, flag));
}

function secretPath(settings: string, prefix: string, fileFlag: string): string {
  return join(settings, `${prefix}.${fileFlag.replace(/-file$/, "")}`);
}
