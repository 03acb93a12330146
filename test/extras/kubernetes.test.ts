// The Kubernetes manifests against Kubernetes' own schemas and its strictest pod standard, and against the program they run.
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import * as v from "valibot";
import manifest from "../../package.json" with { type: "json" };
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import type { OptionTable } from "../../src/cli/options/option.ts";
import { parseOptions } from "../../src/cli/options/parse.ts";
import { RunningCli, runCli } from "../cli/run-cli.ts";
import { ROOT } from "../docs/documents.ts";
import { politely } from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { mistakesIn, parseBundle } from "./json-schema.ts";
import { type Container, type Deployment, FILES, FOLDER, named, readConfigMap, readDeployment, readManifests } from "./manifests.ts";
import schemas from "./kubernetes-schema.json" with { type: "json" };

const bundle = parseBundle(schemas);
const DEPLOYMENTS = ["relay.yaml", "worker.yaml"];
const PROGRAMS: readonly (readonly [file: string, container: string, image: string, table: OptionTable])[] = [
  ["relay.yaml", "relay", "modelrelay-server", SERVE_OPTIONS],
  ["worker.yaml", "worker", "modelrelay-worker", WORK_OPTIONS],
];
const SECRETS_FOLDER = "/run/secrets/modelrelay";

test("[N13] the checker finds what is misspelt, missing, misplaced and of the wrong type", () => {
  const mistakesOf = (change: (text: string) => string): readonly string[] => {
    const text = readFileSync(join(FOLDER, "relay.yaml"), "utf8").split("---\n").at(-1)!;
    expect(change(text)).not.toBe(text);
    return mistakesIn(Bun.YAML.parse(change(text)), "apps/v1/Deployment", bundle);
  };
  expect(mistakesOf((text) => `${text}\n`)).toEqual([]);
  expect(mistakesOf((text) => text.replace("readOnlyRootFilesystem", "readonlyRootFilesystem"))).toEqual([
    ".spec.template.spec.containers[0].securityContext.readonlyRootFilesystem: unknown",
  ]);
  expect(mistakesOf((text) => text.replace("replicas: 1", `replicas: "1"`))).toEqual([".spec.replicas: not of type integer,null"]);
  expect(mistakesOf((text) => text.replace("            - name: http\n", "            - protocol: TCP\n"))).toEqual([]);
  expect(mistakesOf((text) => text.replace("containerPort: 8080", "protocol: TCP"))).toEqual([
    ".spec.template.spec.containers[0].ports[0].containerPort: missing",
  ]);
  expect(mistakesOf((text) => text.replace("type: RuntimeDefault", "type: [RuntimeDefault]"))).toEqual([
    ".spec.template.spec.securityContext.seccompProfile.type: not of type string",
  ]);
});

test.each(FILES)("[N13] %s is what Kubernetes' own schemas allow, with no field they do not know", (file) => {
  const documents = readManifests(file);
  expect(documents.length).toBeGreaterThan(0);
  for (const document of documents) {
    const kind = `${document.apiVersion}/${document.kind}`;
    expect([kind, mistakesIn(document, kind, bundle)]).toEqual([kind, []]);
    // Where they run is said when they are applied.
    expect(document.metadata["namespace"]).toBeUndefined();
  }
});

test("[N13] the kustomization names the files there are, and its images", () => {
  const kustomization = v.parse(
    v.strictObject({
      apiVersion: v.string(),
      kind: v.literal("Kustomization"),
      resources: v.array(v.string()),
      images: v.array(v.strictObject({ name: v.string(), newName: v.string(), newTag: v.literal(manifest.version) })),
    }),
    Bun.YAML.parse(readFileSync(join(FOLDER, "kustomization.yaml"), "utf8")),
  );
  expect([...kustomization.resources, "ingress.yaml", "secret.example.yaml"].sort()).toEqual([...FILES]);
  expect(kustomization.images.map(({ name }) => name)).toEqual(PROGRAMS.map(([, , image]) => `ghcr.io/OWNER/modelrelay/${image}`));
});

test.if(Bun.which("kubectl") !== null)("[N13] kustomize makes of it what stands there", () => {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["kubectl", "kustomize", FOLDER], { stdout: "pipe", stderr: "pipe" });
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  const kinds = v.array(v.looseObject({ kind: v.string() }));
  const made = v
    .parse(kinds, Bun.YAML.parse(stdout.toString()))
    .map(({ kind }) => kind)
    .sort();
  const written = ["relay.yaml", "worker.yaml", "network-policy.yaml"].flatMap(readManifests).map(({ kind }) => kind);
  expect(made).toEqual(written.sort());
});

