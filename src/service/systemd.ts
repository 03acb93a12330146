// A service under systemd: its unit, and what installs, removes and shows it.
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import { quote } from "../base/printable.ts";
import { quoteForEnvironmentFile, quoteForSystemd } from "./quoting.ts";
import { SYSTEMD_PROPERTIES } from "./standing.ts";
import { describeService, MARK, nameOf, type Places, type Service, type ServiceId, stopTimeoutSeconds, type Step } from "./service.ts";

export function planSystemdInstall(service: Service, places: Places): readonly Step[] {
  const unit = unitOf(service);
  const secrets = secretsFile(service, places);
  const systemctl = systemctlOf(places);
  const write = {
    kind: "write",
    path: join(places.definitions, unit),
    text: toUnit(service, places),
    mode: 0o644,
    isSecret: false,
  } as const;
  return [
    // Without secrets now, what an earlier install wrote would be read by nobody.
    service.secrets.length === 0 ? ({ kind: "remove", path: secretsPath(service, places) } as const) : secrets,
    write,
    { kind: "run", command: [...systemctl, "daemon-reload"], mayFail: false },
    { kind: "run", command: [...systemctl, "enable", unit], mayFail: false },
    // A start would leave one that runs as it was.
    { kind: "run", command: [...systemctl, "restart", unit], mayFail: false },
  ];
}

export function planSystemdUninstall(id: ServiceId, places: Places): readonly Step[] {
  const unit = unitOf(id);
  const systemctl = systemctlOf(places);
  return [
    { kind: "run", command: systemdStopCommand(id, places), mayFail: true },
    { kind: "remove", path: join(places.definitions, unit) },
    { kind: "remove", path: secretsPath(id, places) },
    { kind: "run", command: [...systemctl, "daemon-reload"], mayFail: false },
    { kind: "run", command: [...systemctl, "reset-failed", unit], mayFail: true },
  ];
}

/** Stops it now, and at the next start of the machine it stays so. */
export function systemdStopCommand(id: ServiceId, places: Pick<Places, "scope">): readonly string[] {
  return [...systemctlOf(places), "disable", "--now", unitOf(id)];
}

export function systemctlOf({ scope }: Pick<Places, "scope">): readonly string[] {
  return scope === "user" ? ["systemctl", "--user"] : ["systemctl"];
}

export function unitOf(id: ServiceId): string {
  return `${nameOf(id, "systemd")}.service`;
}

export function systemdLogsCommand(id: ServiceId, { scope }: Pick<Places, "scope">): readonly string[] {
  return ["journalctl", ...(scope === "user" ? ["--user"] : []), "-u", nameOf(id, "systemd"), "-n", "50"];
}

/** What says whether it runs, was started again, and how it ended. */
export function systemdShowCommand(id: ServiceId, places: Pick<Places, "scope">): readonly string[] {
  return [...systemctlOf(places), "show", `--property=${SYSTEMD_PROPERTIES}`, unitOf(id)];
}

