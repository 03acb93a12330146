// How far the clocks of two processes are apart, found the way NTP finds it, so that one-way times mean something.
import { sharedNowMs } from "./clock.ts";

const PROBES = 50;

/**
 * Milliseconds by which this process's clock is ahead of the one behind `clockUrl`. The probe with the shortest round trip counts:
 * it leaves the least room (half of that trip, some tens of microseconds on one machine) for a wrong answer.
 */
export async function measureSkewMs(clockUrl: string): Promise<number> {
  let shortestMs = Infinity;
  let skewMs = 0;
  for (let probe = 0; probe < PROBES; probe++) {
    const sentMs = sharedNowMs();
    const theirsMs = Number(await (await fetch(clockUrl)).text());
    const receivedMs = sharedNowMs();
    if (receivedMs - sentMs >= shortestMs) continue;
    shortestMs = receivedMs - sentMs;
    skewMs = (sentMs + receivedMs) / 2 - theirsMs;
  }
  return skewMs;
}
