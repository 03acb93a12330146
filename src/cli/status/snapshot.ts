// What a relay tells of itself at one moment: everything to its operator, the little that is public to anybody else.
import * as v from "valibot";
import { LiveRequestList } from "../../admin/live-schema.ts";
import { LISTED_MAX } from "../../admin/requests-route.ts";
import { Stats } from "../../admin/stats-route.ts";
import { WorkerList } from "../../admin/worker-schema.ts";
import { CommandError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { RelayHealth } from "../health/health.ts";
import { askRelay, readAnswer, type RelayDoor } from "../relay/client.ts";

/** `at` is in Unix seconds. `workers` and the like are as the operators' API has them. */
export type Snapshot = OperatorView | PublicView | Away;

export interface OperatorView {
  readonly kind: "operator";
  readonly url: string;
  readonly at: number;
  readonly stats: v.InferOutput<typeof Stats>;
  readonly workers: v.InferOutput<typeof WorkerList>["workers"];
  readonly requests: v.InferOutput<typeof LiveRequestList>["requests"];
  readonly requestsTotal: number;
}

export interface PublicView {
  readonly kind: "public";
  readonly url: string;
  readonly at: number;
  readonly health: v.InferOutput<typeof RelayHealth>;
  /** Null: they are told only to those with a key. */
  readonly models: readonly string[] | null;
}

export interface Away {
  readonly kind: "away";
  readonly url: string;
  readonly at: number;
  readonly problem: string;
}

/** @throws CommandError when the relay does not answer, or lets the token in nowhere */
export async function lookAt(door: RelayDoor, unixMs: number): Promise<OperatorView | PublicView> {
  const { base: url } = door;
  const at = Math.floor(unixMs / 1000);
  if (door.token === null) return { kind: "public", url, at, ...(await askInPublic(door)) };
  const [stats, workers, live] = await Promise.all([
    ask(door, "/admin/stats", Stats),
    ask(door, "/admin/workers", WorkerList),
    ask(door, `/admin/requests?limit=${LISTED_MAX}`, LiveRequestList),
  ]);
  return { kind: "operator", url, at, stats, workers: workers.workers, requests: live.requests, requestsTotal: live.total };
}

/** The same with every failure as a view of its own. */
export async function lookOrMiss(door: RelayDoor, unixMs: number): Promise<Snapshot> {
  try {
    return await lookAt(door, unixMs);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { kind: "away", url: door.base, at: Math.floor(unixMs / 1000), problem: error.message };
  }
}

/** What `--json` prints. */
export function toJson(seen: Snapshot): object {
  const { url, at } = seen;
  switch (seen.kind) {
    case "operator": {
      const { workers, requests, requestsTotal, stats } = seen;
      const { queue_depth, queue_depth_by_model, requests: counts, ignored_frames, uptime_secs, version } = stats;
      const numbers = { queue_depth: sum(queue_depth), queue_depth_by_model, counts, ignored_frames, uptime_secs, version };
      return { url, at, reachable: true, ...numbers, workers_connected: workers.length, workers, requests, requests_total: requestsTotal };
    }
    case "public": {
      const { version, workers_connected, queue_depth, uptime_secs } = seen.health;
      return { url, at, reachable: true, queue_depth, uptime_secs, version, workers_connected, models: seen.models };
    }
    case "away":
      return { url, at, reachable: false, problem: seen.problem };
  }
}

export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

const ModelList = v.object({ data: v.array(v.object({ id: v.pipe(v.string(), v.transform(printable)) })) });

async function askInPublic(door: RelayDoor): Promise<Pick<PublicView, "health" | "models">> {
  const [health, models] = await Promise.all([ask(door, "/health", RelayHealth), askRelay(door, "GET", "/v1/models")]);
  if (models.status === 401 || models.status === 403) return { health, models: null };
  return { health, models: (await readAnswer(door, models, 200, ModelList)).data.map(({ id }) => id) };
}

async function ask<S extends v.GenericSchema>(door: RelayDoor, path: string, schema: S): Promise<v.InferOutput<S>> {
  const response = await askRelay(door, "GET", path);
  return await readAnswer(door, response, 200, schema);
}
