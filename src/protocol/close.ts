// Why a worker socket is closed: code and reason text, as RFC 6455 section 7.4 and the field protocol have them.

export interface Close {
  readonly code: number;
  readonly reason: string;
}

export const CLOSE = {
  authenticationFailed: { code: 1008, reason: "worker authentication failed" },
  authenticationRateLimited: { code: 1008, reason: "worker authentication temporarily rate limited" },
  registrationError: { code: 1002, reason: "worker registration protocol error" },
  protocolError: { code: 1002, reason: "worker protocol error" },
  frameTooLarge: { code: 1009, reason: "worker frame too large" },
  heartbeatTimedOut: { code: 1000, reason: "worker heartbeat timed out" },
  drainComplete: { code: 1000, reason: "graceful shutdown complete" },
  drainTimedOut: { code: 1000, reason: "graceful shutdown timed out" },
  superseded: { code: 1000, reason: "superseded by a newer connection of the same worker" },
  cancelUnanswered: { code: 1011, reason: "worker did not stop a cancelled request" },
  uplinkStalled: { code: 1011, reason: "worker stopped reading" },
  relayGone: { code: 1012, reason: "relay is shutting down" },
} as const satisfies Record<string, Close>;
