// A thousand registered workers in one process: sockets that answer pings and never get work, to see what they cost the relay.
import { V1, V2 } from "../../src/protocol/schema.ts";

export interface IdlePlan {
  readonly relayUrl: string;
  readonly secret: string;
  readonly count: number;
}

/** How many may be connecting at a time. */
const OPENING = 32;

/** Resolves when all are registered. */
export async function startIdleWorkers(plan: IdlePlan): Promise<void> {
  for (let first = 0; first < plan.count; first += OPENING) {
    const batch = Math.min(OPENING, plan.count - first);
    await Promise.all(Array.from({ length: batch }, (_, index) => connect(plan, first + index)));
  }
}

interface RelayMessage {
  readonly type: string;
  readonly timestamp_unix_ms?: number;
}

async function connect({ relayUrl, secret }: IdlePlan, index: number): Promise<void> {
  const address = new URL("/v1/worker/connect?provider=local", relayUrl.replace(/^http/, "ws"));
  const socket = new WebSocket(address.href, { headers: { "X-Worker-Secret": secret }, perMessageDeflate: false });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener("open", () => socket.send(JSON.stringify(registration(index))));
  socket.addEventListener("close", (event) => reject(new Error(`an idle worker was closed: ${event.code} ${event.reason}`)));
  socket.addEventListener("message", ({ data }) => {
    const { type, timestamp_unix_ms }: RelayMessage = JSON.parse(String(data));
    if (type === "register_ack") resolve();
    if (type === "ping") socket.send(JSON.stringify({ type: "pong", current_load: 0, timestamp_unix_ms }));
  });
  return promise;
}

/** Each offers a model of its own and one that many offer, as a fleet does. */
function registration(index: number): object {
  return {
    type: "register",
    worker_name: `idle-${index}`,
    models: [`model-${index}`, `family-${index % 50}`],
    max_concurrent: 4,
    protocol_version: V1,
    current_load: 0,
    protocols: [V2],
    instance_id: crypto.randomUUID(),
    version: "bench",
  };
}
