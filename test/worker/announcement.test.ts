// What a worker tells its relay of its backend's models.
import { describe, expect, test } from "bun:test";
import { toAnnouncement } from "../../src/worker/announcement.ts";

describe("[D14] what a worker offers", () => {
  test("fixed names are offered whatever the backend says", () => {
    expect(toAnnouncement(["a", " b ", "a"], null)).toEqual({ models: ["a", "b"], unlisted: [] });
    expect(toAnnouncement(["a"], ["x"])).toEqual({ models: ["a"], unlisted: [] });
  });

  test("nothing, while a backend that is to be asked does not answer", () => {
    expect(toAnnouncement(null, null)).toEqual({ models: [], unlisted: [] });
    expect(toAnnouncement(["*"], null)).toEqual({ models: [], unlisted: [] });
  });

  test("unset: what the backend lists, and an unlisted default", () => {
    expect(toAnnouncement(null, ["a", "b"])).toEqual({ models: ["a", "b", "default"], unlisted: ["default"] });
    expect(toAnnouncement(null, ["a", "default"])).toEqual({ models: ["a", "default"], unlisted: [] });
    expect(toAnnouncement(null, [])).toEqual({ models: ["default"], unlisted: [] });
  });

  test("*: fixed names, what the backend lists, and anything", () => {
    expect(toAnnouncement(["*"], ["a"])).toEqual({ models: ["a", "*"], unlisted: [] });
    expect(toAnnouncement(["x", "*"], ["a", "x"])).toEqual({ models: ["x", "a", "*"], unlisted: [] });
    expect(toAnnouncement(["*"], [])).toEqual({ models: ["*"], unlisted: [] });
  });

  test("a list longer than a relay takes keeps its catch-all", () => {
    const many = Array.from({ length: 1_000 }, (_, index) => `model-${index}`);
    expect(toAnnouncement(null, many).models).toHaveLength(256);
    expect(toAnnouncement(null, many).models.at(-1)).toBe("default");
    expect(toAnnouncement(["*"], many).models.at(-1)).toBe("*");
    const long = Array.from({ length: 256 }, (_, index) => `${index}`.padEnd(256, "€"));
    expect(JSON.stringify(toAnnouncement(null, long)).length).toBeLessThan(128 * 1_024);
    expect(toAnnouncement(null, ["x".repeat(300), "ok"]).models).toEqual(["ok", "default"]);
  });
});
