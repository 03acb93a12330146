// Bodies of servers that may be anybody's: read up to a limit, so that one without end costs a connection and not the memory.

/** Thousands of workers, models or live requests fit. */
const BODY_MAX_BYTES = 16 * 1024 ** 2;

export class BodyTooLong extends Error {
  constructor() {
    super("the answer is too long to be one");
    this.name = "BodyTooLong";
  }
}

/** @throws BodyTooLong, or what became of the connection */
export async function readBodyText(response: Response, maxBytes = BODY_MAX_BYTES): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Whoever leaves the loop closes the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new BodyTooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Null: it is no JSON, or too long. @throws what became of the connection */
export async function readBodyJson(response: Response): Promise<unknown> {
  try {
    return JSON.parse(await readBodyText(response));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof BodyTooLong || error instanceof RangeError) return null;
    throw error;
  }
}
