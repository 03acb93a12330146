// Every option of `modelrelay health`.
import { relayOptions } from "../relay/options.ts";

export const HEALTH_OPTIONS = relayOptions("General", 5_000);
