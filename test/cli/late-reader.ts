// A program at the left of a pipe whose reader, at its right, begins only when it is told to.
import { runCli } from "./run-cli.ts";

export interface Piped {
  /** What the reader got. */
  readonly out: string;
  readonly err: string;
  readonly exitCode: number;
}

/** Runs `line`, a line of bash in which "$0" is this Bun and "$1" stands for `script`; it says `writing` on its standard error output before it writes. */
export async function readLate(line: string, script: string): Promise<Piped> {
  const piped = `exec 3<&0; { ${line}; } | { read -r _ <&3; cat; }; exit "\${PIPESTATUS[0]}"`;
  const child = Bun.spawn(["bash", "-c", piped, process.execPath, script], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  const out = child.stdout.text();
  let err = "";
  let isTold = false;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    err += text;
    if (isTold || !err.includes("writing")) continue;
    isTold = true;
    // Two whole programs come and go meanwhile: longer than anything that gives up waits.
    await runCli(["--version"]);
    await runCli(["--version"]);
    void child.stdin.write("go\n");
    await child.stdin.flush();
  }
  return { out: await out, err, exitCode: await child.exited };
}
