// Started by the Service Control Manager of Windows, a command runs as a service: its states are reported, its log goes to the Event Log.
import { systemClock } from "../../base/clock.ts";
import type { EventKind } from "../../service/windows-api.ts";
import { replaceStandardError } from "../write-now.ts";

/** The commands that stay up, and the Event Log's name for each. */
const EVENT_SOURCES: ReadonlyMap<string, string> = new Map([
  ["serve", "ModelRelayServer"],
  ["work", "ModelRelayWorker"],
  ["up", "ModelRelayServer"],
]);

/** Resolves to the command's exit code, whether it ran as a service or just so. */
export async function runAsServiceIfAsked(command: string | undefined, run: () => Promise<number>): Promise<number> {
  const source = EVENT_SOURCES.get(command ?? "");
  if (process.platform !== "win32" || source === undefined) return await run();
  if (!(await isStartedAsService())) return await run();

  const { createServiceControlManager, openEventLog } = await import("../../service/windows-api.ts");
  const { runAsService } = await import("../../service/windows-service.ts");
  const writeEvent = openEventLog(source);
  replaceStandardError((text) => {
    const kind = eventKindOf(text);
    if (kind !== null) writeEvent(kind, text.trimEnd());
  });
  const work = {
    run: async (onRunning: () => void) => {
      onceListeningForSignals(onRunning);
      writeEvent("information", `modelrelay ${command} starts`);
      const exitCode = await run();
      writeEvent(exitCode === 0 ? "information" : "error", `modelrelay ${command} ended with exit code ${exitCode}`);
      return exitCode;
    },
    // To the command a stop looks as it does everywhere; Windows itself has no such signal.
    requestStop: () => void process.emit("SIGTERM", "SIGTERM"),
  };
  return (await runAsService(work, createServiceControlManager(systemClock), systemClock)) ?? (await run());
}

/** Where the runtime cannot call Windows directly, as on some processors, a command at a terminal has to work all the same. */
async function isStartedAsService(): Promise<boolean> {
  try {
    const { isStartedByServiceManager } = await import("../../service/windows-api.ts");
    return isStartedByServiceManager();
  } catch {
    return false;
  }
}

/**
 * What of the standard error output belongs into the Event Log: warnings and errors of the log, and what is no log line at all,
 * as a refusal to start. Null: it stays out, since a busy relay would fill the log with what went well.
 */
export function eventKindOf(text: string): EventKind | null {
  const level = /^\S+ (TRACE|DEBUG|INFO|WARN|ERROR) /.exec(text)?.[1] ?? /^\{"time":"[^"]*","level":"(\w+)"/.exec(text)?.[1] ?? "ERROR";
  if (level.toUpperCase() === "ERROR") return "error";
  return level.toUpperCase() === "WARN" ? "warning" : null;
}

/** A command that listens for stop signals is up, or about to be, and can be stopped. */
function onceListeningForSignals(onRunning: () => void): void {
  const onListener = (name: string | symbol): void => {
    if (name !== "SIGTERM") return;
    process.off("newListener", onListener);
    queueMicrotask(onRunning);
  };
  process.on("newListener", onListener);
}
