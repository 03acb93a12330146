// A service under launchd: its property list, and what installs, removes and shows it.
import { join } from "node:path";
import { escapeXml } from "./quoting.ts";
import { MARK, nameOf, type Places, type Service, type ServiceId, stopTimeoutSeconds, type Step } from "./service.ts";
import { removeSecrets, withSecretsInFiles } from "./secret-files.ts";

export function planLaunchdInstall(service: Service, places: Places): readonly Step[] {
  const { flags, writes, removes } = withSecretsInFiles(service, places, "launchd");
  const label = nameOf(service, "launchd");
  const path = plistPath(service, places);
  return [
    ...writes,
    ...removes,
    { kind: "write", path, text: toPlist({ ...service, flags }, logPath(service, places)), mode: 0o644, isSecret: false },
    // One that is loaded keeps its old definition.
    { kind: "run", command: launchdStopCommand(service, places), mayFail: true },
    // It returns before the service has ended, and until then the next one would be refused (codes 5 and 37).
    { kind: "await-end", command: launchdPrintCommand(service, places), limitMs: stopTimeoutSeconds(service.drainTimeoutMs) * 1000 },
    { kind: "run", command: ["launchctl", "enable", `${domainOf(places)}/${label}`], mayFail: false },
    { kind: "run", command: ["launchctl", "bootstrap", domainOf(places), path], mayFail: false, patienceMs: BOOTSTRAP_PATIENCE_MS },
  ];
}

// What has just gone is not always quite gone.
const BOOTSTRAP_PATIENCE_MS = 5_000;

export function planLaunchdUninstall(id: ServiceId, places: Places): readonly Step[] {
  return [
    { kind: "run", command: launchdStopCommand(id, places), mayFail: true },
    { kind: "remove", path: plistPath(id, places) },
    ...removeSecrets(id, places, "launchd"),
  ];
}

export function launchdStopCommand(id: ServiceId, places: Places): readonly string[] {
  return ["launchctl", "bootout", `${domainOf(places)}/${nameOf(id, "launchd")}`];
}

export function launchdPrintCommand(id: ServiceId, places: Places): readonly string[] {
  return ["launchctl", "print", `${domainOf(places)}/${nameOf(id, "launchd")}`];
}

export function plistPath(id: ServiceId, { definitions }: Places): string {
  return join(definitions, `${nameOf(id, "launchd")}.plist`);
}

/** launchd keeps no log, so the service has a file of its own. */
export function logPath(id: ServiceId, { scope, settings }: Places): string {
  const file = `${nameOf(id, "launchd")}.log`;
  return scope === "system" ? join("/Library/Logs", file) : join(settings, file);
}

function toPlist(service: Service, log: string): string {
  const words = [...service.program, service.role, ...service.flags];
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${MARK}, which replaces this file when it is run again. -->
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>${escapeXml(nameOf(service, "launchd"))}</string>
	<key>ProgramArguments</key>
	<array>
${words.map((word) => `\t\t<string>${escapeXml(word)}</string>`).join("\n")}
	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>ThrottleInterval</key>
	<integer>10</integer>
	<key>ExitTimeOut</key>
	<integer>${stopTimeoutSeconds(service.drainTimeoutMs)}</integer>
	<key>ProcessType</key>
	<string>Interactive</string>
	<key>SoftResourceLimits</key>
	<dict>
		<key>NumberOfFiles</key>
		<integer>65536</integer>
	</dict>
	<key>HardResourceLimits</key>
	<dict>
		<key>NumberOfFiles</key>
		<integer>65536</integer>
	</dict>
	<key>Umask</key>
	<integer>63</integer>
	<key>StandardErrorPath</key>
	<string>${escapeXml(log)}</string>
</dict>
</plist>
`;
}

function domainOf({ scope, uid }: Places): string {
  return scope === "system" ? "system" : `gui/${uid}`;
}
