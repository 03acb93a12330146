// The compose file and its example of settings: each variable is explained, each setting is the program's, and nothing has more rights than it needs.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVE_DEFAULTS } from "../../src/server/config.ts";
import { parseOptions } from "../../src/cli/options/parse.ts";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { WORK_DEFAULTS } from "../../src/worker/config.ts";
import { inherited, pairsOf, readStages, ROOT } from "./dockerfile.ts";

interface Service {
  readonly image: string;
  readonly build: { readonly context: string; readonly target: string };
  readonly environment: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly extra_hosts?: readonly string[];
  readonly stop_grace_period: string;
  readonly mem_limit: string;
  readonly restart: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly logging: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const FOLDER = join(ROOT, "extras");
const SECRET = "0123456789abcdef0123456789abcdef";
const text = readFileSync(join(FOLDER, "docker-compose.yml"), "utf8");
const example = readFileSync(join(FOLDER, ".env.example"), "utf8");
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what of it is used is what the tests check
const asWritten = Bun.YAML.parse(text) as Compose;
const compose = interpolated({ WORKER_SECRET: SECRET });
const services = Object.entries(compose.services);
const stages = readStages();

test("[I4] there is a relay and two workers, built from stages that exist", () => {
  expect(services.map(([name, { build }]) => [name, build.target])).toEqual([
    ["relay", "server"],
    ["worker-1", "worker"],
    ["worker-2", "worker"],
  ]);
  for (const [, { build, image }] of services) {
    expect(existsSync(join(FOLDER, build.context, "Dockerfile"))).toBe(true);
    expect(stages.map(({ name }) => name)).toContain(build.target);
    expect(image).toBe(`modelrelay-${build.target}`);
  }
});

test("[I4] the example has every variable of the compose file with the default it has there, and no other", () => {
  const uses = [...text.matchAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g)].map((match) => [match[1]!, match[2], match[3]] as const);
  expect(uses.length).toBeGreaterThan(10);
  const shown = new Map(
    [...example.matchAll(/^(#?)(\w+)=(.*)$/gm)].map((match) => [match[2]!, { isOff: match[1] === "#", value: match[3]! }]),
  );
  expect([...shown.keys()].sort()).toEqual([...new Set(uses.map(([name]) => name))].sort());
  // What is commented out shows the default, or, where that is nothing, what it may be.
  const wrong = uses.filter(([name, kind, fallback]) => {
    const line = shown.get(name);
    if (kind === "?") return line?.isOff !== false || line.value !== "";
    return kind !== "-" || (fallback !== "" && line?.value !== fallback);
  });
  expect(wrong).toEqual([]);
});

test("[I4] what the example has commented out changes nothing: it is the program's default, but for what is called an example", () => {
  const shown = Object.fromEntries([...example.matchAll(/^#(\w+)=(.+)$/gm)].map((match) => [match[1]!, match[2]!]));
  const examples = ["PUBLIC_URL", "TRUSTED_PROXIES", "CORS_ORIGINS"];
  const told = interpolated({ WORKER_SECRET: SECRET, ...shown, ...Object.fromEntries(examples.map((name) => [name, ""])) });
  expect(Object.keys(shown).length).toBeGreaterThan(20);
  for (const [name, { build, environment }] of services) {
    const read = (from: Readonly<Record<string, string>>) =>
      build.target === "server"
        ? parseOptions("serve", SERVE_OPTIONS, [], from).values
        : parseOptions("work", WORK_OPTIONS, [], from).values;
    expect({ name, values: read(told.services[name]!.environment) }).toEqual({ name, values: read(environment) });
  }
  const taken = parseOptions("serve", SERVE_OPTIONS, [], interpolated({ WORKER_SECRET: SECRET, ...shown }).services["relay"]!.environment);
  expect(taken.values.publicUrl).not.toBeNull();
});

test("[I4] a .env of modelrelay-server and modelrelay-worker means here what it meant there, but that only this machine reaches the port", () => {
  const before = {
    WORKER_SECRET: SECRET,
    LISTEN_PORT: "9090",
    MAX_QUEUE_LEN: "7",
    QUEUE_TIMEOUT_SECS: "31",
    REQUEST_TIMEOUT_SECS: "301",
    PROXY_LOG_LEVEL: "debug",
    WORKER1_BACKEND_URL: "http://host.docker.internal:8081",
    WORKER1_MODELS: "llama3.2:3b",
    WORKER1_MAX_CONCURRENCY: "3",
    WORKER2_BACKEND_URL: "http://10.0.0.2:8000",
    WORKER2_MODELS: "codellama:7b",
    WORKER2_MAX_CONCURRENCY: "4",
    WORKER_LOG_LEVEL: "warn",
  };
  const { relay, "worker-1": first, "worker-2": second } = interpolated(before).services;
  expect(relay?.ports).toEqual(["127.0.0.1:9090:8080"]);
  expect(relay?.environment).toMatchObject({
    MAX_QUEUE_LEN: "7",
    QUEUE_TIMEOUT_SECS: "31",
    REQUEST_TIMEOUT_SECS: "301",
    LOG_LEVEL: "debug",
  });
  expect(first?.environment).toMatchObject({
    BACKEND_URL: "http://host.docker.internal:8081",
    MODELS: "llama3.2:3b",
    MAX_CONCURRENCY: "3",
    LOG_LEVEL: "warn",
  });
  expect(second?.environment).toMatchObject({ BACKEND_URL: "http://10.0.0.2:8000", MODELS: "codellama:7b", MAX_CONCURRENCY: "4" });
});

test("[I4] without a secret nothing starts, and the message names the file", () => {
  const secrets = services.map(([name]) => asWritten.services[name]?.environment["WORKER_SECRET"]);
  expect(new Set(secrets).size).toBe(1);
  expect(secrets[0]).toMatch(/^\$\{WORKER_SECRET:\?.*extras\/\.env\.example\}$/);
  expect(() => interpolated({})).toThrow("extras/.env.example");
});

test("[I4] every setting of a service is a variable of its command with a value it takes", () => {
  for (const [name, { build, environment }] of services) {
    const [command, table] = build.target === "server" ? (["serve", SERVE_OPTIONS] as const) : (["work", WORK_OPTIONS] as const);
    const known = Object.values(table).flatMap(({ variables }) => variables);
    expect(Object.keys(environment).filter((variable) => !known.includes(variable))).toEqual([]);
    const { values } = parseOptions(command, table, [], { ...environment });
    expect({ name, secret: values.workerSecret }).toEqual({ name, secret: SECRET });
  }
});

test("[I4] keys can be asked for, and the admin token given, by the settings alone", () => {
  const { relay } = interpolated({
    WORKER_SECRET: SECRET,
    MODELRELAY_REQUIRE_API_KEYS: "true",
    MODELRELAY_ADMIN_TOKEN: "a-token",
  }).services;
  const asked = parseOptions("serve", SERVE_OPTIONS, [], { ...relay!.environment }).values;
  expect([asked.requireApiKeys, asked.adminToken]).toEqual([true, "a-token"]);
  const plain = parseOptions("serve", SERVE_OPTIONS, [], { ...compose.services["relay"]!.environment }).values;
  expect([plain.requireApiKeys, plain.adminToken]).toEqual([false, null]);
});

test("[I4] workers wait for a healthy relay, find it by its name, and reach this machine's model servers", () => {
  for (const [name, { depends_on, environment, extra_hosts }] of services.filter(([, { build }]) => build.target === "worker")) {
    expect({ name, depends_on }).toEqual({ name, depends_on: { relay: { condition: "service_healthy" } } });
    expect(new URL(environment["PROXY_URL"]!).host).toBe(`relay:${portOf("server")}`);
    expect(new URL(environment["BACKEND_URL"]!).hostname).toBe("host.docker.internal");
    expect(extra_hosts).toEqual(["host.docker.internal:host-gateway"]);
  }
  expect(inherited(stages, "server").findLast(({ name }) => name === "HEALTHCHECK")?.text).not.toBe("NONE");
});

test("[I4] only this machine reaches the relay unless the settings say otherwise, and its keys are in a named volume", () => {
  const { ports, volumes } = compose.services["relay"]!;
  expect(ports).toEqual([`127.0.0.1:8080:${portOf("server")}`]);
  const variables = new Map(
    inherited(stages, "server")
      .filter(({ name }) => name === "ENV")
      .flatMap(pairsOf),
  );
  expect(volumes).toEqual([`keys:${variables.get("MODELRELAY_DATA_DIR")}`]);
  expect(Object.keys(compose.volumes)).toEqual(["keys"]);
  expect(services.flatMap(([name, service]) => (name === "relay" ? [] : (service.ports ?? [])))).toEqual([]);
});

test("[I4] no service has more rights or room than it needs, and each has the time to finish", () => {
  for (const [name, service] of services) {
    const { restart, read_only, cap_drop, security_opt, logging } = service;
    const rights = { restart: "unless-stopped", read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] };
    expect({ name, restart, read_only, cap_drop, security_opt }).toEqual({ name, ...rights });
    expect(`${logging.driver} ${logging.options["max-size"]} ${logging.options["max-file"]}`).toMatch(/^json-file \d+m \d+$/);
    expect(service.mem_limit).toMatch(/^\d+[mg]$/);
    const drainMs = (service.build.target === "server" ? SERVE_DEFAULTS : WORK_DEFAULTS).drainTimeoutMs;
    expect(Number.parseInt(service.stop_grace_period, 10) * 1000).toBeGreaterThanOrEqual(drainMs + 5_000);
    expect(service).not.toHaveProperty("privileged");
    expect(service).not.toHaveProperty("user");
  }
});

function portOf(role: string): string {
  return inherited(stages, role).findLast(({ name }) => name === "EXPOSE")?.text ?? "";
}

/** The file with its variables as Compose fills them in. @throws Error with the file's own words when a needed one is missing */
function interpolated(env: Readonly<Record<string, string>>): Compose {
  const filled = text.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_whole, name: string, kind: string | undefined, rest: string) => {
    const value = env[name] ?? "";
    if (value === "" && kind === "?") throw new Error(rest);
    return JSON.stringify(value === "" ? (rest ?? "") : value).slice(1, -1);
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  const parsed = Bun.YAML.parse(filled) as Compose;
  const entries = Object.entries(parsed.services).map(([name, service]) => {
    // What Compose hands over is text, also where YAML sees something else.
    const given: Readonly<Record<string, string | number | boolean | null>> = service.environment;
    const environment = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, `${value ?? ""}`]));
    return [name, { ...service, environment }] as const;
  });
  return { ...parsed, services: Object.fromEntries(entries) };
}
