// The program answers to its earlier names: called as modelrelay-server it serves, as modelrelay-worker it works.

interface Invocation {
  /** As the caller wrote it: the name of a symlink or a renamed copy shows here. */
  readonly argv0: string;
  /** The running executable, links resolved. */
  readonly execPath: string;
  /** The script, when the program is not compiled. */
  readonly script: string | null;
}

/** The command that the name stands for; null for `modelrelay` itself and everything else. */
export function commandOfName({ argv0, execPath, script }: Invocation): "serve" | "work" | null {
  for (const path of [argv0, execPath, script]) {
    const name = (path ?? "").split(/[/\\]/).at(-1)!.toLowerCase();
    if (name.startsWith("modelrelay-server")) return "serve";
    if (name.startsWith("modelrelay-worker")) return "work";
    // The name it was called by decides: a link `modelrelay` to a file `modelrelay-server` is the whole program.
    if (name.startsWith("modelrelay")) return null;
  }
  return null;
}
