// What a page downloads, gzip -9, against the budgets: each entry as one module (one-file.js), with what it adds
// to the ones before. Beside it, what the files themselves come to.
import { gzipSync } from "node:zlib";
import { files, oneFile, source } from "./one-file.js";

/** Bytes. */
const BUDGETS = { "client.js": 9_216, "react.js": 1_536, "api.js": 1_024 };

const size = (text) => gzipSync(text, { level: 9 }).length;
const known = [];
let bad = false;
for (const [entry, budget] of Object.entries(BUDGETS)) {
  const own = files(entry, known);
  known.push(...own);
  const all = oneFile(entry, own);
  const apart = own.reduce((sum, file) => sum + size(source(file)), 0);
  console.log(`${entry.padEnd(10)} ${String(size(all)).padStart(5)} of ${budget} bytes; as ${own.length} files with their comments ${apart}`);
  if (size(all) > budget) bad = true;
}
if (bad) {
  console.error("error: over budget");
  process.exit(1);
}
