// Characters of four bytes that arrive one byte at a time: the way through two processes cuts nothing and adds nothing.
import { expect } from "bun:test";
import { streamEvents } from "../support/fake-backend-events.ts";
import { SseReader } from "../support/sse-reader.ts";
import { within } from "../support/until.ts";
import { ask } from "./asking.ts";
import { PATIENCE_MS } from "./child.ts";
import { startNeighbour } from "./neighbour.ts";
import { scenario } from "./rig.ts";

const CHARACTERS = 30;

scenario("[H2] [T2] a stream in packets of one byte comes out byte for byte, however many share the worker", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
  await rig.worker(relay, backend);
  const neighbour = await startNeighbour(relay);
  const readers = await Promise.all(
    [1, 2].map(async () => new SseReader(await ask(relay, { marker: `fake:sliced:${CHARACTERS}`, stream: true }))),
  );
  const sent = streamEvents("chat", Array<string>(CHARACTERS).fill("🦜")).join("");
  for (const reader of readers) {
    await within(reader.rest(), "the sliced stream", PATIENCE_MS);
    expect(new TextDecoder().decode(reader.bytes)).toBe(sent);
    expect(reader.end).toEqual({ kind: "clean", leftover: new Uint8Array() });
  }
  await neighbour.flows();
  await neighbour.finishes(backend);
});
