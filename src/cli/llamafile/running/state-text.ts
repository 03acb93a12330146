// How a model's state is said, in lists and to programs.
import { unreachable } from "../../../base/assert.ts";
import type { Home } from "../../../llamafile/home.ts";
import { type Model, sizeHere } from "../../../llamafile/library.ts";
import { type RunStatus, showEnd } from "../../../llamafile/run-state.ts";

export function showStatus(status: RunStatus): string {
  switch (status.kind) {
    case "stopped":
    case "starting":
    case "stopping":
      return status.kind;
    case "running":
      return status.state.worker === null ? "running" : "serving";
    case "unattended":
      return "running, its keeper is gone";
    case "crashed":
      return `crashed (${status.end.who === "worker" ? "its worker, " : ""}${showEnd(status.end)}), see logs`;
    case "gone":
      return "gone (killed, or the machine was restarted)";
  }
  return unreachable(status);
}

/** Of a model in a list: running, here, or not. */
export function showPlace(home: Home, model: Model, status: RunStatus): string {
  if (status.kind !== "stopped") return showStatus(status);
  return sizeHere(home, model) === null ? "" : "downloaded";
}
