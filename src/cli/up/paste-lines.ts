// The lines to paste that point the usual clients at a relay.

interface PasteTarget {
  /** Without a trailing slash and without `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  /** Decides the shell that the lines are for. */
  readonly platform: NodeJS.Platform;
}

/** Any value does while the relay asks for no keys, but the clients want to send one. */
const ANY_KEY = "local";
const PROMPT = "Hello!";

export function renderPasteLines(target: PasteTarget): string {
  const sections = [claudeCode(target), codex(target), curl(target), openAiPython(target), openAiJs(target), anthropicPython(target)];
  return sections.map(([title, ...lines]) => [title, ...lines.map((line) => (line === "" ? "" : `  ${line}`))].join("\n")).join("\n\n");
}

type Section = readonly [title: string, ...lines: readonly string[]];

function claudeCode({ baseUrl, model, platform }: PasteTarget): Section {
  const variables = {
    ANTHROPIC_BASE_URL: baseUrl,
    ANTHROPIC_AUTH_TOKEN: ANY_KEY,
    ANTHROPIC_MODEL: model,
    // What it does on the side (titles, summaries) goes to the small model, which has to exist here too.
    ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
  };
  const lines = Object.entries(variables).map(([name, value]) => {
    const quoted = quoteForShell(value, platform);
    return platform === "win32" ? `$env:${name} = ${quoted}` : `export ${name}=${quoted}`;
  });
  return ["Claude Code", ...lines, "claude"];
}

function codex({ baseUrl, model, platform }: PasteTarget): Section {
  return [
    "Codex: at the end of ~/.codex/config.toml, then the last line in a shell",
    "[model_providers.modelrelay]",
    'name = "ModelRelay"',
    `base_url = ${JSON.stringify(`${baseUrl}/v1`)}`,
    'wire_api = "responses"',
    "",
    `codex -c model_provider=modelrelay -m ${quoteForShell(model, platform)}`,
  ];
}

function curl({ baseUrl, model, platform }: PasteTarget): Section {
  const url = `${baseUrl}/v1/chat/completions`;
  const messages = [{ role: "user", content: PROMPT }];
  if (platform === "win32") {
    const body = quoteForShell(JSON.stringify({ model, messages }), platform);
    return ["PowerShell", `Invoke-RestMethod ${url} -Method Post -ContentType application/json -Body ${body}`];
  }
  const body = quoteForShell(JSON.stringify({ model, stream: true, messages }), platform);
  return ["curl", `curl -N ${url} -H 'content-type: application/json' \\`, `  -d ${body}`];
}

function openAiPython({ baseUrl, model }: PasteTarget): Section {
  return [
    "OpenAI SDK, Python",
    "from openai import OpenAI",
    `client = OpenAI(base_url=${JSON.stringify(`${baseUrl}/v1`)}, api_key="${ANY_KEY}")`,
    `answer = client.chat.completions.create(model=${JSON.stringify(model)}, messages=[{"role": "user", "content": "${PROMPT}"}])`,
    "print(answer.choices[0].message.content)",
  ];
}

function openAiJs({ baseUrl, model }: PasteTarget): Section {
  return [
    "OpenAI SDK, JavaScript",
    'import OpenAI from "openai";',
    `const client = new OpenAI({ baseURL: ${JSON.stringify(`${baseUrl}/v1`)}, apiKey: "${ANY_KEY}" });`,
    `const messages = [{ role: "user", content: "${PROMPT}" }];`,
    `const answer = await client.chat.completions.create({ model: ${JSON.stringify(model)}, messages });`,
    "console.log(answer.choices[0].message.content);",
  ];
}

function anthropicPython({ baseUrl, model }: PasteTarget): Section {
  return [
    "Anthropic SDK, Python",
    "from anthropic import Anthropic",
    `client = Anthropic(base_url=${JSON.stringify(baseUrl)}, api_key="${ANY_KEY}")`,
    `messages = [{"role": "user", "content": "${PROMPT}"}]`,
    `print(client.messages.create(model=${JSON.stringify(model)}, max_tokens=1024, messages=messages).content)`,
  ];
}

/** In single quotes, where neither shell expands anything; bare when nothing in it needs them. */
function quoteForShell(text: string, platform: NodeJS.Platform): string {
  if (platform === "win32") return `'${text.replaceAll("'", "''")}'`;
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
