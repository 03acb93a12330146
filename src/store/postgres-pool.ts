// A few connections to Postgres that answer in time or not at all, whatever the server or the network between does.
import { SQL } from "bun";
import type { Clock } from "../base/clock.ts";
import { StoreUnavailable } from "./key-store.ts";

/** Keys are asked for rarely: most of what a relay needs to know is in its memory. */
export const CONNECTIONS_MAX = 4;
const CONNECT_TIMEOUT_SECS = 2;
/** After this the server gives a statement up. */
const STATEMENT_TIMEOUT_MS = 3_000;
/** After this we give the server up: the connections are closed and new ones made. A little later, so that a server that is there says why. */
export const ANSWER_DEADLINE_MS = 4_000;

export class PostgresPool {
  readonly #url: string;
  readonly #clock: Clock;
  #sql: SQL;
  #isClosed = false;
  #areLimitsTaken = true;

  constructor(url: string, clock: Clock) {
    this.#url = url;
    this.#clock = clock;
    this.#sql = this.#connect();
  }

  /** @throws StoreUnavailable in place of whatever the client library throws. */
  async ask<Result>(statement: (sql: SQL) => PromiseLike<Result>, deadlineMs = ANSWER_DEADLINE_MS): Promise<Result> {
    if (this.#isClosed) throw new StoreUnavailable("The key database is closed.");
    const sql = this.#sql;
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = this.#clock.startTimer(deadlineMs, () => {
      reject(new StoreUnavailable("The key database did not answer in time."));
      this.#replace(sql);
    });
    try {
      return await Promise.race([statement(sql), tooLate]);
    } catch (error) {
      if (this.#areLimitsTaken && sqlStateOf(error) === PROTOCOL_VIOLATION) {
        // Poolers such as PgBouncer refuse a connection that brings limits of its own: nothing has been run.
        this.#areLimitsTaken = false;
        this.#replace(sql);
        return await this.ask(statement, deadlineMs);
      }
      throw error instanceof StoreUnavailable ? error : new StoreUnavailable(reasonFor(error), error);
    } finally {
      timer.stop();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#sql.close({ timeout: 0 });
  }

  /** A server that froze, or a network that swallows packets, never lets a connection end by itself. */
  #replace(stalled: SQL): void {
    if (this.#sql !== stalled || this.#isClosed) return;
    this.#sql = this.#connect();
    stalled.close({ timeout: 0 }).catch(() => {});
  }

  #connect(): SQL {
    return new SQL(this.#url, {
      max: CONNECTIONS_MAX,
      connectionTimeout: CONNECT_TIMEOUT_SECS,
      // Named statements are lost behind a pooler that gives each transaction another connection.
      prepare: false,
      connection: { application_name: "modelrelay", ...(this.#areLimitsTaken ? { statement_timeout: STATEMENT_TIMEOUT_MS } : {}) },
    });
  }
}

const PROTOCOL_VIOLATION = "08P01";

/** The five characters by which Postgres names an error; "" when it was not the server that failed. */
export function sqlStateOf(error: unknown): string {
  const cause = error instanceof StoreUnavailable ? error.cause : error;
  return cause instanceof SQL.PostgresError ? (cause.errno ?? "") : "";
}

function reasonFor(error: unknown): string {
  const state = sqlStateOf(error);
  if (state === "53100") return "The disk that holds the key database is full.";
  if (state === "57014") return "The key database did not answer in time.";
  if (state === "25006") return "The key database may not be written to.";
  if (state.startsWith("28")) return "The key database does not accept the user or password of DATABASE_URL.";
  return state === "" ? "The key database cannot be reached." : `The key database refused (SQLSTATE ${state}).`;
}
