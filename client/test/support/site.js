// A page's own server: the client as a hub serves it (dist/), a page without a script, and an endpoint for tokens.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { IMPORT_MAP, reactModule } from "./react-page.js";
import { token } from "./stack.js";

const CLIENT = new URL("../../dist", import.meta.url).pathname;
const PAGE = '<!doctype html><html lang="en"><title>Test</title><link rel="icon" href="data:,">' + IMPORT_MAP + "<body>";

/** `site.token(user)` decides what the endpoint answers; null: 503. `site.pages`: path → `{html, headers}`. */
export async function startSite() {
  const site = { asked: 0, token: (user) => token(user), origin: "", pages: new Map(), stop: () => server.close() };
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://site");
    if (url.pathname === "/token") {
      site.asked++;
      const text = site.token(url.searchParams.get("user"));
      response.writeHead(text === null ? 503 : 200, { "cache-control": "no-store" });
      return response.end(text ?? "");
    }
    if (url.pathname === "/vendor/react.js") {
      response.writeHead(200, { "content-type": "text/javascript" });
      return response.end(reactModule());
    }
    const file = join(CLIENT, url.pathname);
    if (/^\/[\w./-]+\.m?js$/.test(url.pathname) && !url.pathname.includes("..") && existsSync(file)) {
      response.writeHead(200, { "content-type": "text/javascript" });
      return createReadStream(file).pipe(response);
    }
    const { html = PAGE, headers } = site.pages.get(url.pathname) ?? {};
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...headers });
    response.end(html);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  site.origin = `http://127.0.0.1:${server.address().port}`;
  return site;
}
