// Reads the Kubernetes manifests as their tests need them: documents by kind, and of their pods what the rules are about.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { ROOT } from "../docs/documents.ts";

export const FOLDER = join(ROOT, "extras/kubernetes");

/** All of them; the kustomization has a format of its own. */
export const FILES = [...new Bun.Glob("*.yaml").scanSync({ cwd: FOLDER })].filter((name) => name !== "kustomization.yaml").sort();

const strings = v.record(v.string(), v.string());
const probe = v.looseObject({ httpGet: v.object({ path: v.string(), port: v.string() }) });
const container = v.looseObject({
  name: v.string(),
  image: v.string(),
  args: v.optional(v.array(v.string()), []),
  env: v.optional(v.array(v.looseObject({ name: v.string() })), []),
  envFrom: v.optional(v.array(v.object({ configMapRef: v.object({ name: v.string() }) })), []),
  ports: v.optional(v.array(v.looseObject({ name: v.string(), containerPort: v.number() })), []),
  startupProbe: v.optional(probe),
  livenessProbe: v.optional(probe),
  readinessProbe: v.optional(probe),
  resources: v.object({ requests: strings, limits: strings }),
  securityContext: v.unknown(),
  volumeMounts: v.array(v.looseObject({ name: v.string(), mountPath: v.string() })),
});
const pod = v.looseObject({
  serviceAccountName: v.string(),
  automountServiceAccountToken: v.literal(false),
  terminationGracePeriodSeconds: v.number(),
  securityContext: v.unknown(),
  initContainers: v.optional(v.array(container), []),
  containers: v.array(container),
  volumes: v.array(
    v.looseObject({
      name: v.string(),
      persistentVolumeClaim: v.optional(v.looseObject({ claimName: v.string() })),
      secret: v.optional(v.looseObject({ secretName: v.string(), items: v.array(v.object({ key: v.string(), path: v.string() })) })),
    }),
  ),
});
const labelled = v.looseObject({ labels: v.optional(strings, {}), name: v.string(), annotations: v.optional(strings, {}) });
const deployment = v.looseObject({
  kind: v.literal("Deployment"),
  metadata: labelled,
  spec: v.looseObject({
    replicas: v.number(),
    strategy: v.optional(v.looseObject({ type: v.string() })),
    selector: v.object({ matchLabels: strings }),
    template: v.object({ metadata: v.object({ labels: strings }), spec: pod }),
  }),
});
const anyDocument = v.looseObject({ apiVersion: v.string(), kind: v.string(), metadata: labelled });

export type Manifest = v.InferOutput<typeof anyDocument>;
export type Deployment = v.InferOutput<typeof deployment>;
export type Container = v.InferOutput<typeof container>;

/** The documents of a file, as they stand. */
export function readManifests(file: string): readonly Manifest[] {
  const documents: unknown = Bun.YAML.parse(readFileSync(join(FOLDER, file), "utf8"));
  return v.parse(v.array(anyDocument), Array.isArray(documents) ? documents : [documents]);
}

/** The one deployment of a file. */
export function readDeployment(file: string): Deployment {
  return v.parse(deployment, named(file, "Deployment"));
}

/** What is in the file's config map. */
export function readConfigMap(file: string): Readonly<Record<string, string>> {
  return v.parse(v.looseObject({ data: strings }), named(file, "ConfigMap")).data;
}

/** The one document of this kind. @throws when there is none */
export function named(file: string, kind: string): Manifest {
  const found = readManifests(file).filter((document) => document.kind === kind);
  if (found.length !== 1) throw new Error(`${file} has ${found.length} documents of kind ${kind}`);
  return found[0]!;
}
