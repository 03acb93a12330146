// Starting to listen, with what the operating system says about an address turned into what can be done about it.
import { CommandError, UsageError } from "../base/errors.ts";
import { showListenAddress, type ListenAddress } from "./options/addresses.ts";

/**
 * What may be otherwise in a moment is no mistake of whoever gave the address: an address in use is let go, one that is not there yet
 * comes up. Service managers try those again.
 *
 * @throws CommandError when the address cannot be listened on; UsageError when this user never may
 */
export function startOrRefuse<T>(listen: ListenAddress, start: () => T): T {
  try {
    return start();
  } catch (error) {
    const code = codeOf(error);
    const advice = ADVICE.get(code);
    if (advice === undefined) throw error;
    throw new (code === "EACCES" ? UsageError : CommandError)(`cannot listen on ${showListenAddress(listen)}: ${advice}`);
  }
}

export function isAddressInUse(error: unknown): boolean {
  return codeOf(error) === "EADDRINUSE";
}

const ADVICE = new Map([
  [
    "EADDRINUSE",
    "the address is in use, perhaps by another relay or by a model server (llama-server takes 8080 too). " +
      "Stop that program, or choose another address with --listen, for example --listen 127.0.0.1:8090.",
  ],
  ["EACCES", "this user may not use that port. Ports below 1024 are reserved; choose another with --listen."],
  ["EADDRNOTAVAIL", "this machine has no such address. Choose one it has, or 0.0.0.0 for all, with --listen."],
  ["ENOTFOUND", "that host name has no address. Choose another with --listen."],
]);

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