function toUnit(service: Service, places: Places): string {
  const isSystem = places.scope === "system";
  // In a room of its own the service sees no files of root; systemd hands them over.
  const credentials = isSystem ? [...service.inputs] : [];
  const flags = service.flags.map((flag) => {
    const name = flag.slice(2, flag.indexOf("="));
    // The one variable in the line: systemd sets it.
    if (isSystem && service.inputs.has(name)) return `"--${name}=\${CREDENTIALS_DIRECTORY}/${name}"`;
    return quoteForSystemd(flag);
  });
  const command = [quoteItem(service.program[0] ?? ""), ...service.program.slice(1).map(quoteForSystemd), service.role, ...flags].join(" ");
  return `${[
    `# ${MARK}, which replaces this file when it is run again. For changes of your own: ${systemctlOf(places).join(" ")} edit ${unitOf(service)}`,
    "[Unit]",
    `Description=${describeService(service)}`,
    ...(isSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "",
    "[Service]",
    "Type=exec",
    ...(service.secrets.length === 0 ? [] : [`EnvironmentFile=${bare(secretsPath(service, places))}`]),
    ...credentials.map(([flag, path]) => `LoadCredential=${flag}:${bare(path)}`),
    `ExecStart=${command}`,
    "Restart=on-failure",
    "RestartSec=5",
    "# What was given wrongly stays wrong.",
    "RestartPreventExitStatus=2",
    "KillMode=mixed",
    "KillSignal=SIGTERM",
    "# Above the drain time-out.",
    `TimeoutStopSec=${stopTimeoutSeconds(service.drainTimeoutMs)}`,
    "LimitNOFILE=65536",
    "",
    ...(isSystem ? systemSandbox(service) : USER_SANDBOX),
    "",
    "[Install]",
    `WantedBy=${isSystem ? "multi-user.target" : "default.target"}`,
  ].join("\n")}\n`;
}

/** The same as in the units of extras/, where the reasons stand. */
export const SANDBOX = [
  "CapabilityBoundingSet=",
  "AmbientCapabilities=",
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
  "PrivateDevices=yes",
  "PrivateUsers=yes",
  "ProtectHostname=yes",
  "ProtectClock=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelLogs=yes",
  "ProtectControlGroups=yes",
  "ProtectProc=invisible",
  "ProcSubset=pid",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "MemoryDenyWriteExecute=no",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallFilter=~@privileged @resources",
  "SystemCallErrorNumber=EPERM",
  "RemoveIPC=yes",
  "UMask=0077",
] as const;

const USER_SANDBOX = ["NoNewPrivileges=yes", "LockPersonality=yes", "RestrictSUIDSGID=yes", "UMask=0077"];

function systemSandbox(service: Service): readonly string[] {
  // A port below 1024 is the one thing that needs a capability.
  const sandbox = needsLowPort(service) ? SANDBOX.map(allowLowPorts).filter((line) => line !== null) : SANDBOX;
  return [
    "User=modelrelay",
    "DynamicUser=yes",
    ...(service.role === "serve" ? ["StateDirectory=modelrelay", "StateDirectoryMode=0700"] : []),
    // With the dash one that is not there yet is for the program to complain of, in words.
    ...service.writes.map((path) => `ReadWritePaths=${quoteItem(`-${path}`)}`),
    ...sandbox,
  ];
}

function needsLowPort({ port }: Service): boolean {
  return port !== null && port > 0 && port < LOW_PORTS_END;
}

const LOW_PORTS_END = 1024;

function allowLowPorts(line: string): string | null {
  // In a user namespace of its own the capability would be worth nothing.
  if (line.startsWith("PrivateUsers=")) return null;
  return /^(CapabilityBoundingSet|AmbientCapabilities)=$/.test(line) ? `${line}CAP_NET_BIND_SERVICE` : line;
}

function secretsPath(id: ServiceId, { settings }: Places): string {
  return join(settings, `${nameOf(id, "systemd")}.env`);
}

function secretsFile(service: Service, places: Places): Step {
  const lines = service.secrets.map(({ variable, value }) => `${variable}=${quoteForEnvironmentFile(value)}`);
  const text = `# ${MARK}.\n${lines.join("\n")}\n`;
  return { kind: "write", path: secretsPath(service, places), text, mode: 0o600, isSecret: true };
}

/** An item of a list of paths, and the executable itself: specifiers are expanded there, variables are not. */
function quoteItem(path: string): string {
  const plain = path.replaceAll("%", "%%");
  return /^[A-Za-z0-9_./:=@,+%-]+$/.test(plain) ? plain : `"${plain.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** A path that is a whole setting: systemd takes it as it stands, quotes included. @throws UsageError when it cannot stand there */
function bare(path: string): string {
  if (/^\s|[\s\\]$/.test(path)) throw new UsageError(`${quote(path)}: a unit cannot hold a path with a space or backslash at its end`);
  return path.replaceAll("%", "%%");
}
