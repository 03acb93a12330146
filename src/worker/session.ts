// What a registered connection does whichever protocol it speaks; session-v1.ts and session-v2.ts do the rest.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { RelayConnection } from "./connection.ts";
import type { Jobs } from "./jobs.ts";
import type { Announcement } from "./announcement.ts";

export interface Session {
  readonly jobs: Pick<Jobs, "size" | "abortAll">;
  /** @throws PeerError when the relay breaks the protocol */
  onText(text: string): void;
  /** @throws PeerError */
  onBinary(bytes: Uint8Array): void;
  announce(announcement: Announcement): void;
  /** Takes no more requests and tells the relay so; calls `onIdle` of the context when the running ones are done. */
  drain(timeoutMs: number): void;
}

export interface SessionContext {
  readonly connection: RelayConnection;
  readonly backend: { readonly url: URL; readonly apiKey: string | null };
  /** How many requests may run at once: what was asked for and granted. */
  readonly slots: number;
  /** Flow control of v2, per attempt and direction. */
  readonly windowBytes: number;
  readonly log: Log;
  readonly clock: Clock;
  /** Asks the backend for its models now, and answers the relay in any case. */
  readonly refreshModels: () => void;
  readonly onRelayShutdown: (message: RelayShutdown) => void;
  readonly onUnknownMessage: (name: string) => void;
  /** Draining, and nothing runs any more. */
  readonly onIdle: () => void;
}

export interface RelayShutdown {
  readonly reason?: string | null | undefined;
  readonly drain_timeout_secs?: number | null | undefined;
  readonly reconnect_after_secs?: number | null | undefined;
}

type CommonMessage =
  | { readonly type: "ping"; readonly timestamp_unix_ms?: number | null | undefined }
  | { readonly type: "models_refresh" }
  | ({ readonly type: "graceful_shutdown" } & RelayShutdown)
  | { readonly type: "unknown"; readonly name: string };

/** The messages both protocols answer alike. */
export function onCommonMessage(message: CommonMessage, jobs: Jobs, context: SessionContext): void {
  switch (message.type) {
    case "ping": {
      const echo = typeof message.timestamp_unix_ms === "number" ? { timestamp_unix_ms: message.timestamp_unix_ms } : {};
      return context.connection.send({ type: "pong", current_load: jobs.size, ...echo });
    }
    case "models_refresh":
      return context.refreshModels();
    case "graceful_shutdown":
      context.onRelayShutdown(message);
      return jobs.drain();
    case "unknown":
      return context.onUnknownMessage(message.name);
  }
}
