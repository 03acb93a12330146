// The operators' routes in the OpenAPI document.
import type { RefusalCode } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import { CreatedKey, KeyList, NewKey } from "./key-schema.ts";
import { Cancelling, LiveRequestList } from "./live-schema.ts";
import { type Answer, inPath, json, type Operation } from "./operation.ts";
import { LISTED_DEFAULT, LISTED_MAX } from "./requests-route.ts";
import { Stats } from "./stats-route.ts";
import { Worker, WorkerList } from "./worker-schema.ts";

/** `invalid_request`: two different credentials, or a body or parameter that cannot be used. */
const GATES: readonly RefusalCode[] = [
  "invalid_request",
  "invalid_path",
  "origin_not_allowed",
  "admin_forbidden",
  "host_not_allowed",
  "auth_rate_limited",
  "internal_error",
];

const WORKER = {
  worker_id: "w1-5f0c1e9a",
  worker_name: "gpu-box-4",
  provider: "local",
  models: ["llama3.2:3b"],
  unlisted_models: [],
  max_concurrent: 4,
  reported_load: 1,
  in_flight_count: 1,
  is_draining: false,
  protocol: "2026-11-bridge-v2",
  version: VERSION,
  address: "192.0.2.7",
  connected_at: 1_790_000_000,
  last_heartbeat_at: 1_790_000_012,
  cooling_down: false,
  slots_taken: 1,
} as const;

const KEY = {
  id: "0192f3c4-8a10-4c2e-9a53-3f3d8e6f7a01",
  name: "my-app",
  prefix: "mr-4fK9aQz",
  scopes: ["infer"],
  models: ["llama*"],
  provider: null,
  worker_name: null,
  max_slots: null,
  max_concurrent: 8,
  requests_per_minute: null,
  created_at: 1_790_000_000,
  expires_at: null,
  last_used_at: null,
  revoked: false,
  revoked_at: null,
} as const;

export const OPERATOR_OPERATIONS: readonly Operation[] = [
  {
    method: "get",
    path: "/admin/workers",
    id: "listWorkers",
    summary: "Connected workers",
    answers: [{ status: 200, description: "In the order they connected", contents: [json(WorkerList, { workers: [WORKER] })] }],
    ...operators(),
  },
  workerAction("drain", "Give a worker nothing new; it finishes what it has", workerAnswer(200, "It drains")),
  workerAction("resume", "Give a drained worker requests again", workerAnswer(200, "It is back in rotation")),
  workerAction(
    "refresh",
    "Ask a worker to look at its backend's models again",
    workerAnswer(202, "It was asked; what it finds arrives later"),
  ),
  {
    method: "get",
    path: "/admin/stats",
    id: "getStats",
    summary: "The relay in numbers",
    answers: [{ status: 200, description: "Since it started, and right now", contents: [json(Stats, stats())] }],
    ...operators(),
  },
  {
    method: "get",
    path: "/admin/requests",
    id: "listRequests",
    summary: "The requests that live in the relay",
    parameters: [
      {
        name: "limit",
        in: "query",
        description: "How many to list, the oldest first",
        schema: { type: "integer", minimum: 1, maximum: LISTED_MAX, default: LISTED_DEFAULT },
      },
    ],
    answers: [{ status: 200, description: "What they are and where they stand", contents: [json(LiveRequestList, requests())] }],
    ...operators(),
  },
  {
    method: "post",
    path: "/admin/requests/{id}/cancel",
    id: "cancelRequest",
    summary: "End a request; its client gets the error 'cancelled', its worker is told to stop",
    parameters: [inPath("id", "The id of the list, not the request id of the client")],
    answers: [{ status: 202, description: "It is being ended", contents: [json(Cancelling, { id: "r17", request_id: "req_5f0c1e9a" })] }],
    ...operators("not_found"),
  },
  {
    method: "get",
    path: "/admin/keys",
    id: "listKeys",
    summary: "API keys, revoked ones included, without their secrets",
    answers: [{ status: 200, description: "The oldest first", contents: [json(KeyList, { keys: [KEY] })] }],
    ...operators("store_unavailable"),
  },
  {
    method: "post",
    path: "/admin/keys",
    id: "createKey",
    summary: "Make an API key; the answer is the only one that ever holds its secret",
    body: json(NewKey, { name: "my-app", models: ["llama*"], max_concurrent: 8 }),
    answers: [
      {
        status: 201,
        description: "The key and its secret, once it is stored",
        contents: [json(CreatedKey, { ...KEY, secret: "mr-4fK9aQzExampleExampleExampleExampleExamplE1" })],
      },
    ],
    ...operators("body_timeout", "body_too_large", "unsupported_encoding", "store_unavailable"),
  },
  {
    method: "delete",
    path: "/admin/keys/{id}",
    id: "revokeKey",
    summary: "Revoke an API key for good; it ends what runs with it",
    parameters: [inPath("id", "The key's id")],
    answers: [{ status: 204, description: "It is revoked, and the store has it" }],
    ...operators("not_found", "store_unavailable"),
  },
];

function operators(...refusals: readonly RefusalCode[]) {
  return { tag: "Operators", access: "operator", refusals: [...GATES, ...refusals] } as const;
}

function workerAction(verb: string, summary: string, answer: Answer): Operation {
  return {
    method: "post",
    path: `/admin/workers/{id}/${verb}`,
    id: `${verb}Worker`,
    summary,
    parameters: [inPath("id", "The worker's id")],
    answers: [answer],
    ...operators("not_found"),
  };
}

function workerAnswer(status: number, description: string): Answer {
  return { status, description, contents: [json(Worker, { ...WORKER, is_draining: description === "It drains" })] };
}

function stats() {
  const { worker_id, worker_name, in_flight_count, max_concurrent, is_draining } = WORKER;
  return {
    queue_depth: { local: 1 },
    queue_depth_by_model: { "llama3.2:3b": 1 },
    active_workers: 1,
    workers: [{ worker_id, worker_name, in_flight_count, max_concurrent, is_draining }],
    requests: { accepted: 12, waiting: 1, running: 1, requeued: 0, by_outcome: { complete: 9, client_left: 1 } },
    ignored_frames: 0,
    uptime_secs: 3600.5,
    version: VERSION,
  };
}

function requests() {
  const request = {
    id: "r17",
    request_id: "req_5f0c1e9a",
    key_id: null,
    model: "llama3.2:3b",
    path: "/v1/chat/completions",
    is_streaming: true,
    state: "queued",
    position: 1,
    worker_id: null,
    worker_name: null,
    attempts: 0,
    arrived_at: 1_790_000_000,
    age_secs: 1.2,
  } as const;
  return { requests: [request], total: 1 };
}
