// What a page downloads: the files of dist/ after gzip -9, against their budgets, and by brotli, which browsers prefer.
import { brotliCompressSync, gzipSync } from "node:zlib";
import { written } from "./dist.js";

/** Bytes: what is reached and one in a hundred more, because not every zlib gives the same. */
const BUDGETS = {
  "client.js": 5_120, "feed.js": 2_000, "sse.js": 1_680, "list.js": 880, "react.js": 488, "api.js": 1_136,
  "push.js": 2_432, "push-worker.js": 872, "bell.js": 6_016, "bell-panel.js": 4_896, "bell-push.js": 3_392, "languages.js": 912,
  "console.html": 304, "console.css": 4_416, "console.js": 176, "console-main.js": 17_536, "console-functions.js": 8_256,
  "demo.html": 1_312, "demo.css": 1_536, "demo.js": 1_984,
};

const size = (text) => gzipSync(text, { level: 9 }).length;
const files = written();
let bad = false;
for (const [name, text] of Object.entries(files)) {
  const budget = BUDGETS[name] ?? 0;
  console.log(`${name.padEnd(20)} ${String(size(text)).padStart(6)} bytes of ${budget}, ${brotliCompressSync(text).length} by brotli`);
  bad ||= size(text) > budget;
}
const atOnce = ["console.html", "console.css", "console.js", "console-main.js"].reduce((sum, name) => sum + size(files[name]), 0);
console.log(`the console at once  ${atOnce} bytes, with all views ${atOnce + size(files["console-functions.js"])}`);
if (bad) {
  console.error("error: over budget");
  process.exit(1);
}
