// What a request tells the scripted backend to do, and what the backend reports afterwards: the contract between it and the cases.

/** Travels in the request body as `bench`, which no relay looks at. */
export interface Script {
  /** Names the request in the report; one that is tried twice arrives twice under the same name. */
  readonly id?: string;
  /** Chunks of the stream after the first; a request without `stream` gets one small JSON answer. */
  readonly chunks?: number;
  /** Time between the chunks of one stream; 0: as fast as they are taken. */
  readonly everyMs?: number;
  /** The stream sends one chunk at once and the rest when so many streams have come to this point. */
  readonly together?: number;
  /** Never answers so many first arrivals of this id. */
  readonly holdFirst?: number;
}

export interface BackendReport {
  /** Moments at which requests arrived, by id. */
  readonly arrivals: Readonly<Record<string, readonly number[]>>;
  /** Moments at which the connections of unfinished answers were closed, by id. */
  readonly closed: Readonly<Record<string, number>>;
  /** How late the backend itself was with the chunks it had promised for a moment, milliseconds. */
  readonly lateness: readonly number[];
}

export const MODEL = "bench";

/** `$INDEX` in the id becomes the number of the stream. */
export function requestBody(isStreaming: boolean, script: Script): string {
  const messages = [{ role: "user", content: "Say something of the usual length, please." }];
  return JSON.stringify({ model: MODEL, stream: isStreaming, messages, bench: script });
}
