// A stand-in for poolers such as PgBouncer: refuses connections that bring settings of their own, and passes on the others.
import { connect, createServer } from "node:net";

export interface PickyPooler extends Disposable {
  /** The address of the same database through the pooler. */
  readonly url: string;
  /** Connections refused so far. */
  readonly refused: number;
}

/** In front of the server of this address. */
export async function startPickyPooler(databaseUrl: string): Promise<PickyPooler> {
  const target = new URL(databaseUrl);
  const behindPort = Number(target.port);
  let refused = 0;
  const server = createServer((client) => {
    client.on("error", () => {});
    client.once("data", (first) => {
      if (first.includes("statement_timeout")) {
        refused++;
        client.end(refusal("unsupported startup parameter: statement_timeout"));
        return;
      }
      const behind = connect(behindPort, target.hostname);
      behind.on("error", () => client.destroy());
      behind.write(first);
      client.pipe(behind).pipe(client);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  target.port = String(typeof address === "object" ? address?.port : "");
  return {
    url: target.href,
    get refused() {
      return refused;
    },
    [Symbol.dispose]: () => server.close(),
  };
}

/** ErrorResponse of the Postgres protocol (version 3, message formats). */
function refusal(message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C08P01\0M${message}\0\0`);
  const head = Buffer.from("E0000");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
