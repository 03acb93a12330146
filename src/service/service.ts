// What a service is, whatever runs it, and how it is called on each system.
import type { Guarded } from "./windows-guard.ts";

export type Role = "serve" | "work";
export type Manager = "systemd" | "launchd" | "windows";

/** Which service is meant; several workers on a machine differ by name. */
export interface ServiceId {
  readonly role: Role;
  readonly name: string | null;
}

export interface Service extends ServiceId {
  /** The executable, and before its script the runtime, each as an absolute path. */
  readonly program: readonly string[];
  /** Flags behind the role, each `--flag=value`. */
  readonly flags: readonly string[];
  /** Files read once at the start, by flag without dashes: the manager may hand them over. */
  readonly inputs: ReadonlyMap<string, string>;
  /** Directories the service writes to. */
  readonly writes: readonly string[];
  /** Secrets given as values. */
  readonly secrets: readonly Secret[];
  readonly drainTimeoutMs: number;
  /** Where a relay listens; null for a worker. */
  readonly port: number | null;
}

export interface Secret {
  readonly flag: string;
  readonly variable: string;
  /** The flag that takes a file of it; null: there is none. */
  readonly fileFlag: string | null;
  readonly value: string;
}

/** `system`: for the machine, as root or administrator; `user`: for who runs the command. */
export type Scope = "system" | "user";

/** Where a manager's files go. */
export interface Places {
  readonly scope: Scope;
  /** Of the units or property lists. */
  readonly definitions: string;
  /** Of secrets, readable by their owner alone. */
  readonly settings: string;
  /** The user's number; launchd's domains have it. */
  readonly uid: number;
}

/** One thing to be done. */
export type Step =
  /** `mode` as for chmod; a file that install did not write is left alone unless told otherwise. */
  | { readonly kind: "write"; readonly path: string; readonly text: string; readonly mode: number; readonly isSecret: boolean }
  | { readonly kind: "remove"; readonly path: string }
  /** `mayFail`: what it does may have been done before, or be impossible for good reasons. `patienceMs`: one that fails is tried again for that long. */
  | { readonly kind: "run"; readonly command: readonly string[]; readonly mayFail: boolean; readonly patienceMs?: number }
  /** Waits until the command fails: what it asks for is gone then. */
  | { readonly kind: "await-end"; readonly command: readonly string[]; readonly limitMs: number }
  /** Makes a folder of Windows, unless administrators did already. */
  | { readonly kind: "own-folder"; readonly path: string }
  /** Says so when others get at something of the service. */
  | ({ readonly kind: "warn" } & Guarded);

/** Says of a file that it may be replaced and removed. */
export const MARK = "Written by 'modelrelay service install'";

/** `modelrelay-server`, `ai.modelrelay.worker.gpu0`, `ModelRelayWorker-gpu0`. */
export function nameOf({ role, name }: ServiceId, manager: Manager): string {
  const separator = manager === "launchd" ? "." : "-";
  const base = BASE_NAMES[manager][role];
  return name === null ? base : `${base}${separator}${name}`;
}

const BASE_NAMES = {
  systemd: { serve: "modelrelay-server", work: "modelrelay-worker" },
  launchd: { serve: "ai.modelrelay.server", work: "ai.modelrelay.worker" },
  windows: { serve: "ModelRelayServer", work: "ModelRelayWorker" },
} as const;

export function describeService({ role, name }: ServiceId): string {
  const what = role === "serve" ? "relay" : "worker";
  return name === null ? `ModelRelay ${what}` : `ModelRelay ${what} ${name}`;
}

/** What a stop may take: the drain, and what the program needs around it. */
export function stopTimeoutSeconds(drainTimeoutMs: number): number {
  return Math.ceil(drainTimeoutMs / 1000) + STOP_MARGIN_SECS;
}

const STOP_MARGIN_SECS = 15;
