// Copies the documents to target/site/pages, for VitePress: the README is the first page, and links to
// files of the repository that are no documents lead to copies of them.
//
//   node site/stage.mjs        in the checkout

import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import sidebar from "./.vitepress/sidebar.mjs";

const OUT = "target/site/pages";
/** Below public/, which VitePress copies unchanged. */
const SOURCE = "source";

const markdown = (dir) => readdirSync(dir).filter((name) => name.endsWith(".md")).map((name) => join(dir, name));
const parts = /\.head\.md$/;
const documents = [...markdown("."), ...markdown("docs"), "client/README.md", "client/DESIGN.md", "tests/README.md"]
  .map(normalize).filter((path) => !parts.test(path));

const write = (path, text) => {
  mkdirSync(dirname(join(OUT, path)), { recursive: true });
  writeFileSync(join(OUT, path), text);
};

/** What a link of `page` becomes: a page stays, a file is copied, a folder is text. */
function link(page, whole, text, target) {
  if (/^[a-z]+:|^#/.test(target)) return whole;
  const [path, anchor] = target.split("#");
  const file = normalize(join(dirname(page), path));
  if (documents.includes(file)) return whole;
  if (!existsSync(file)) throw new Error(`${page}: ${target} leads nowhere`);
  if (statSync(file).isDirectory()) return text;
  if (/\.(png|svg|jpg)$/.test(file)) return whole;
  const copy = join("public", SOURCE, file);
  mkdirSync(dirname(join(OUT, copy)), { recursive: true });
  cpSync(file, join(OUT, copy));
  return `[${text}](/${SOURCE}/${file}${anchor ? `#${anchor}` : ""})`;
}

/** Links outside of fences and of code. */
function staged(page) {
  let fenced = false;
  return readFileSync(page, "utf8").split("\n").map((line) => {
    if (line.trimStart().startsWith("```")) fenced = !fenced;
    if (fenced) return line;
    // Vite takes a bare path for the name of a package.
    const html = line.replace(/(src|srcset)="(?![a-z]+:|[./])/g, '$1="./');
    return html.split(/(`[^`]*`)(?!\]\()/).map((part, at) =>
      at % 2 ? part : part.replace(/(?<!!)\[([^\]]*)\]\(([^)\s]+)\)/g, (whole, text, target) => link(page, whole, text, target)),
    ).join("");
  }).join("\n");
}

const shown = sidebar.flatMap((group) => group.items.map((item) => (item.link === "/" ? "README.md" : `${item.link.slice(1)}.md`)));
const missing = documents.filter((path) => !shown.includes(path));
if (missing.length) throw new Error(`site/.vitepress/sidebar.mjs leaves out ${missing.join(", ")}`);

rmSync(OUT, { recursive: true, force: true });
for (const page of documents) write(page, staged(page));
write("index.md", staged("README.md"));
for (const dir of ["docs/images", "docs/charts"]) cpSync(dir, join(OUT, dir), { recursive: true });
mkdirSync(join(OUT, "public", SOURCE, "docs"), { recursive: true });
cpSync("docs/openapi.json", join(OUT, "public", SOURCE, "docs/openapi.json"));
console.log(`${documents.length} documents`);
