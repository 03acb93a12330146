// What the tests need of any server in front of the relay: to start it on free ports, to be told when it listens, and to be rid of it.
import { until, within } from "../support/until.ts";

export interface FrontServer extends AsyncDisposable {
  /** Where clients reach it. */
  readonly url: URL;
  /** Where it has nothing but the way to `url`. */
  readonly httpUrl: URL;
  /** Its access log so far. */
  log(): string;
}

/** What has to stand in a shipped file, what stands there for the test, and how often it stands there; once when not given. */
export type Substitution = readonly [written: string, tested: string, times?: number];

/** @throws when a shipped file does not have what is to be changed, or has it more often: then the test would test something else */
export function substitute(text: string, substitutions: readonly Substitution[]): string {
  let changed = text;
  for (const [written, tested, times = 1] of substitutions) {
    const found = changed.split(written).length - 1;
    if (found !== times) throw new Error(`'${written.trim()}' stands ${found} times in the shipped file, not ${times} times`);
    changed = changed.replaceAll(written, () => tested);
  }
  return changed;
}

/** Where a front server is to find what it needs. */
export interface Place {
  /** Where the relay listens. */
  readonly upstream: URL;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Why there can be no tests with this server here; null: there can. */
export function whatIsMissing(name: string, program: string | null): string | null {
  if (process.platform !== "linux") return "other systems have only one address on the loopback";
  if (program === null) return `there is no '${name}' (Debian: apt-get install -y ${name})`;
  return Bun.which("curl") === null ? "there is no 'curl' (Debian: apt-get install -y curl)" : null;
}

const START_LIMIT_MS = 10_000;
const TRIES = 3;

interface Start<Ready> {
  readonly child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  /** It is ready when it listens on all of them. */
  readonly ports: readonly number[];
  readonly ready: Ready;
  readonly forget: () => void;
}

/** Somebody else may take a port between its choice and its use: then it is started again on others. */
export async function tryStarting<Ready>(start: () => Promise<Start<Ready>>): Promise<Ready & AsyncDisposable> {
  for (let tries = 1; ; tries++) {
    const { child, ports, ready, forget } = await start();
    // Where the test run itself ends early, nobody disposes of it.
    const onExit = (): void => child.kill("SIGTERM");
    process.on("exit", onExit);
    const errors = child.stderr.text();
    const stop = async (): Promise<void> => {
      child.kill("SIGTERM");
      await within(child.exited, "the server in front ends", START_LIMIT_MS);
      process.off("exit", onExit);
      forget();
    };
    try {
      await until(async () => child.exitCode !== null || (await listensOnAll(ports)), "the server in front listens", START_LIMIT_MS);
      if (child.exitCode === null) return { ...ready, [Symbol.asyncDispose]: stop };
    } catch (error) {
      await stop();
      throw error;
    }
    await stop();
    if (tries === TRIES) throw new Error(`the server in front ended with ${child.exitCode}: ${await errors}`);
  }
}

export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function listensOnAll(ports: readonly number[]): Promise<boolean> {
  const tries = ports.map(async (port) => {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } });
    socket.end();
  });
  return (await Promise.allSettled(tries)).every(({ status }) => status === "fulfilled");
}
