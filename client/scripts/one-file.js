// One module from an entry and what it imports, in the order of their imports: lines of comments, indentation
// and imports fall away, nothing else changes. `node scripts/one-file.js client.js` prints it. What it asks of
// the sources (test/unit/one-file.test.js): imports and comments on lines of their own, names of the top
// level unique, nothing renamed.
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HOME = join(dirname(fileURLToPath(import.meta.url)), "..");
const COMMENTS = /^ *(\/\/|\/?\*).*\n/gm;
const IMPORTS = /^import .* from "\.\/([^"]+)";\n/gm;
const EXPORTS = /^export \{ .* \};\n/gm;

export const source = (file) => readFileSync(join(HOME, file), "utf8");

/** The files of an entry, each behind those that it imports. */
export function files(entry, known = []) {
  const found = [];
  const visit = (file) => {
    if (found.includes(file) || known.includes(file)) return;
    for (const [, name] of source(file).matchAll(IMPORTS)) visit(name);
    if (!found.includes(file)) found.push(file);
  };
  visit(entry);
  return found;
}

/** `own`: which of them; the others are imported. */
export const oneFile = (entry, own = files(entry)) =>
  own
    .map((file) => source(file).replace(COMMENTS, "").replace(IMPORTS, "").replace(EXPORTS, "").replace(/^ +/gm, ""))
    .join("")
    .replace(/\n{2,}/g, "\n");

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) process.stdout.write(oneFile(process.argv[2]));
