// Writes dist/, what a hub serves: each entry one module, minified, whose imports of other entries stay imports.
// With `--check` it writes nothing, and fails when dist/ is not what it would write.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { minify } from "terser";

const HOME = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const DIST = join(HOME, "dist");

/** Service workers, which are scripts and no modules: another worker may import one. */
const WORKERS = ["push-worker.js"];
/** Sources, as far as they exist; in dist/ they have the same names, without folders, or behind that of a page. */
const ENTRIES = [
  "api.js", "bell-panel.js", "bell-push.js", "bell.js", "client.js", "feed.js", "languages.js", "list.js", "push.js", "react.js", "sse.js",
];
const PAGES = [
  "console/console.css", "console/console.html", "console/console.js", "console/functions.js", "console/main.js",
  "demo/demo.css", "demo/demo.html", "demo/demo.js",
];
/** An entry that other entries import in place of the modules that it exports from. */
const SHARED = "console/main.js";

/** Members of the console's own objects, shortened: nothing outside its bundle, no answer and no DOM has one of these. */
export const OWN_MEMBERS = [
  "act", "api", "bars", "bounds", "choices", "danger", "depth", "draw", "entry", "everyMs", "fleet", "found",
  "functionsUrl", "go", "grant", "heardAt", "hrefOf", "isNew", "last", "level", "list", "load", "long", "means",
  "minute", "most", "newest", "node", "ordinary", "part", "polls", "problem", "refresh", "retry", "ring", "series",
  "silentMs", "socket", "start", "stop", "take", "tall", "tell", "text", "todo", "told", "unit", "update", "used",
  "view", "whole", "wrong", "yes",
];

/** `console/main.js` → `console-main.js`, `console/console.js` → `console.js`. */
const nameOf = (source) => source.replace(/^(\w+)\/(?!\1\.)/, "$1-").replace(/.*\//, "");

const textOf = (source) => readFileSync(join(HOME, source), "utf8");

/** Imports of other entries: by their names in dist/, and not bundled. */
const siblings = (entry, entries) => ({
  name: "siblings",
  setup: (bundler) =>
    bundler.onResolve({ filter: /^\.{0,2}\// }, ({ path, resolveDir }) => {
      const source = entries.find((source) => join(HOME, source) === resolve(resolveDir, path));
      return source && source !== entry ? { path: `./${nameOf(source)}`, external: true } : undefined;
    }),
});

/** Imports of modules of which the shared entry exports something: from there, in one statement. */
const shared = (entry) => ({
  name: "shared",
  setup(bundler) {
    const folder = join(HOME, dirname(SHARED)), text = textOf(SHARED);
    if (entry === SHARED || dirname(entry) !== dirname(SHARED)) return;
    const modules = [...text.matchAll(/ from "(.+)";/g)].map(([, path]) => resolve(folder, path));
    bundler.onResolve({ filter: /^\.\// }, ({ path, resolveDir }) =>
      modules.includes(resolve(resolveDir, path)) ? { path: SHARED, namespace: "shared" } : undefined);
    const names = [...text.matchAll(/^export {(.+)} from/gm)].map(([, names]) => names);
    const contents = `export {${names}} from "./${basename(SHARED)}";`;
    bundler.onLoad({ filter: /./, namespace: "shared" }, () => ({ contents, resolveDir: folder }));
  },
});

/**
 * esbuild puts modules together and renames #private members, which terser leaves; terser makes the rest smaller.
 * `members`: short names of the console's own, the same in all its files.
 */
async function minified(entry, entries, members) {
  const isModule = !WORKERS.includes(entry);
  const options = { bundle: true, minify: true, format: isModule ? "esm" : "iife", target: "es2022", legalComments: "none", write: false };
  const { outputFiles, mangleCache } = await build({
    ...options, absWorkingDir: HOME, entryPoints: [entry], external: ["react"], plugins: [shared(entry), siblings(entry, entries)],
    ...(entry.startsWith("console/") && { mangleProps: new RegExp(`^(${OWN_MEMBERS.join("|")})$`), mangleCache: members }),
  });
  Object.assign(members, mangleCache);
  const [{ text }] = outputFiles;
  if (!entry.endsWith(".js")) return text;
  const { code } = await minify(text, { module: isModule, ecma: 2022, compress: { passes: 3 }, format: { comments: false } });
  return `${code}\n`;
}

/** Name → text of every file. */
export async function dist() {
  const { name, version, license } = JSON.parse(readFileSync(join(HOME, "package.json"), "utf8"));
  const entries = [...ENTRIES, ...WORKERS, ...PAGES].filter((source) => existsSync(join(HOME, source)));
  const files = {}, members = {};
  for (const entry of entries)
    files[nameOf(entry)] = /\.(js|css)$/.test(entry)
      ? `/*! ${name} ${version} | ${license} */\n${await minified(entry, entries, members)}`
      : textOf(entry);
  return files;
}

/** What is in dist/. */
export const written = () =>
  Object.fromEntries((existsSync(DIST) ? readdirSync(DIST) : []).map((name) => [name, readFileSync(join(DIST, name), "utf8")]));

if (process.argv[1] && resolve(process.argv[1]) === join(HOME, "scripts/dist.js")) {
  const [wanted, found] = [await dist(), written()];
  const stale = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].filter((name) => wanted[name] !== found[name]);
  if (!process.argv.includes("--check")) {
    mkdirSync(DIST, { recursive: true });
    for (const name of stale) {
      if (wanted[name] === undefined) rmSync(join(DIST, name));
      else writeFileSync(join(DIST, name), wanted[name]);
    }
  } else if (stale.length) {
    console.error(`error: client/dist is not made from these sources (${stale.join(", ")}): make client-dist`);
    process.exit(1);
  }
}
