// `modelrelay llamafile status`: what was started, and how it does.
import { showDuration } from "../../../base/quantity.ts";
import { isUp, modelUrl, type RunStatus, slugsWithState, statusNow } from "../../../llamafile/run-state.ts";
import { type Column, outputWidth, renderTable } from "../../columns.ts";
import type { CommandBody } from "../../command.ts";
import { HOME_OPTIONS, JSON_OPTION } from "../option-groups.ts";
import { readLine } from "../settings.ts";
import { showStatus } from "./state-text.ts";

const LINE = { options: { ...HOME_OPTIONS, ...JSON_OPTION } };

export const status: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, home } = readLine("status", LINE, args, world.env);
    const rows = slugsWithState(home)
      .map((slug) => ({ slug, status: statusNow(home, slug) }))
      .filter(({ status }) => status.kind !== "stopped");
    if (values.json) {
      world.print(`${JSON.stringify({ models: rows.map(({ slug, status }) => toJson(slug, status)) }, null, 2)}\n`);
      return 0;
    }
    const nowMs = world.clock.unixMs();
    const cells = rows.map(({ slug, status }) => {
      if (!isUp(status)) return [slug, showStatus(status), "", "", "", ""];
      const { state } = status;
      const relay = state.proxy_url === null ? "" : state.proxy_url;
      return [slug, showStatus(status), modelUrl(state), relay, String(state.model?.pid ?? ""), showDuration(nowMs - state.started_at)];
    });
    if (cells.length > 0) world.print(`${renderTable(COLUMNS, cells, outputWidth()).join("\n")}\n`);
    else world.tell("No model runs; 'modelrelay llamafile run MODEL' starts one.\n");
    return 0;
  },
};

const COLUMNS: readonly Column[] = [
  { head: "MODEL", rank: 1 },
  { head: "STATE", rank: 1 },
  { head: "URL", rank: 2 },
  { head: "RELAY", rank: 3, maxChars: 40 },
  { head: "PID", rank: 5, isNumber: true },
  { head: "SINCE", rank: 4, isNumber: true },
];

function toJson(slug: string, status: RunStatus): object {
  if (status.kind === "stopped") return { slug, status: status.kind };
  const { state } = status;
  return {
    slug,
    status: status.kind,
    text: showStatus(status),
    url: modelUrl(state),
    relay: state.proxy_url,
    pid: state.model?.pid ?? null,
    worker_pid: state.worker?.pid ?? null,
    keeper_pid: state.keeper.pid,
    started_at: Math.floor(state.started_at / 1000),
    ended: status.kind === "crashed" ? { who: status.end.who, code: status.end.code, signal: status.end.signal } : null,
  };
}
