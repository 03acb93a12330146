// From a text frame to a checked message. A type we do not know is not an error: newer peers may say more than we understand.
import * as v from "valibot";
import { PeerError } from "../base/errors.ts";
import { CLOSE } from "./close.ts";
import { register, type Register, registerAck, type RegisterAck } from "./schema.ts";
import { type V1RelayMessage, v1RelayMessage, type V1WorkerMessage, v1WorkerMessage } from "./v1.ts";
import { type V2RelayMessage, v2RelayMessage, type V2WorkerMessage, v2WorkerMessage } from "./v2.ts";

export interface UnknownMessage {
  readonly type: "unknown";
  /** The peer's own `type`, capped; for counting and logs. */
  readonly name: string;
}

/** The worker's first frame. @throws PeerError 1002 */
export const decodeRegister = (text: string): Register => parseFirst(register, text);
/** The relay's first frame. @throws PeerError 1002 */
export const decodeRegisterAck = (text: string): RegisterAck => parseFirst(registerAck, text);

/** @throws PeerError 1002 when the frame is not JSON, or a known type has the wrong fields */
export const decodeV1WorkerMessage = (text: string): V1WorkerMessage | UnknownMessage => parseLater(v1WorkerMessage, text);
/** @throws PeerError 1002 */
export const decodeV2WorkerMessage = (text: string): V2WorkerMessage | UnknownMessage => parseLater(v2WorkerMessage, text);
/** @throws PeerError 1002 */
export const decodeV1RelayMessage = (text: string): V1RelayMessage | UnknownMessage => parseLater(v1RelayMessage, text);
/** @throws PeerError 1002 */
export const decodeV2RelayMessage = (text: string): V2RelayMessage | UnknownMessage => parseLater(v2RelayMessage, text);

function parseFirst<Output>(schema: v.GenericSchema<unknown, Output>, text: string): Output {
  const result = v.safeParse(schema, parseJson(text, CLOSE.registrationError.reason));
  if (result.success) return result.output;
  throw new PeerError(CLOSE.registrationError.code, CLOSE.registrationError.reason);
}

const TYPE_MAX_CHARS = 64;

type AnyVariant = v.VariantSchema<"type", v.VariantOptions<"type">, undefined>;

function parseLater<Schema extends AnyVariant>(schema: Schema, text: string): v.InferOutput<Schema> | UnknownMessage {
  const value = parseJson(text, CLOSE.protocolError.reason);
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
  if (typeof type !== "string") throw new PeerError(CLOSE.protocolError.code, CLOSE.protocolError.reason);
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  // valibot reports a discriminator none of the options has as an issue of the variant itself.
  const isUnknownType = result.issues[0].type === "variant";
  if (isUnknownType) return { type: "unknown", name: type.slice(0, TYPE_MAX_CHARS) };
  throw new PeerError(CLOSE.protocolError.code, CLOSE.protocolError.reason);
}

function parseJson(text: string, reason: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new PeerError(CLOSE.protocolError.code, reason);
  }
}
