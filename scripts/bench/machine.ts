// What the figures were taken on, without which they mean nothing.
import { cpus, release, totalmem, type } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly bun: string;
}

export function thisMachine(): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? "unknown",
    cores: cores.length,
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release().replace(/[-+].*$/, "")} ${process.arch}`,
    bun: Bun.version,
  };
}
