// Server-sent events, each made only when the connection has room for it.

/** One event of a stream that names its events. */
export function namedEvent(data: { readonly type: string }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** One event of a stream that does not. */
export function dataEvent(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

export const DONE_EVENT = "data: [DONE]\n\n";

/** A streaming answer of these events. Ends as a broken connection when `events` throws. */
export function eventStream(events: AsyncGenerator<string, void>, listener: AbortSignal): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await events.next();
          if (next.done === true) controller.close();
          else controller.enqueue(encoder.encode(next.value));
        } catch (error) {
          // With the listener gone the stream is closed already.
          if (!listener.aborted) controller.error(error);
        }
      },
      async cancel() {
        await events.return();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" } });
}