test.each(DEPLOYMENTS)("[N14] every container of %s keeps to the restricted pod security standard, and to its own files", (file) => {
  const { spec } = readDeployment(file).spec.template;
  expect(spec.securityContext).toMatchObject({
    runAsNonRoot: true,
    runAsUser: expect.any(Number),
    seccompProfile: { type: "RuntimeDefault" },
  });
  for (const field of ["hostNetwork", "hostPID", "hostIPC"]) expect(spec[field]).toBeUndefined();
  const kinds = spec.volumes.flatMap((volume) => Object.keys(volume).filter((key) => key !== "name"));
  expect(kinds.filter((kind) => !["persistentVolumeClaim", "emptyDir", "secret"].includes(kind))).toEqual([]);
  for (const container of containersOf(file)) {
    expect([container.name, container.securityContext]).toEqual([
      container.name,
      { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
    ]);
    for (const port of container.ports) expect(port["hostPort"]).toBeUndefined();
    expect(Object.keys(container.resources.requests)).toEqual(["cpu", "memory"]);
    expect(container.resources.limits["memory"]).toBeString();
    expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain("/tmp");
    expect(spec.volumes.map(({ name }) => name)).toEqual(expect.arrayContaining(container.volumeMounts.map(({ name }) => name)));
  }
  expect(named(file, "ServiceAccount")).toMatchObject({ metadata: { name: spec.serviceAccountName }, automountServiceAccountToken: false });
});

test.each(PROGRAMS)("[N15] %s: container %s runs the image of this version with settings it knows", (file, name, image, table) => {
  const container = containerOf(file, name);
  expect(container.image).toBe(`ghcr.io/OWNER/modelrelay/${image}:${manifest.version}`);
  const { spec } = readDeployment(file).spec.template;
  const config = readConfigMap(file);
  expect(container.envFrom).toEqual([{ configMapRef: { name: named(file, "ConfigMap").metadata.name } }]);
  const known = new Set(Object.values(table).flatMap((option) => option.variables));
  const given = [...Object.keys(config), ...container.env.map((variable) => variable.name)];
  expect(given.filter((variable) => !known.has(variable))).toEqual([]);
  // Commented ones are as good.
  const commented = [...readFileSync(join(FOLDER, file), "utf8").matchAll(/^ +# ([A-Z_]+): (\S+)$/gm)].map(
    (found) => [found[1]!, found[2]!] as const,
  );
  expect(commented.filter(([variable]) => !known.has(variable))).toEqual([]);
  const { values } = parseOptions(image, table, container.args, { ...config, ...Object.fromEntries(commented) });
  expect(spec.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(Number(values["drainTimeoutMs"]) + 5_000);
  expect(config["DRAIN_TIMEOUT_SECS"]).toBe(String(Number(values["drainTimeoutMs"]) / 1000));
  // The image's own user, and the one its volumes are for.
  const user = /^USER (\d+):(\d+)$/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8"))!;
  expect(spec.securityContext).toMatchObject({ runAsUser: Number(user[1]), runAsGroup: Number(user[2]), fsGroup: Number(user[2]) });
});

test("[N15] names and ports agree: service and pods, claims and volumes, secrets and files, policies and ports", () => {
  const relay = readDeployment("relay.yaml");
  expect([relay.spec.replicas, relay.spec.strategy?.type]).toEqual([1, "Recreate"]);
  for (const { spec } of DEPLOYMENTS.map(readDeployment)) expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
  const service = named("relay.yaml", "Service");
  expect(service["spec"]).toEqual({ selector: relay.spec.selector.matchLabels, ports: [{ name: "http", port: 8080, targetPort: "http" }] });
  expect(containerOf("relay.yaml", "relay").ports).toEqual([{ name: "http", containerPort: 8080 }]);
  expect(readConfigMap("relay.yaml")["LISTEN_ADDR"]).toBe("0.0.0.0:8080");
  expect(readConfigMap("worker.yaml")["PROXY_URL"]).toBe(`http://${service.metadata.name}:8080`);
  expect(mountPathOf("relay.yaml", "relay", named("relay.yaml", "PersistentVolumeClaim").metadata.name)).toBe("/data");
  expect(readConfigMap("relay.yaml")["MODELRELAY_DATA_DIR"]).toStartWith("/data/");
  const secret = v.parse(v.looseObject({ stringData: v.record(v.string(), v.string()) }), named("secret.example.yaml", "Secret"));
  for (const file of DEPLOYMENTS) {
    const [volume] = readDeployment(file).spec.template.spec.volumes.flatMap((one) => one.secret ?? []);
    expect(volume).toMatchObject({ secretName: named("secret.example.yaml", "Secret").metadata.name });
    const files = Object.entries(readConfigMap(file)).flatMap(([key, path]) => (key.endsWith("_FILE") ? [path] : []));
    expect(volume!.items.map(({ path }) => `${SECRETS_FOLDER}/${path}`)).toEqual(files);
    expect(volume!.items.map(({ key }) => key).filter((key) => !Object.hasOwn(secret.stringData, key))).toEqual([]);
  }
  const model = containerOf("worker.yaml", "model-server");
  expect(readConfigMap("worker.yaml")["BACKEND_URL"]).toBe(`http://127.0.0.1:${model.ports[0]!.containerPort}`);
  expect(model.args.join(" ")).toContain(
    `--port ${model.ports[0]!.containerPort} --parallel ${readConfigMap("worker.yaml")["MAX_CONCURRENCY"]}`,
  );
  expect(model["restartPolicy"]).toBe("Always");
  const policies = readManifests("network-policy.yaml").map((policy) => JSON.stringify(policy["spec"]));
  for (const { spec } of DEPLOYMENTS.map(readDeployment)) {
    expect(policies.some((policy) => policy.startsWith(`{"podSelector":{"matchLabels":${JSON.stringify(spec.selector.matchLabels)}`))).toBe(
      true,
    );
  }
});

test("[N15] a worker's pods reach the relay, and DNS wherever a cluster has it, and nobody else", () => {
  const rule = v.object({ to: v.optional(v.array(v.unknown())), ports: v.array(v.looseObject({ port: v.number() })) });
  const policy = v.looseObject({ podSelector: v.object({ matchLabels: v.record(v.string(), v.string()) }), egress: v.array(rule) });
  const policies = readManifests("network-policy.yaml").map(({ spec }) => v.parse(policy, spec));
  const labels = (file: string) => readDeployment(file).spec.selector.matchLabels;
  const ofWorkers = policies.find(({ podSelector }) => Bun.deepEquals(podSelector.matchLabels, labels("worker.yaml")));
  const dns = [53, 5353].flatMap((port) => ["UDP", "TCP"].map((protocol) => ({ port, protocol })));
  // Caches on the node are of the host's network, so a peer by labels would leave them out.
  expect(ofWorkers?.egress).toEqual([
    { to: [{ podSelector: { matchLabels: labels("relay.yaml") } }], ports: [{ port: 8080 }] },
    { ports: dns },
  ]);
});

test("[N15] the ingress says of sizes and times what extras/tls-nginx.conf says", () => {
  const { annotations } = named("ingress.yaml", "Ingress").metadata;
  const nginx = readFileSync(join(ROOT, "extras/tls-nginx.conf"), "utf8");
  const said = (directive: string): string => new RegExp(`^    ${directive} (\\S+);$`, "m").exec(nginx)![1]!;
  const prefix = "nginx.ingress.kubernetes.io";
  expect(annotations).toEqual({
    [`${prefix}/proxy-body-size`]: said("client_max_body_size"),
    [`${prefix}/proxy-buffering`]: said("proxy_buffering"),
    [`${prefix}/proxy-request-buffering`]: said("proxy_request_buffering"),
    [`${prefix}/proxy-read-timeout`]: said("proxy_read_timeout").replace(/^1h$/, "3600"),
    [`${prefix}/proxy-send-timeout`]: said("proxy_send_timeout").replace(/^1h$/, "3600"),
    [`${prefix}/proxy-next-upstream`]: said("proxy_next_upstream"),
  });
  expect(said("client_max_body_size")).toBe(`${SERVE_OPTIONS.bodyLimitBytes.fallback / 1024 / 1024}m`);
});

test("[N16] relay and worker run with the manifests' own settings; every path a probe or the ingress asks is there", async () => {
  using pods = makePods({ "worker-secret": "of-the-secret", "admin-token": "of-the-admin" });
  const config = { ...pods.environment("relay.yaml"), LISTEN_ADDR: "127.0.0.1:0" };
  await using relay = new RunningCli(["serve", ...containerOf("relay.yaml", "relay").args], config);
  const url = await relay.sees(/"message":"listening".*"url":"([^"]+)"/);
  const relayProbes = probePathsOf(containerOf("relay.yaml", "relay"));
  expect(relayProbes).toEqual(["/livez", "/livez", "/readyz"]);
  for (const path of [...relayProbes, ...ingressPaths().filter((path) => path !== "/v1")])
    expect([path, (await fetch(url + path)).status]).toEqual([path, 200]);

  await using backend = startFakeBackend(politely(["m"]));
  const worker = { ...pods.environment("worker.yaml"), PROXY_URL: url, BACKEND_URL: backend.url, WORKER_NAME: "pod-1" };
  await using _ = new RunningCli(["work", ...containerOf("worker.yaml", "worker").args], worker);
  await relay.sees(/"message":"worker registered"/);
  const asOperator = { headers: { authorization: "Bearer of-the-admin" } };
  expect(await (await fetch(`${url}/admin/workers`, asOperator)).text()).toContain(`"pod-1"`);
  // The ingress has the way of clients and of workers, and not that of operators.
  expect((await fetch(`${url}/v1/models`)).status).toBe(401);
  expect(ingressPaths()).toEqual(["/v1", "/health"]);
});

test("[N16] the placeholders of the example are refused, never taken for secrets", async () => {
  const { stringData } = v.parse(v.looseObject({ stringData: v.record(v.string(), v.string()) }), named("secret.example.yaml", "Secret"));
  using pods = makePods(stringData);
  const { code, err } = await runCli(["serve"], { ...pods.environment("relay.yaml"), LISTEN_ADDR: "127.0.0.1:0" });
  expect([code, err]).toEqual([2, expect.stringMatching(/placeholder/)]);
});

interface Pods extends Disposable {
  /** The variables of a file's config map, with the volumes' places in a folder of the test's. */
  environment(file: string): Readonly<Record<string, string>>;
}

function makePods(secrets: Readonly<Record<string, string>>): Pods {
  const directory = mkdtempSync(join(tmpdir(), "modelrelay-pods-"));
  mkdirSync(join(directory, SECRETS_FOLDER), { recursive: true });
  mkdirSync(join(directory, "data"));
  for (const [name, text] of Object.entries(secrets)) writeFileSync(join(directory, SECRETS_FOLDER, name), text);
  return {
    environment: (file) =>
      Object.fromEntries(
        Object.entries(readConfigMap(file)).map(([name, text]) => [name, text.startsWith("/") ? join(directory, text) : text]),
      ),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function containersOf(file: string): readonly Container[] {
  const { initContainers, containers } = readDeployment(file).spec.template.spec;
  return [...initContainers, ...containers];
}

function containerOf(file: string, name: string): Container {
  const found = containersOf(file).find((container) => container.name === name);
  if (found === undefined) throw new Error(`${basename(file)} has no container ${name}`);
  return found;
}

function mountPathOf(file: string, name: string, claim: string): string | undefined {
  const { volumes }: Deployment["spec"]["template"]["spec"] = readDeployment(file).spec.template.spec;
  const volume = volumes.find((one) => one.persistentVolumeClaim?.claimName === claim);
  return containerOf(file, name).volumeMounts.find((mount) => mount.name === volume?.name)?.mountPath;
}

/** In the order startup, liveness, readiness; each asks a port that is there. */
function probePathsOf({ startupProbe, livenessProbe, readinessProbe, ports }: Container): readonly string[] {
  const probes = [startupProbe, livenessProbe, readinessProbe].flatMap((probe) => probe?.httpGet ?? []);
  expect(probes.filter(({ port }) => !ports.some(({ name }) => name === port))).toEqual([]);
  return probes.map(({ path }) => path);
}

function ingressPaths(): readonly string[] {
  const http = v.looseObject({ paths: v.array(v.looseObject({ path: v.string() })) });
  const rules = v.object({ spec: v.looseObject({ rules: v.array(v.looseObject({ http })) }) });
  return v.parse(rules, named("ingress.yaml", "Ingress")).spec.rules.flatMap((rule) => rule.http.paths.map(({ path }) => path));
}
