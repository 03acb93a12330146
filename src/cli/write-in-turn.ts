// Writing of commands that go on while their reader takes its time: the next text waits, and a stop signal is heard nevertheless.
import { isatty } from "node:tty";
import { noteRefusal, writeNow } from "./write-now.ts";

/**
 * To the standard output. Resolves once the reader has it; what still waits when the process exits is lost. A terminal takes all there is
 * at once. False: nobody reads any more, or it cannot be written to.
 */
export async function writeInTurn(text: string): Promise<boolean> {
  if (isatty(STANDARD_OUTPUT)) return writeNow(STANDARD_OUTPUT, text);
  const { stdout } = process;
  // Each write hears of its own error; without a listener the stream's would end the process.
  if (stdout.listenerCount("error") === 0) stdout.on("error", () => {});
  const { promise, resolve } = Promise.withResolvers<boolean>();
  stdout.write(text, (error) => {
    if (error instanceof Error) noteRefusal(STANDARD_OUTPUT, "code" in error ? String(error.code) : error.message);
    resolve(!(error instanceof Error));
  });
  return await promise;
}

const STANDARD_OUTPUT = 1;
