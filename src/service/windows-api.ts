// The few functions of Windows that a service needs, called directly. Nothing here decides anything, and it only works on Windows.
import { dlopen, JSCallback, ptr } from "bun:ffi";
import type { Clock } from "../base/clock.ts";
import type { ServiceControlManager, ServiceStatus } from "./windows-service.ts";

/** Whether the Service Control Manager started this process: its parent is services.exe. */
export function isStartedByServiceManager(): boolean {
  const kernel = loadKernel();
  const snapshot = kernel.CreateToolhelp32Snapshot(SNAPSHOT_OF_PROCESSES, 0);
  const entry = new Uint8Array(PROCESS_ENTRY_BYTES);
  const view = new DataView(entry.buffer);
  view.setUint32(0, PROCESS_ENTRY_BYTES, true);
  try {
    for (let isThere = kernel.Process32FirstW(snapshot, entry); isThere !== 0; isThere = kernel.Process32NextW(snapshot, entry)) {
      if (view.getUint32(PROCESS_ID_AT, true) !== process.ppid) continue;
      const name = Buffer.from(entry.buffer, PROCESS_NAME_AT).toString("utf16le").split("\0")[0] ?? "";
      return name.toLowerCase() === "services.exe";
    }
    return false;
  } finally {
    kernel.CloseHandle(snapshot);
  }
}

/**
 * The manager's dispatcher blocks the thread that calls it until the service ends, so it gets a thread of its own: as a thread's
 * entry it takes one pointer and returns one number, which is just what it does. It calls back on other threads, which is why
 * the callbacks are delivered to this one and return nothing.
 */
export function createServiceControlManager(clock: Clock): ServiceControlManager {
  const services = loadServices();
  const kernel = loadKernel();
  const name = toWide("");
  let status = 0n;
  const connect = async (onControl: (control: number) => void): Promise<boolean> => {
    const connected = Promise.withResolvers<boolean>();
    const handler = new JSCallback(onControl, { args: ["u32"], returns: "void", threadsafe: true });
    const main = new JSCallback(
      () => {
        // A service with a process of its own needs no name here.
        status = services.RegisterServiceCtrlHandlerW(name, handler.ptr);
        connected.resolve(status !== 0n);
      },
      { args: ["u32", "ptr"], returns: "void", threadsafe: true },
    );
    const table = new BigUint64Array([BigInt(ptr(name)), BigInt(main.ptr ?? 0), 0n, 0n]);
    keptForever.push(name, handler, main, table);
    const entry = kernel.GetProcAddress(kernel.GetModuleHandleW(toWide("advapi32.dll")), Buffer.from("StartServiceCtrlDispatcherW\0"));
    const thread = kernel.CreateThread(null, 0n, entry, table, 0, null);
    if (thread === null) return false;
    const exitCode = new Uint32Array(1);
    const look = (): void => {
      kernel.GetExitCodeThread(thread, exitCode);
      // A dispatcher that ends before it called anybody had no manager to connect to.
      if (status === 0n && exitCode[0] !== STILL_ACTIVE) connected.resolve(false);
      else if (status === 0n) clock.startTimer(LOOK_EVERY_MS, look);
    };
    look();
    return await connected.promise;
  };
  const report = ({ state, accepts, win32ExitCode, ownExitCode, checkpoint, waitHintMs }: ServiceStatus): void => {
    const fields = new Uint32Array([OWN_PROCESS, state, accepts, win32ExitCode, ownExitCode, checkpoint, waitHintMs]);
    services.SetServiceStatus(status, fields);
  };
  return { connect, report };
}

export type EventKind = "error" | "warning" | "information";

/** Writes to the Application log of Windows under the name of the source. */
export function openEventLog(source: string): (kind: EventKind, text: string) => void {
  const events = loadEvents();
  const handle = events.RegisterEventSourceW(null, toWide(source));
  return (kind, text) => {
    const message = toWide(text.slice(0, EVENT_MAX_CHARS));
    const strings = new BigUint64Array([BigInt(ptr(message))]);
    events.ReportEventW(handle, EVENT_TYPE[kind], 0, EVENT_ID[kind], null, 1, 0, strings, null);
  };
}

// Handed to threads of Windows, which do not count for the collector.
const keptForever: unknown[] = [];

const SNAPSHOT_OF_PROCESSES = 2;
// PROCESSENTRY32W on 64 bits.
const PROCESS_ENTRY_BYTES = 568;
const PROCESS_ID_AT = 8;
const PROCESS_NAME_AT = 44;
const STILL_ACTIVE = 259;
const LOOK_EVERY_MS = 20;
const OWN_PROCESS = 0x10;
// The limit is 31,839; text for people is long before that.
const EVENT_MAX_CHARS = 8_000;
const EVENT_TYPE = { error: 1, warning: 2, information: 4 } as const;
// EventCreate.exe, the message file the installer registers, has the texts 1 to 1000, each of which is just the string given.
const EVENT_ID = { error: 3, warning: 2, information: 1 } as const;

function toWide(text: string): Buffer {
  return Buffer.from(`${text}\0`, "utf16le");
}

function loadKernel() {
  return dlopen("kernel32.dll", {
    CloseHandle: { args: ["ptr"], returns: "i32" },
    CreateThread: { args: ["ptr", "u64", "ptr", "ptr", "u32", "ptr"], returns: "ptr" },
    CreateToolhelp32Snapshot: { args: ["u32", "u32"], returns: "ptr" },
    GetExitCodeThread: { args: ["ptr", "ptr"], returns: "i32" },
    GetModuleHandleW: { args: ["ptr"], returns: "ptr" },
    GetProcAddress: { args: ["ptr", "ptr"], returns: "ptr" },
    Process32FirstW: { args: ["ptr", "ptr"], returns: "i32" },
    Process32NextW: { args: ["ptr", "ptr"], returns: "i32" },
  }).symbols;
}

function loadServices() {
  return dlopen("advapi32.dll", {
    RegisterServiceCtrlHandlerW: { args: ["ptr", "ptr"], returns: "u64" },
    SetServiceStatus: { args: ["u64", "ptr"], returns: "i32" },
  }).symbols;
}

function loadEvents() {
  return dlopen("advapi32.dll", {
    RegisterEventSourceW: { args: ["ptr", "ptr"], returns: "ptr" },
    ReportEventW: { args: ["ptr", "u16", "u16", "u32", "ptr", "u16", "u32", "ptr", "ptr"], returns: "i32" },
  }).symbols;
}
