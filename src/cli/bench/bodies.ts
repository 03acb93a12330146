// The bodies a load sends: one made of the options, or those of a file.
import { readFileSync, statSync } from "node:fs";
import { UsageError } from "../../base/errors.ts";
import { fileTrouble } from "../../base/file-trouble.ts";
import { type ApiName, APIS, type Fields, fieldsOf } from "../../load/apis.ts";
import type { Parsed } from "../options/parse.ts";
import type { BENCH_OPTIONS } from "./options.ts";

export interface Body {
  readonly text: string;
  readonly isStreaming: boolean;
}

/** The bodies without a model where none is given: `withModel` fills it in. */
export interface Draft {
  readonly fields: Fields;
  readonly isStreaming: boolean;
}

const FILE_MAX_BYTES = 256 * 1024 * 1024;

/** @throws UsageError when the options do not fit together or the file holds no bodies */
export function draftBodies({ values, origins }: Parsed<typeof BENCH_OPTIONS>): readonly Draft[] {
  const isStreamGiven = origins.stream.kind !== "default";
  const { canStream } = APIS[values.api];
  if (values.stream && !canStream) throw new UsageError(`--stream: the API ${values.api} has no streams`);
  if (values.bodyFile === null) return [draftOf(values.api, values)];
  for (const [flag, { kind }] of [["--prompt", origins.prompt] as const, ["--max-tokens", origins.maxTokens] as const]) {
    if (kind !== "default") throw new UsageError(`${flag} and --body-file are both given: the body of the file is sent as it is`);
  }
  return readBodies(values.bodyFile).map((fields) => {
    const changed = {
      ...fields,
      ...(values.model === null ? {} : { model: values.model }),
      ...(isStreamGiven ? { stream: values.stream } : {}),
    };
    return { fields: changed, isStreaming: changed["stream"] === true && canStream };
  });
}

/** Whether a model has to be found for it. */
export function lacksModel({ fields }: Draft): boolean {
  return fields["model"] === undefined || fields["model"] === "";
}

export function finishBody(draft: Draft, model: string | null): Body {
  const fields = lacksModel(draft) && model !== null ? { ...draft.fields, model } : draft.fields;
  return { text: JSON.stringify(fields), isStreaming: draft.isStreaming };
}

interface Wishes {
  readonly model: string | null;
  readonly prompt: string;
  readonly maxTokens: number;
  readonly stream: boolean;
}

function draftOf(api: ApiName, { model, prompt, maxTokens, stream }: Wishes): Draft {
  return { fields: fieldsOf(APIS[api].body({ model: model ?? "", prompt, maxTokens, isStreaming: stream })), isStreaming: stream };
}

/** One JSON object, or one on each line. */
function readBodies(path: string): readonly Fields[] {
  const text = readText(path);
  const whole = parseFields(text);
  if (whole !== null) return [whole];
  const lines = text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [{ line, number: index + 1 }]));
  if (lines.length === 0) throw new UsageError(`--body-file: the file ${path} is empty`);
  return lines.map(({ line, number }) => {
    const fields = parseFields(line);
    if (fields === null) {
      throw new UsageError(`--body-file: the file ${path} is neither one JSON object nor one on each line (line ${number})`);
    }
    return fields;
  });
}

function readText(path: string): string {
  try {
    if (statSync(path).size > FILE_MAX_BYTES) throw new UsageError(`--body-file: the file ${path} is larger than 256 MiB`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--body-file: the file ${path} cannot be read (${fileTrouble(error)})`);
  }
}

function parseFields(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? fieldsOf(value) : null;
  } catch {
    return null;
  }
}
