// GET /: what somebody who opens the relay's address is told.
import { VERSION } from "../base/version.ts";

export function welcome(request: Request, publicUrl: string | null): Response {
  const url = publicUrl ?? new URL(request.url, "http://localhost").origin;
  const wantsPage = (request.headers.get("accept") ?? "").includes("text/html");
  return wantsPage ? page(url) : Response.json(facts(url));
}

function facts(url: string): object {
  return {
    name: "modelrelay",
    version: VERSION,
    openai_base_url: `${url}/v1`,
    anthropic_base_url: url,
    models: `${url}/v1/models`,
    health: `${url}/health`,
  };
}

/** No script, no style from elsewhere, nothing a worker or a client could have written. */
function page(url: string): Response {
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ModelRelay</title></head>
<body>
<h1>ModelRelay ${escapeHtml(VERSION)}</h1>
<p>A relay for language-model inference. It is running.</p>
<table>
<tr><th align="left">OpenAI base URL</th><td><code>${escapeHtml(url)}/v1</code></td></tr>
<tr><th align="left">Anthropic base URL</th><td><code>${escapeHtml(url)}</code></td></tr>
<tr><th align="left">Models</th><td><a href="/v1/models">/v1/models</a></td></tr>
<tr><th align="left">Health</th><td><a href="/health">/health</a></td></tr>
</table>
</body></html>
`;
  return new Response(html, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    },
  });
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
