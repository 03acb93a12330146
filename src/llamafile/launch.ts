// The arguments a llamafile is started with: they differ between its versions, so it is asked which one it is.
import { CommandError } from "../base/errors.ts";

export interface LaunchWishes {
  readonly port: number;
  readonly gpuLayers: number | null;
  readonly contextSize: number | null;
  readonly isForEmbeddings: boolean;
  readonly hasGpu: boolean;
  /** The llamafile's own, last, so that they win. */
  readonly args: readonly string[];
}

export interface LlamafileVersion {
  readonly major: number;
  readonly minor: number;
}

/**
 * Up to 0.9 a server opens a browser unless told not to, and leaves the GPU idle unless told how many layers it gets;
 * from 0.10 on it does neither, and ends when it is told not to open a browser.
 */
export function llamafileArguments(version: LlamafileVersion | null, wishes: LaunchWishes): readonly string[] {
  const isOld = version !== null && version.major === 0 && version.minor < 10;
  const layers = wishes.gpuLayers ?? (isOld && wishes.hasGpu ? ALL_LAYERS : null);
  return [
    "--server",
    "--host",
    "127.0.0.1",
    "--port",
    String(wishes.port),
    ...(isOld ? ["--nobrowser"] : []),
    ...(layers === null ? [] : ["-ngl", String(layers)]),
    ...(wishes.contextSize === null ? [] : ["--ctx-size", String(wishes.contextSize)]),
    ...(wishes.isForEmbeddings ? ["--embedding"] : []),
    ...wishes.args,
  ];
}

/** Null when it does not say, or not soon enough. */
export async function askVersion(command: readonly string[], env: Readonly<Record<string, string>>): Promise<LlamafileVersion | null> {
  try {
    const child = Bun.spawn([...command, "--version"], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      env,
      timeout: VERSION_LIMIT_MS,
      killSignal: "SIGKILL",
      maxBuffer: OUTPUT_MAX_BYTES,
    });
    const [, major, minor] = /\bllamafile(?:-server)? v?(\d{1,4})\.(\d{1,4})/.exec(await child.stdout.text()) ?? [];
    return major === undefined ? null : { major: Number(major), minor: Number(minor) };
  } catch {
    return null;
  }
}

/** @throws CommandError for arguments that would take the model away from where it is looked for */
export function checkPassedArguments(args: readonly string[]): void {
  const wrong = args.find((arg) => /^--port(=|$)/.test(arg));
  if (wrong !== undefined) throw new CommandError("the port is not the llamafile's to choose: write --port PORT before the --");
}

// The first start unpacks the program's loader; a model is not read for this.
const VERSION_LIMIT_MS = 20_000;
const OUTPUT_MAX_BYTES = 1_000_000;
// More than any model has.
const ALL_LAYERS = 999;
