// How plans are carried out where the manager is slow: launchd says that it stopped a service before that one has ended.
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError } from "../../src/base/errors.ts";
import { planLaunchdInstall } from "../../src/service/launchd.ts";
import { perform, type PerformWorld } from "../../src/service/perform.ts";
import type { Service } from "../../src/service/service.ts";
import { hastyClock } from "../support/hasty-clock.ts";
import { failureOf } from "../support/until.ts";

const SERVICE: Service = {
  role: "serve",
  name: null,
  program: ["/usr/local/bin/modelrelay"],
  flags: [],
  inputs: new Map(),
  writes: [],
  secrets: [],
  drainTimeoutMs: 30_000,
  port: 8080,
};

/** A launchctl whose service takes a while to end, and whose domain is busy a moment longer; `calls` are the verbs it was given. */
function slowLaunchctl(endsAfterMs: number, busyForMs: number) {
  const clock = hastyClock();
  const calls: string[] = [];
  let isLoaded = true;
  let stoppedAtMs = Infinity;
  const isGone = (extraMs = 0) => clock.nowMs() >= stoppedAtMs + endsAfterMs + extraMs;
  const answers: Readonly<Record<string, () => number>> = {
    bootout: () => {
      stoppedAtMs = clock.nowMs();
      isLoaded = false;
      return 0;
    },
    print: () => (isGone() ? 113 : 0),
    enable: () => 0,
    bootstrap: () => {
      if (!isGone(busyForMs)) return isGone() ? 37 : 5;
      isLoaded = true;
      return 0;
    },
  };
  const world: PerformWorld = {
    clock,
    tell: () => {},
    run: async ([, verb = ""]) => {
      calls.push(verb);
      return { code: answers[verb]!(), out: "", err: `${verb} was refused` };
    },
  };
  return { world, calls, isLoaded: () => isLoaded };
}

async function installWith(world: PerformWorld): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "launchd-"));
  try {
    await perform(planLaunchdInstall(SERVICE, { scope: "system", uid: 0, definitions: folder, settings: folder }), world);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("[G6] install again waits until the old service has ended, and is patient with a domain that is busy a moment longer", async () => {
  const { world, calls, isLoaded } = slowLaunchctl(20_000, 1_000);
  await installWith(world);
  expect(isLoaded()).toBe(true);
  const inTurn = calls.filter((verb, at) => verb !== calls[at - 1]);
  expect(inTurn).toEqual(["bootout", "print", "enable", "bootstrap"]);
  expect(calls.filter((verb) => verb === "print").length).toBeGreaterThan(10);
});

test("[G6] one that does not end is not waited for without end, and what launchd said is told", async () => {
  const { world } = slowLaunchctl(Infinity, 0);
  const error = await failureOf(installWith(world));
  expect(error).toBeInstanceOf(CommandError);
  expect(String(error)).toMatch(/launchctl bootstrap system \S+ failed with exit code 5: bootstrap was refused/);
  // The drain time-out with its margin, then the patience.
  expect(world.clock.nowMs()).toBeWithin(45_000, 55_000);
});
