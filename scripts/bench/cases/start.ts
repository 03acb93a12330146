// How long the program takes to start: the executable that users have, against its sources.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Samples } from "../../../src/load/samples.ts";
import { compile } from "../../build/compile.ts";
import { targetHere } from "../../build/targets.ts";
import { type Figure, figure } from "../figure.ts";
import type { Case, CaseWorld } from "./case.ts";

const MAIN = join(import.meta.dir, "../../../src/main.ts");
const START_LIMIT_MS = 30_000;

export const start: Case = {
  name: "start",
  method:
    "A process that starts, from its spawning on, with the system's caches warm. `direct` is the program run from its sources, `relayed` the executable of `bun run build`; in turns.",
  measure: measureStart,
};

type Command = readonly [string, ...string[]];

async function measureStart({ isQuick }: CaseWorld): Promise<readonly Figure[]> {
  const target = targetHere();
  if (target === null) throw new Error("there is no executable for this machine");
  const folder = mkdtempSync(join(tmpdir(), "modelrelay-start-"));
  try {
    const executable = join(folder, target.file);
    await compile({ target, commit: "benchmark", into: executable });
    const sources: Command = [process.execPath, MAIN];
    const times = isQuick ? 3 : 100;
    return [
      await compare("`--version` until it has ended", times, sources, [executable], versionMs),
      await compare("`serve` until it listens", times, sources, [executable], listeningMs),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(
  name: string,
  times: number,
  sources: Command,
  executable: Command,
  measure: (command: Command) => Promise<number>,
): Promise<Figure> {
  const [direct, relayed] = [new Samples(), new Samples()];
  await Promise.all([measure(sources), measure(executable)]);
  for (let turn = 0; turn < times; turn++) {
    direct.add(await measure(sources));
    relayed.add(await measure(executable));
  }
  const [before, now] = [direct.summary(), relayed.summary()];
  const basis = `${times} starts each, longest ${before.max.toFixed(1)} and ${now.max.toFixed(1)}; x ${(now.p50 / before.p50).toFixed(2)} of the sources' time`;
  return figure(`${name}, p50`, "ms", { direct: before.p50, relayed: now.p50, basis });
}

async function versionMs(command: Command): Promise<number> {
  const startedAt = performance.now();
  const child = Bun.spawn([...command, "--version"], { env: {}, stdio: ["ignore", "ignore", "inherit"], timeout: START_LIMIT_MS });
  if ((await child.exited) !== 0) throw new Error("--version failed");
  return performance.now() - startedAt;
}

async function listeningMs(command: Command): Promise<number> {
  const startedAt = performance.now();
  const args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", ":memory:", "--worker-secret", "start-benchmark"];
  const child = Bun.spawn([...command, ...args], { env: {}, stdio: ["ignore", "ignore", "pipe"], timeout: START_LIMIT_MS });
  try {
    let text = "";
    const decoder = new TextDecoder();
    for await (const bytes of child.stderr) {
      text += decoder.decode(bytes, { stream: true });
      if (text.includes("listening")) return performance.now() - startedAt;
    }
    throw new Error(`serve ended before it listened: ${text}`);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}
