// Keeps knowing which models the backend has: asks it, keeps asking, and says so when the answer changes.
import * as v from "valibot";
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type Announcement, isDiscovered, isSameAnnouncement, NOTHING, toAnnouncement } from "./announcement.ts";
import { backendUrl } from "./backend-address.ts";
import type { WorkConfig } from "./config.ts";
import { getJson } from "./get-json.ts";

/** Loading a model by hand should show at the relay before its user has switched windows. */
const MODELS_POLL_MS = 30_000;
/** While the backend does not answer: it is probably starting. */
const MODELS_POLL_DOWN_MS = 5_000;
/** One missed poll may be a busy backend; two in a row and its models are withdrawn. */
const FAILED_POLLS_MAX = 2;

/** How OpenAI-compatible servers list their models. */
export const openAiList = v.object({ data: v.nullable(v.array(v.object({ id: v.string() }))) });
/** How Ollama does. */
export const ollamaList = v.object({ models: v.nullable(v.array(v.object({ name: v.string() }))) });

type Asked = Pick<WorkConfig, "models" | "backendUrl" | "backendApiKey">;

export class ModelWatch {
  readonly #config: Asked;
  readonly #world: { readonly log: Log; readonly clock: Clock; readonly modelsPollMs?: number };
  readonly #onChange: (announcement: Announcement) => void;
  readonly #stopping = new AbortController();
  #current: Announcement = NOTHING;
  #failedPolls = 0;
  #timer: Timer | null = null;
  #asking: Promise<boolean> | null = null;

  constructor(
    config: Asked,
    world: { readonly log: Log; readonly clock: Clock; readonly modelsPollMs?: number },
    onChange: (announcement: Announcement) => void,
  ) {
    this.#config = config;
    this.#world = world;
    this.#onChange = onChange;
    if (!isDiscovered(config.models)) this.#current = toAnnouncement(config.models, null);
  }

  get current(): Announcement {
    return this.#current;
  }

  /** Asks now; resolves to whether the announcement changed, and goes on asking in the background. Never rejects. */
  async refresh(): Promise<boolean> {
    if (!isDiscovered(this.#config.models)) return false;
    // One question at a time; whoever asks meanwhile gets the same answer.
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  stop(): void {
    this.#stopping.abort();
    this.#timer?.stop();
  }

  async #ask(): Promise<boolean> {
    this.#timer?.stop();
    const listed = await this.#list();
    if (this.#stopping.signal.aborted) return false;
    const { log, clock, modelsPollMs = MODELS_POLL_MS } = this.#world;
    this.#timer = clock.startTimer(listed === null ? Math.min(modelsPollMs, MODELS_POLL_DOWN_MS) : modelsPollMs, () => void this.refresh());
    if (listed !== null) this.#failedPolls = 0;
    else if (++this.#failedPolls === 1) log.warn("backend does not answer", { backend: this.#config.backendUrl.host });
    if (listed === null && this.#failedPolls < FAILED_POLLS_MAX) return false;
    const next = toAnnouncement(this.#config.models, listed);
    if (isSameAnnouncement(next, this.#current)) return false;
    this.#current = next;
    log.info("models changed", { models: next.models });
    this.#onChange(next);
    return true;
  }

  /** The names the backend lists; empty when it answers but has no list; null when it does not answer. */
  async #list(): Promise<readonly string[] | null> {
    const openAi = await this.#get("/v1/models");
    if (openAi === null) return null;
    const known = v.safeParse(openAiList, openAi);
    if (known.success) return (known.output.data ?? []).map(({ id }) => id);
    const ollama = v.safeParse(ollamaList, await this.#get("/api/tags"));
    return ollama.success ? (ollama.output.models ?? []).map(({ name }) => name) : [];
  }

  #get(path: string): Promise<unknown> {
    const { backendUrl: base, backendApiKey } = this.#config;
    return getJson(backendUrl(base, path), backendApiKey, this.#world.clock, this.#stopping.signal);
  }
}
