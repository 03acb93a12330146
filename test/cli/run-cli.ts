// The command line as a real process, with nothing of this process's environment but the path.

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Variables = Readonly<Record<string, string>>;

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

export function spawnCli(args: readonly string[], env: Variables = {}, argv0?: string) {
  const clean = { PATH: process.env["PATH"] ?? "", ...env };
  const options = { env: clean, stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
  return Bun.spawn([process.execPath, MAIN, ...args], argv0 === undefined ? options : { ...options, argv0 });
}

export async function runCli(args: readonly string[], env: Variables = {}, argv0?: string): Promise<CliResult> {
  const child = spawnCli(args, env, argv0);
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}
