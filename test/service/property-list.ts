// Reads property lists with a reader that is not ours: the one of Python's standard library.

export const canReadPropertyLists = Bun.which("python3") !== null;
if (!canReadPropertyLists) console.warn("the tests of property lists need python3, and are left out");

/** @throws when the file is none */
export function readPropertyList(path: string): Record<string, unknown> {
  const script = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
  const { exitCode, stdout, stderr } = Bun.spawnSync(["python3", "-c", script, path]);
  if (exitCode !== 0) throw new Error(`${path} is no property list: ${stderr.toString()}`);
  return JSON.parse(stdout.toString());
}
