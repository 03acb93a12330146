// What one option of a command is. The tables made of these are what parsing, `--help` and the configuration docs read.
import { unreachable } from "../../base/assert.ts";

/** How one kind of value is written down; see kinds.ts. */
export interface ValueKind<V> {
  /** Stands for the value in `--help`, as in `--listen <address>`; empty for switches. */
  readonly hint: string;
  /** Ends the sentence `"..." is not ...`. */
  readonly expects: string;
  /** `many` may be repeated and comma separated; `switch` needs no value; `secret` is never echoed. */
  readonly shape: "one" | "many" | "switch" | "secret";
  readonly parse: (text: string) => Outcome<V>;
  /** For variables that other programs read too: what of the text has a meaning here, or null. Never a refusal. */
  readonly parseForgiving?: (text: string) => V | null;
  /** What shells complete a value to: files, or these words; nothing when not given. */
  readonly completes?: "path" | readonly string[];
  readonly show: (value: V) => string;
}

/** `advice` follows the refusal, as in "did you mean json?". */
export type Outcome<V> = { readonly ok: true; readonly value: V } | { readonly ok: false; readonly advice?: string };

export interface Option<V> {
  /** Without the dashes; the key in the config file is the same in snake_case. */
  readonly flag: string;
  /** First one set wins. */
  readonly variables: readonly string[];
  readonly kind: ValueKind<V>;
  readonly fallback: V;
  /** The default as `--help` and the docs say it. */
  readonly fallbackText: string;
  readonly group: string;
  /** One sentence. */
  readonly help: string;
  /** Variables that win even over the flag, as long as they hold something this program understands. */
  readonly overridingVariables: readonly string[];
}

interface OptionSketch<V, F> {
  readonly flag: string;
  readonly variables: readonly string[];
  readonly kind: ValueKind<V>;
  readonly fallback: F;
  readonly fallbackText?: string;
  readonly group: string;
  readonly help: string;
  readonly overridingVariables?: readonly string[];
}

/** An option whose value may be absent has `null` as its fallback. */
export function option<V>(sketch: OptionSketch<V, NoInfer<V>>): Option<V>;
export function option<V>(sketch: OptionSketch<V, null>): Option<V | null>;
export function option<V>(sketch: OptionSketch<V, V | null>): Option<V | null> {
  const { kind, fallback } = sketch;
  return {
    ...sketch,
    kind: { ...kind, show: (value) => (value === null ? "none" : kind.show(value)) },
    fallbackText: sketch.fallbackText ?? (fallback === null ? "none" : kind.show(fallback)),
    overridingVariables: sketch.overridingVariables ?? [],
  };
}

/** An option of any value; `show` alone keeps Option<V> from being an Option<unknown>. */
// oxlint-disable-next-line typescript/no-explicit-any -- the value's type is recovered by OptionValues
export type AnyOption = Option<any>;
export type OptionTable = Readonly<Record<string, AnyOption>>;

export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends Option<infer V> ? V : never;
};

/** Where a value came from, so that a refusal can name the place to put right. */
export type Origin =
  | { readonly kind: "flag"; readonly name: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "file"; readonly path: string; readonly name: string }
  | { readonly kind: "default" };

/** A text that was given for an option, and where. */
export interface GivenText {
  readonly text: string;
  readonly origin: Origin;
}

/** `--queue-timeout`, `variable QUEUE_TIMEOUT_SECS`, `queue_timeout in relay.toml`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "flag":
      return `--${origin.name}`;
    case "variable":
      return `variable ${origin.name}`;
    case "file":
      return `${origin.name} in ${origin.path}`;
    case "default":
      return "the default";
  }
  return unreachable(origin);
}

/** The key of an option in the config file. */
export function fileKey(option: AnyOption): string {
  return option.flag.replaceAll("-", "_");
}
