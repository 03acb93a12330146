// The lines to paste have to work when pasted, whatever the model is called.
import { expect, test } from "bun:test";
import { renderPasteLines } from "../../src/cli/up/paste-lines.ts";

const NASTY = `it's "a" $(model) \\ \`x\``;
const BASE = "http://127.0.0.1:8081";

/** The lines under a title, without the indent. */
function section(model: string, title: string, platform: NodeJS.Platform = "linux"): string {
  const sections = renderPasteLines({ baseUrl: BASE, model, platform }).split(/\n\n(?=\S)/);
  const found = sections.find((text) => text.startsWith(title))!;
  return found.split("\n").slice(1).map((line) => line.slice(2)).join("\n"); // prettier-ignore
}

async function shell(script: string): Promise<string> {
  return await Bun.spawn(["sh", "-c", script], { stdout: "pipe" }).stdout.text();
}

test("[K22] Claude Code gets the base URL without /v1, a token and the model, also for what it does on the side", () => {
  expect(section("qwen3:8b", "Claude Code")).toBe(
    [
      `export ANTHROPIC_BASE_URL=${BASE}`,
      "export ANTHROPIC_AUTH_TOKEN=local",
      "export ANTHROPIC_MODEL=qwen3:8b",
      "export ANTHROPIC_DEFAULT_HAIKU_MODEL=qwen3:8b",
      "claude",
    ].join("\n"),
  );
  expect(section("it's", "Claude Code", "win32")).toContain("$env:ANTHROPIC_MODEL = 'it''s'");
});

test("[K22] the shell sees the model's name as it is", async () => {
  const exports = section(NASTY, "Claude Code").replace("\nclaude", '\nprintf %s "$ANTHROPIC_MODEL"');
  expect(await shell(exports)).toBe(NASTY);
  const curl = section(NASTY, "curl").replace("curl ", `printf '%s\\n' `);
  const body = (await shell(curl)).trimEnd().split("\n").at(-1)!;
  expect(JSON.parse(body)).toEqual({ model: NASTY, stream: true, messages: [{ role: "user", content: "Hello!" }] });
});

test("[K22] Codex gets a provider that speaks responses, and the model", () => {
  const [config, command] = section("qwen3:8b", "Codex").split("\n\n");
  expect(Bun.TOML.parse(config!)).toEqual({
    model_providers: { modelrelay: { name: "ModelRelay", base_url: `${BASE}/v1`, wire_api: "responses" } },
  });
  expect(command).toBe("codex -c model_provider=modelrelay -m qwen3:8b");
});

test("[K22] no line ends in blanks, on any platform", () => {
  for (const platform of ["linux", "win32"] as const) {
    const lines = renderPasteLines({ baseUrl: BASE, model: NASTY, platform }).split("\n");
    expect(lines.filter((line) => line !== line.trimEnd())).toEqual([]);
  }
});

test("[K22] the SDKs get what they call the base URL: OpenAI's with /v1, Anthropic's without", () => {
  const js = section(NASTY, "OpenAI SDK, JavaScript");
  expect(() => new Bun.Transpiler({ loader: "js" }).transformSync(js)).not.toThrow();
  expect(js).toContain(`baseURL: "${BASE}/v1"`);
  expect(section("m", "OpenAI SDK, Python")).toContain(`base_url="${BASE}/v1"`);
  expect(section("m", "Anthropic SDK, Python")).toContain(`base_url="${BASE}"`);
  expect(section(NASTY, "OpenAI SDK, Python")).toContain(`model=${JSON.stringify(NASTY)}`);
});

test("[K22] PowerShell gets its own syntax", () => {
  expect(section("m", "PowerShell", "win32")).toBe(
    `Invoke-RestMethod ${BASE}/v1/chat/completions -Method Post -ContentType application/json -Body '{"model":"m","messages":[{"role":"user","content":"Hello!"}]}'`,
  );
});
