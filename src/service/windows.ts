// A service of Windows: how the Service Control Manager is told of it, and of its end.
import { toWindowsCommandLine } from "./quoting.ts";
import { removeSecrets, withSecretsInFiles } from "./secret-files.ts";
import { describeService, nameOf, type Places, type Role, type Service, type ServiceId, type Step } from "./service.ts";
import { closingCommand, withFolders } from "./windows-guard.ts";
import { SERVICES_KEY } from "./windows-query.ts";
import type { Access } from "./windows-rights.ts";

/** @param isThere whether a service of that name is installed; then it is made what is asked for now */
export function planWindowsInstall(service: Service, places: Places, isThere: boolean): readonly Step[] {
  const name = nameOf(service, "windows");
  const { flags, writes, removes } = withSecretsInFiles(service, places, "windows");
  const isFolderUsed = writes.length > 0 || flags.some((flag) => flag.toLowerCase().includes(places.settings.toLowerCase()));
  const line = toWindowsCommandLine([...service.program, service.role, ...flags]);
  const settings = ["binPath=", line, "start=", "delayed-auto", "DisplayName=", describeService(service)];
  const run = (command: readonly string[], mayFail = false) => ({ kind: "run", command, mayFail }) as const;
  return [
    // Closed before anything is put in, so that no secret is there for others to read, not even for a moment.
    ...(isFolderUsed ? [{ kind: "own-folder", path: places.settings } as const, run(closingCommand(places.settings))] : []),
    ...writes,
    ...removes,
    ...(isFolderUsed ? [warn([places.settings], "read", `: ${SEE}`)] : []),
    ...warnings(service),
    ...eventSource(service.role).map((command) => run(command)),
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

/** @param isLast whether no other service of that role is installed; then their source in the Event Log goes too */
export function planWindowsUninstall(id: ServiceId, places: Places, isLast: boolean): readonly Step[] {
  const name = nameOf(id, "windows");
  return [
    { kind: "run", command: ["net.exe", "stop", name], mayFail: true },
    { kind: "run", command: ["sc.exe", "delete", name], mayFail: false },
    ...removeSecrets(id, places, "windows"),
    ...(isLast ? [{ kind: "run", command: ["reg.exe", "delete", eventKey(id.role), "/f"], mayFail: true } as const] : []),
  ];
}

/** What ordinary users could do to the system, or learn, by way of the service. */
function warnings({ program, inputs, flags }: Service): readonly Step[] {
  const keys = flags.filter((flag) => flag.startsWith("--data-dir=")).map((flag) => flag.slice("--data-dir=".length));
  return [
    warn(withFolders(program), "change", String.raw`, and the service runs it as the system: put it below C:\Program Files, or ${SEE}`),
    ...(keys.length === 0 ? [] : [warn(keys, "change", `, who could put keys of their own there: ${SEE}`)]),
    ...[...inputs].map(([flag, path]) => warn([path], "read", `${flag === "config" ? ", with the secrets in it, if any" : ""}: ${SEE}`)),
  ];
}

const SEE = "close it as docs/windows.md says";

function warn(paths: readonly string[], access: Access, so: string): Step {
  return { kind: "warn", paths, access, so };
}

/** The source is shared by all services of a role. */
function eventKey(role: Role): string {
  return `${SERVICES_KEY}\\EventLog\\Application\\${nameOf({ role, name: null }, "windows")}`;
}

/** Makes the Event Viewer show the texts as they are. */
function eventSource(role: Role): readonly (readonly string[])[] {
  const key = eventKey(role);
  return [
    ["reg.exe", "add", key, "/v", "EventMessageFile", "/t", "REG_EXPAND_SZ", "/d", String.raw`%SystemRoot%\System32\EventCreate.exe`, "/f"],
    ["reg.exe", "add", key, "/v", "TypesSupported", "/t", "REG_DWORD", "/d", "7", "/f"],
  ];
}

const DESCRIPTIONS = {
  serve: "Takes requests to language models and gives them to workers.",
  work: "Connects the model server of this machine to a relay.",
} as const;
