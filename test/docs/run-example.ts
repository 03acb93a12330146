// Runs what the documents show and a scene does not, as it stands but for the address; see scene.ts.
import { type Fence, ROOT } from "./documents.ts";

/** Where the documents say the relay is. */
const WRITTEN_URL = "http://127.0.0.1:8080";

export interface ExampleResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Title and text of each, for `test.each`; the first line stands for all. */
export function examplesOf(fences: readonly Fence[], info: string): readonly (readonly [title: string, body: string])[] {
  return fences.filter((fence) => fence.info === info).map(({ body }) => [body.split("\n")[0]!.replace(/ \\$/, ""), body.trim()] as const);
}

/** In a shell in `folder`. */
export async function runInShell(body: string, url: string, folder: string): Promise<ExampleResult> {
  return run(["sh", "-c", body.replaceAll(WRITTEN_URL, url)], folder, { PROXY_URL: url });
}

export async function runJavaScript(body: string, url: string): Promise<ExampleResult> {
  return run([process.execPath, "-e", body.replaceAll(WRITTEN_URL, url)], ROOT, {});
}

async function run(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<ExampleResult> {
  const clean = { PATH: process.env["PATH"] ?? "", ...env };
  const child = Bun.spawn([...command], { cwd, env: clean, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}
