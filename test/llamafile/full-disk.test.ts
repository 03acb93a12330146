// A home on a disk that is full or read-only: what is said, and the way out.
import { expect, test } from "bun:test";
import { SmallDisk } from "./small-disk.ts";

const SET = ["config", "set", "proxy-url", "http://127.0.0.1:18080"];
const ELSEWHERE = "give another place with --home (or MODELRELAY_HOME)\n";

test.skipIf(!SmallDisk.isPossible)("[F20] a full disk is named, with the file that did not fit on it", async () => {
  using disk = new SmallDisk();
  disk.fill();
  const { code, err } = await disk.run(...SET);
  expect(code).toBe(1);
  expect(err).toStartWith(`modelrelay: the disk at ${disk.path} is full, so ${disk.path}/.local/share/modelrelay/`);
  expect(err).toEndWith(`: make room, or ${ELSEWHERE}`);
});

test.skipIf(!SmallDisk.isPossible)("[F20] a read-only disk is named as that, whether the home is there already or not", async () => {
  using disk = new SmallDisk();
  disk.makeReadOnly();
  const fresh = await disk.run(...SET);
  expect(fresh).toMatchObject({ code: 1, err: expect.stringContaining("cannot be written (the file system is read-only, EROFS)") });
  using used = new SmallDisk();
  expect((await used.run(...SET)).code).toBe(0);
  used.makeReadOnly();
  const { code, err } = await used.run(...SET);
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("cannot be written (the file system is read-only, EROFS)") });
  expect(err).toStartWith(`modelrelay: ${used.path}/.local/share/modelrelay/`);
  expect(err).toEndWith(ELSEWHERE);
});
