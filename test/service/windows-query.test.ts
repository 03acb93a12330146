// What Windows says of its services is understood in every language it says it in.
import { expect, test } from "bun:test";
import { installedNames, standingOf } from "../../src/cli/service/ask-manager.ts";
import { checkMachine, type Machine } from "../../src/cli/service/machine.ts";
import { stateUnderWindows } from "../../src/cli/service/show.ts";
import type { CommandResult } from "../../src/service/perform.ts";
import { type Standing, standingUnderWindows } from "../../src/service/standing.ts";
import { failureOf } from "../support/until.ts";

interface Language {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly exit: string;
  readonly ownExit: string;
  readonly start: string;
  readonly running: string;
}

const ENGLISH: Language = {
  name: "SERVICE_NAME",
  type: "TYPE               ",
  state: "STATE              ",
  exit: "WIN32_EXIT_CODE    ",
  ownExit: "SERVICE_EXIT_CODE  ",
  start: "START_TYPE         ",
  running: "RUNNING",
};
const LANGUAGES: Readonly<Record<string, Language>> = {
  English: ENGLISH,
  Russian: {
    name: "Имя_службы",
    type: "Тип                ",
    state: "Состояние          ",
    exit: "Код_выхода_Win32   ",
    ownExit: "Код_выхода_службы  ",
    start: "Тип_запуска          ",
    running: "RUNNING",
  },
  Spanish: {
    name: "NOMBRE_SERVICIO",
    type: "TIPO               ",
    state: "ESTADO             ",
    exit: "CÓD_SALIDA_WIN32   ",
    ownExit: "CÓD_SALIDA_SERVICIO",
    start: "TIPO_INICIO        ",
    running: "RUNNING",
  },
  // Not only the labels: nothing is left that English has.
  German: {
    name: "DIENSTNAME",
    type: "TYP                ",
    state: "ZUSTAND            ",
    exit: "WIN32_EXITCODE     ",
    ownExit: "DIENST_EXITCODE    ",
    start: "STARTTYP           ",
    running: "WIRD AUSGEFÜHRT",
  },
  French: {
    name: "NOM_SERVICE\u00a0",
    type: "TYPE               ",
    state: "ÉTAT               ",
    exit: "CODE_SORTIE_WIN32  ",
    ownExit: "CODE_SORTIE_SERVICE",
    start: "TYPE_DÉMARRAGE     ",
    running: "EN COURS D'EXÉCUTION",
  },
};
// Piped, these programs write in the code page of the console, which read as UTF-8 leaves this of other letters.
const inCodePage = (text: string) => text.replaceAll(/[^ -~\s]/g, "\ufffd");

function query(state: string, win32: string, own: string, words = ENGLISH): string {
  const lines = [
    "",
    `${words.name}: ModelRelayServer`,
    `        ${words.type}: 10  WIN32_OWN_PROCESS `,
    `        ${words.state}: ${state} `,
    "                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)",
    `        ${words.exit}: ${win32}`,
    `        ${words.ownExit}: ${own}`,
    "        CHECKPOINT         : 0x0",
    "        WAIT_HINT          : 0x0",
    "",
  ];
  return lines.join("\r\n");
}

function config(words: Language): string {
  const lines = [
    "",
    `${words.name}: ModelRelayServer`,
    `        ${words.type}: 10  WIN32_OWN_PROCESS`,
    `        ${words.start}: 2   AUTO_START  (DELAYED)`,
    "        ERROR_CONTROL      : 1   NORMAL",
    String.raw`        BINARY_PATH_NAME   : "C:\Program Files\ModelRelay\modelrelay.exe" serve`,
    "        TAG                : 0",
    "        SERVICE_START_NAME : LocalSystem",
    "",
  ];
  return lines.join("\r\n");
}

function machineThat(ask: (command: readonly string[]) => CommandResult): Machine {
  const answer = async (command: readonly string[]) => ask(command);
  return { manager: "windows", places: { scope: "system", uid: 0, definitions: "x", settings: "x" }, run: answer, ask: answer };
}

