// The names the program answers to.
import { expect, test } from "bun:test";
import { commandOfName } from "../../src/cli/invoked-name.ts";

test.each([
  ["modelrelay-server", "/opt/modelrelay", "serve"],
  ["./modelrelay-worker-linux-amd64", "/opt/modelrelay-worker-linux-amd64", "work"],
  ["C:\\ModelRelay\\ModelRelay-Server.exe", "C:\\ModelRelay\\ModelRelay-Server.exe", "serve"],
  ["relay", "/usr/local/bin/modelrelay-worker", "work"],
  ["modelrelay", "/usr/local/bin/modelrelay-server", null],
  ["modelrelay-linux-x64", "/usr/local/bin/modelrelay-linux-x64", null],
  ["relay", "/opt/relay", null],
] as const)("[K14] called as %s (file %s) it is %p", (argv0, execPath, expected) => {
  expect(commandOfName({ argv0, execPath, script: null })).toBe(expected);
});

test("[K14] run from its source, the script's name counts too", () => {
  expect(commandOfName({ argv0: "bun", execPath: "/usr/bin/bun", script: "/src/modelrelay-worker.ts" })).toBe("work");
  expect(commandOfName({ argv0: "bun", execPath: "/usr/bin/bun", script: "/src/main.ts" })).toBe(null);
  expect(commandOfName({ argv0: "modelrelay-server", execPath: "/usr/bin/bun", script: "/src/main.ts" })).toBe("serve");
});
