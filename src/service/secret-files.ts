// Secrets given as values, for managers that show a service's variables to everybody: each goes into a file of its own.
import { join } from "node:path";
import { nameOf, type Manager, type Places, type Role, type Service, type ServiceId, type Step } from "./service.ts";

/** The secrets of each role that can be in a file, by their flags. */
export const SECRETS_IN_FILES = {
  serve: ["worker-secret", "admin-token"],
  work: ["worker-secret", "backend-api-key"],
} as const satisfies Record<Role, readonly string[]>;

interface WithFiles {
  readonly flags: readonly string[];
  readonly writes: readonly Step[];
  /** Those of an earlier install, which nobody would read any more. */
  readonly removes: readonly Step[];
}

/** @param service whose secrets all have a flag for a file */
export function withSecretsInFiles(service: Service, places: Places, manager: Manager): WithFiles {
  const given = new Map(service.secrets.map(({ flag, value }) => [flag, value]));
  const paths = new Map(SECRETS_IN_FILES[service.role].map((flag): [string, string] => [flag, secretPath(service, places, manager, flag)]));
  const written = [...paths].filter(([flag]) => given.has(flag));
  if (written.length < given.size) throw new Error("a secret without a file came this far");
  return {
    flags: [...service.flags, ...written.map(([flag, path]) => `--${flag}-file=${path}`)],
    writes: written.map(([flag, path]) => ({ kind: "write", path, text: `${given.get(flag)}\n`, mode: 0o600, isSecret: true })),
    removes: [...paths].filter(([flag]) => !given.has(flag)).map(([, path]) => ({ kind: "remove", path })),
  };
}

/** Takes away every file a service may have. */
export function removeSecrets(id: ServiceId, places: Places, manager: Manager): readonly Step[] {
  return SECRETS_IN_FILES[id.role].map((flag) => ({ kind: "remove", path: secretPath(id, places, manager, flag) }));
}

/** Whether a file has such a name. It holds a bare secret, so it has no room for a mark. */
export function isSecretPath(path: string): boolean {
  return Object.values(SECRETS_IN_FILES).some((flags) => flags.some((flag) => path.endsWith(`.${flag}`)));
}

function secretPath(id: ServiceId, { settings }: Places, manager: Manager, flag: string): string {
  return join(settings, `${nameOf(id, manager)}.${flag}`);
}
