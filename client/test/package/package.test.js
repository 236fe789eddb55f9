// The packed package, installed into an empty project: what is in it, what it exports, that it runs and that
// its types hold with tsc's strictest checks, for every route of the API.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const HOME = new URL("../..", import.meta.url).pathname;
const DOCUMENT = JSON.parse(readFileSync(join(HOME, "../docs/openapi.json"), "utf8"));
const require = createRequire(import.meta.url);
const run = (command, args, cwd = project) => execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
let project, packed;

before(() => {
  project = mkdtempSync(join(tmpdir(), "bellwire-package-"));
  [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", project], HOME).replace(/^[^[]*/, ""));
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "private": true, "type": "module" }');
  // Without React, which is optional, and without a look at a registry.
  run("npm", ["install", "--offline", "--omit=peer", "--no-audit", "--no-fund", `./${packed.filename}`]);
});
after(() => rmSync(project, { recursive: true, force: true }));

test("it holds modules, declarations and the README, and no tests", () => {
  const files = packed.files.map(({ path }) => path);
  for (const file of ["client.js", "react.js", "api.js", "bell.js", "languages.js", "push.js", "push-worker.js", "bell-push.js", "types/bell-push.d.ts", "bell-panel.js", "bell/shell.js", "bell-index.d.ts", "types/bell.d.ts", "types.d.ts", "openapi.d.ts", "types/client.d.ts", "README.md"]) assert.ok(files.includes(file), file);
  assert.deepEqual(files.filter((file) => /test|scripts|node_modules|tsconfig|lock/.test(file)), []);
});

test("its version is the workspace's", () => {
  const cargo = readFileSync(join(HOME, "../Cargo.toml"), "utf8");
  assert.equal(packed.version, /^version = "(.+)"$/m.exec(cargo)?.[1]);
});

test("import works, also where there is no WebSocket; what is not exported stays closed", () => {
  writeFileSync(join(project, "use.js"), `
    import { Bellwire, BellwireError } from "bellwire";
    import { createClient } from "bellwire/api";
    import { BellwireBell } from "bellwire/bell";
    const client = new Bellwire({ hub: "http://127.0.0.1:9", user: "u", token: () => "t" });
    console.log(client.state, new BellwireError("a", "b") instanceof Error, typeof createClient({ baseUrl: "http://x" }).GET, typeof BellwireBell);
    for (const path of ["bellwire/line.js", "bellwire/client.js", "bellwire/bell/panel.js"]) await import(path).catch((error) => console.log(error.code));`);
  assert.equal(run(process.execPath, ["use.js"]).trim(), "idle true function function\nERR_PACKAGE_PATH_NOT_EXPORTED\nERR_PACKAGE_PATH_NOT_EXPORTED\nERR_PACKAGE_PATH_NOT_EXPORTED");
});

/** One call of each route, its body of the document's type. */
function everyRoute() {
  const calls = [];
  for (const [path, operations] of Object.entries(DOCUMENT.paths))
    for (const [method, operation] of Object.entries(operations)) {
      if (!["get", "head", "post", "put", "delete"].includes(method)) continue;
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => `${name}: "x"`);
      const members = names.length ? [`params: { path: { ${names.join(", ")} } }`] : [];
      const content = operation.requestBody?.content ?? {};
      if (content["application/json"]) members.push(`body: {} as NonNullable<paths["${path}"]["${method}"]["requestBody"]>["content"]["application/json"]`);
      calls.push(`  await api.${method.toUpperCase()}("${path}"${members.length ? `, { ${members.join(", ")} }` : ""});`);
    }
  return calls;
}

const TYPED = `
import { Bellwire, BellwireError, type Preferences, type PushState } from "bellwire";
import { createClient, type Api } from "bellwire/api";
import type { paths } from "bellwire/api";
import type { BellwireBell, PushTexts, Texts } from "bellwire/bell";

export function bell(given: Bellwire) {
  const bell: BellwireBell = document.createElement("bellwire-bell");
  const found = document.querySelector("bellwire-bell");
  const texts: Partial<Texts & PushTexts> = { title: "Avis", yes: "Oui", unread: { one: "{n} avis", other: "{n} avis" } };
  bell.token = async ({ refresh }) => String(refresh);
  bell.texts = texts;
  bell.client = given;
  bell.renderItem = (n) => document.createTextNode(n.title);
  bell.toHref = (n) => "/n/" + n.id;
  bell.open();
  // @ts-expect-error: there is no such text
  bell.texts = { tittle: "x" };
  // @ts-expect-error: it has to give a node
  bell.renderItem = (n) => n.title;
  return found?.client?.unread;
}

export async function client() {
  using client = new Bellwire({ hub: "https://hub", functions: "https://f", user: "u", token: async ({ refresh }) => String(refresh) });
  client.addEventListener("notification", ({ detail }) => { const title: string = detail.title; void title; });
  client.addEventListener("unread", ({ detail }) => { const n: number | null = detail; void n; });
  client.addEventListener("statechange", ({ detail }) => {
    if (detail.state === "waiting") { const ms: number = detail.retryInMs; void ms; }
    if (detail.state === "closed") { const code: number = detail.code; void code; }
    // @ts-expect-error: only where it waits
    void detail.retryInMs;
  });
  client.connect();
  const { notifications, next } = await client.feed({ limit: 5, unread: true });
  const ids: string[] = notifications.map((n) => n.id);
  const unread: number | null = await client.markRead(ids);
  const state: PushState = await client.push.state();
  if (state === "default") await client.push.subscribe({ worker: "/sw.js", locale: "de" });
  const wanted: Preferences = { ...(await client.push.preferences()), push: false };
  await client.push.setPreferences({ ...wanted, quietHours: { from: "22:00", to: "07:00", timeZone: "UTC" } });
  // @ts-expect-error: there is no such state
  if (state === "granted") await client.push.unsubscribe();
  for await (const n of client) { const seq: number = n.seq; void [seq, unread, next]; }
  // @ts-expect-error: a token is needed
  new Bellwire({ hub: "https://hub" });
}

export async function results(api: Api) {
  const depth = await api.GET("/queues/{queue}", { params: { path: { queue: "q" } } });
  const ready: number = depth.ready;
  const made = await api.POST("/notifications", { body: { userId: "u", title: "t" }, idempotencyKey: "k" });
  const id: string = made.id;
  const page = await api.GET("/users/{user}/notifications", { params: { path: { user: "u" }, query: { limit: 5 } } });
  const count: number = page.unread;
  // @ts-expect-error: the route does not exist
  await api.GET("/nothing");
  // @ts-expect-error: that route has no DELETE
  await api.DELETE("/stats");
  // @ts-expect-error: the user is missing
  await api.GET("/users/{user}/notifications");
  // @ts-expect-error: the title is missing
  await api.POST("/notifications", { body: { userId: "u" } });
  try { await api.DELETE("/users/{user}", { params: { path: { user: "u" } } }); } catch (error) {
    if (error instanceof BellwireError) { const code: string = error.code; void code; }
  }
  return [ready, id, count];
}

export async function routes() {
  const api = createClient({ baseUrl: "https://f", token: "t" });
`;

