// Clients that hang up are nothing to print about.
import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";

test("[C1] [C2] clients that hang up in every phase leave no line on the standard error output and no unhandled rejection", async () => {
  const child = Bun.spawn([process.execPath, fileURLToPath(new URL("../support/aborting-clients.ts", import.meta.url))], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  expect({ stdout, stderr, code }).toEqual({ stdout: "done\n", stderr: "", code: 0 });
}, 30_000);
