// Knocks at the relay's door for workers and leaves before registering: no request can ever be given to it.

export interface Door {
  readonly address: URL;
  readonly proxy: URL | null;
  readonly tlsCa: string | null;
  /** Null: none is shown, which the relay refuses. */
  readonly secret: string | null;
}

export type Knock =
  | { readonly kind: "let in" }
  /** The upgrade passed, then the relay closed. */
  | { readonly kind: "closed"; readonly code: number; readonly reason: string }
  /** No WebSocket came about. `status`: of the answer that came instead, if one came. */
  | { readonly kind: "not open"; readonly reason: string; readonly status: number | null };

const KNOCK_LIMIT_MS = 6_000;
/** Somebody in between may have answered the ping; the relay's own word needs as long as the upgrade took, and a little more. */
const LAST_WORD_MS = 250;

/**
 * A relay upgrades every worker and closes at once with 1008 whom it refuses; who is let in has 5 s to register. So:
 * 1. closed: refused  2. a pong to our ping, and not closed: let in  3. neither: let in too, if the socket is open
 */
export async function knock({ address, proxy, tlsCa, secret }: Door): Promise<Knock> {
  const startMs = performance.now();
  const socket = new WebSocket(address.href, {
    headers: secret === null ? {} : { "X-Worker-Secret": secret },
    perMessageDeflate: false,
    ...(tlsCa === null ? {} : { tls: { ca: tlsCa } }),
    ...(proxy === null ? {} : { proxy }),
  });
  const result = Promise.withResolvers<Knock>();
  let isOpen = false;
  let failure = "";
  const timers: ReturnType<typeof setTimeout>[] = [];
  const after = (ms: number, onDue: () => void): void => void timers.push(setTimeout(onDue, ms));
  after(KNOCK_LIMIT_MS, () => result.resolve(isOpen ? { kind: "let in" } : notOpen(`no answer in ${KNOCK_LIMIT_MS / 1000} s`))); // (3)
  socket.addEventListener("open", () => {
    isOpen = true;
    socket.ping();
  });
  // The runtime's own event, unknown to its types of the browser's kind.
  const onPong = (): void => after(performance.now() - startMs + LAST_WORD_MS, () => result.resolve({ kind: "let in" }));
  socket.addEventListener("pong", onPong, { once: true }); // (2)
  socket.addEventListener("error", (event) => (failure = "message" in event ? event.message : ""));
  socket.addEventListener("close", ({ code, reason }) => {
    result.resolve(isOpen ? { kind: "closed", code, reason } : notOpen(reason === "" ? failure : reason)); // (1)
  });
  try {
    return await result.promise;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    socket.close(1000);
    socket.terminate();
  }
}

function notOpen(reason: string): Knock {
  const status = /status code: (\d{3})/.exec(reason)?.[1];
  return { kind: "not open", reason, status: status === undefined ? null : Number(status) };
}
