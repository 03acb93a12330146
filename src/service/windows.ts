// A service of Windows: how the Service Control Manager is told of it, and of its end.
import { toWindowsCommandLine } from "./quoting.ts";
import { withSecretsInFiles } from "./secret-files.ts";
import { describeService, nameOf, type Places, type Service, type ServiceId, type Step } from "./service.ts";

/** @param isThere whether a service of that name is installed; then it is made what is asked for now */
export function planWindowsInstall(service: Service, places: Places, isThere: boolean): readonly Step[] {
  const name = nameOf(service, "windows");
  const { flags, steps } = withSecretsInFiles(service, places, name);
  const line = toWindowsCommandLine([...service.program, service.role, ...flags]);
  const settings = ["binPath=", line, "start=", "delayed-auto", "DisplayName=", describeService(service)];
  const run = (command: readonly string[], mayFail = false) => ({ kind: "run", command, mayFail }) as const;
  return [
    ...steps,
    // Inherited rights go: only the system and administrators are left. Known by number, since their names are translated.
    ...steps.map((step) => run(["icacls.exe", pathOf(step), "/inheritance:r", "/grant:r", "*S-1-5-18:R", "*S-1-5-32-544:F"])),
    ...eventSource(nameOf({ role: service.role, name: null }, "windows")).map((command) => run(command)),
    // One that runs would keep its old command line; this waits until it has stopped.
    ...(isThere ? [run(["net.exe", "stop", name], true)] : []),
    run(["sc.exe", isThere ? "config" : "create", name, ...settings]),
    run(["sc.exe", "description", name, DESCRIPTIONS[service.role]]),
    run(["sc.exe", "failure", name, "reset=", "86400", "actions=", "restart/5000/restart/5000/restart/60000"]),
    // Without this only a crash counts as a failure, and not an end with an exit code.
    run(["sc.exe", "failureflag", name, "1"], true),
    run(["sc.exe", "start", name]),
  ];
}

export function planWindowsUninstall(id: ServiceId, secretFiles: readonly string[]): readonly Step[] {
  const name = nameOf(id, "windows");
  return [
    { kind: "run", command: ["net.exe", "stop", name], mayFail: true },
    { kind: "run", command: ["sc.exe", "delete", name], mayFail: false },
    ...secretFiles.map((path) => ({ kind: "remove", path }) as const),
  ];
}

/** Makes the Event Viewer show the texts as they are. The source is shared by all services of a role. */
function eventSource(source: string): readonly (readonly string[])[] {
  const key = String.raw`HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application` + `\\${source}`;
  return [
    ["reg.exe", "add", key, "/v", "EventMessageFile", "/t", "REG_EXPAND_SZ", "/d", String.raw`%SystemRoot%\System32\EventCreate.exe`, "/f"],
    ["reg.exe", "add", key, "/v", "TypesSupported", "/t", "REG_DWORD", "/d", "7", "/f"],
  ];
}

const DESCRIPTIONS = {
  serve: "Takes requests to language models and gives them to workers.",
  work: "Connects the model server of this machine to a relay.",
} as const;

function pathOf(step: Step): string {
  if (step.kind !== "write") throw new Error("only files have rights");
  return step.path;
}