for (const resolution of ["nodenext", "bundler"]) {
  test(`types hold under --strict, module resolution ${resolution}: every route`, () => {
    const calls = everyRoute();
    assert.ok(calls.length > 40);
    writeFileSync(join(project, "use.ts"), `${TYPED}${calls.join("\n")}\n}\n`);
    const module = resolution === "bundler" ? "esnext" : "nodenext";
    const args = ["--strict", "--noEmit", "--target", "es2022", "--module", module, "--moduleResolution", resolution, "--lib", "es2022,dom,dom.iterable,esnext.disposable", "--exactOptionalPropertyTypes", "use.ts"];
    try {
      run(process.execPath, [require.resolve("typescript/bin/tsc"), ...args]);
    } catch (error) {
      assert.fail(error.stdout);
    }
  });
}

/** What the snippets of the documents take for granted, and do not import. */
const GIVEN = `
import { Bellwire as GivenClient } from "bellwire";
declare global {
  var button: HTMLButtonElement, client: GivenClient, token: () => Promise<string>;
  interface Document { getElementById(id: "push"): HTMLButtonElement; }
}
`;

test("the snippets of README.md and docs/push-browser.md are right as they stand", () => {
  const texts = ["README.md", "../docs/push-browser.md"].map((path) => readFileSync(join(HOME, path), "utf8"));
  const blocks = texts.flatMap((text) => [...text.matchAll(/```(jsx?)\n(.*?)```|<script type="module">\n(.*?)<\/script>/gs)]);
  assert.ok(blocks.length >= 5, String(blocks.length));
  withReact();
  writeFileSync(join(project, "given.d.ts"), GIVEN);
  const files = blocks.map(([, language, code, script], n) => {
    writeFileSync(join(project, `snippet${n}.${language === "jsx" ? "jsx" : "js"}`), `${code ?? script}\nexport {};\n`);
    return `snippet${n}.${language === "jsx" ? "jsx" : "js"}`;
  });
  const args = ["--allowJs", "--checkJs", "--strict", "--noImplicitAny", "false", "--noEmit", "--jsx", "preserve", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable,esnext.disposable"];
  try {
    run(process.execPath, [require.resolve("typescript/bin/tsc"), ...args, "given.d.ts", ...files]);
  } catch (error) {
    assert.fail(error.stdout);
  }
});

/** React's own types, which are not the package's to bring. */
function withReact() {
  mkdirSync(join(project, "node_modules/@types"), { recursive: true });
  for (const name of ["@types/react", "csstype"]) cpSync(join(require.resolve(`${name}/package.json`), ".."), join(project, "node_modules", name), { recursive: true });
}

test("types of React: the hook, and the bell in JSX with attributes and properties", () => {
  const REACT = `
    import { useRef } from "react";
    import type { BellwireBell } from "bellwire/bell";
    import { useBellwire } from "bellwire/react";
    export function Page({ user }: { user: string }) {
      const bell = useRef<BellwireBell>(null);
      const { unread } = useBellwire({ hub: "https://hub", user, token: "t" });
      return <main onClick={() => bell.current?.open()}>
        {unread}
        <bellwire-bell ref={bell} hub="https://hub" functions="https://f" user={user} token-src="/t" push="/sw.js" toasts max={9} className="x"
          token={async () => "t"} renderItem={(n) => document.createTextNode(n.title)} placement="top-end">
          <a slot="footer" href="/all">All</a>
        </bellwire-bell>
        {/* @ts-expect-error: no such place */}
        <bellwire-bell hub="https://hub" placement="middle" />
      </main>;
    }`;
  withReact();
  writeFileSync(join(project, "page.tsx"), REACT);
  const args = ["--strict", "--noEmit", "--jsx", "preserve", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable,esnext.disposable", "page.tsx"];
  try {
    run(process.execPath, [require.resolve("typescript/bin/tsc"), ...args]);
  } catch (error) {
    assert.fail(error.stdout);
  }
});