const FAILED = { code: 36, out: "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n\r\n1: 4\r\n2: 4\r\n", err: "" };

test.each<[string, number, string, Standing]>([
  ["runs", 0, query("4  RUNNING", "0  (0x0)", "0  (0x0)"), { kind: "up" }],
  ["is on its way", 0, query("2  START_PENDING", "0  (0x0)", "0  (0x0)"), { kind: "starting" }],
  ["ended with a code of its own", 0, query("1  STOPPED", "1066  (0x42a)", "2  (0x2)"), { kind: "down", end: "exit code 2" }],
  ["Windows ended", 0, query("1  STOPPED", "1053  (0x41d)", "0  (0x0)"), { kind: "down", end: "Windows error 1053" }],
  ["nobody knows of", FAILED.code, FAILED.out, { kind: "unknown" }],
])("[G11] under Windows a service that %s", (_what, code, out, standing) => {
  expect(standingUnderWindows(code, out)).toEqual(standing);
});

test.each(Object.entries(LANGUAGES))("[G11] a Windows that speaks %s is understood", async (_name, words) => {
  for (const toText of [inCodePage, String]) {
    const running = toText(query(`4  ${words.running}`, "0  (0x0)", "0  (0x0)", words));
    const refused = toText(query("1  x", "1066  (0x42a)", "2  (0x2)", words));
    expect(standingUnderWindows(0, running)).toEqual({ kind: "up" });
    expect(standingUnderWindows(0, refused)).toEqual({ kind: "down", end: "exit code 2" });
    const stateWhen = async (out: string) =>
      await stateUnderWindows(
        { role: "serve", name: null },
        machineThat(([, verb]) => ({ code: 0, out: verb === "qc" ? toText(config(words)) : out, err: "" })),
      );
    expect(await stateWhen(running)).toEqual({ isInstalled: true, enabled: "auto_start", running: "running", isRunning: true });
    expect(await stateWhen(refused)).toEqual({ isInstalled: true, enabled: "auto_start", running: "stopped", isRunning: false });
  }
});

test("[G4] status of a service that Windows does not have says so", async () => {
  const state = await stateUnderWindows(
    { role: "serve", name: null },
    machineThat(() => FAILED),
  );
  expect(state).toEqual({ isInstalled: false, enabled: "no", running: "no", isRunning: false });
});

test("[G4] which services Windows has is read from the names of keys, which are in no language", async () => {
  const key = String.raw`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services`;
  const names = ["ModelRelayWorker-gpu0", "ModelRelayWorker", "ModelRelayWorkers", "Spooler"];
  const asked: string[] = [];
  const machine = machineThat((command) => {
    asked.push(command.join(" "));
    const out = command[0] === "reg.exe" ? `\r\n${names.map((name) => `${key}\\${name}`).join("\r\n")}\r\n` : "";
    return { code: 0, out: out === "" ? query("4  RUNNING", "0", "0") : out, err: "" };
  });
  expect(await installedNames("work", machine)).toEqual([null, "gpu0"]);
  expect(asked).toEqual([`reg.exe query ${key}`]);
  expect(await standingOf({ role: "work", name: "gpu0" }, machine)).toEqual({ kind: "up" });
  expect(asked.at(-1)).toBe("sc.exe query ModelRelayWorker-gpu0");
});

test("[G10] whether an administrator asks is found out without a service that may be off", async () => {
  const asked: string[] = [];
  const machineWhere = (code: number) =>
    machineThat(([program = ""]) => {
      asked.push(program);
      return { code, out: "", err: "" };
    });
  await checkMachine(machineWhere(0), {});
  // A Windows without that program has others that refuse.
  await checkMachine(machineWhere(127), {});
  expect(String(await failureOf(checkMachine(machineWhere(5), {})))).toContain("run this in a terminal started as administrator");
  expect(asked).toEqual(["fltmc.exe", "fltmc.exe", "fltmc.exe"]);
});
