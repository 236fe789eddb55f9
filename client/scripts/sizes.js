// What a page downloads: the files of dist/ after gzip -9, against their budgets, and by brotli, which browsers prefer.
import { brotliCompressSync, gzipSync } from "node:zlib";
import { written } from "./dist.js";

/** Bytes. */
const BUDGETS = {
  "client.js": 5_120, "feed.js": 2_048, "sse.js": 1_700, "list.js": 900, "react.js": 512, "api.js": 1_400,
  "push.js": 2_560, "push-worker.js": 896, "bell.js": 8_832, "bell-push.js": 3_456, "languages.js": 1_024,
  "console.js": 24_064, "console.css": 4_608, "console.html": 512,
};

const size = (text) => gzipSync(text, { level: 9 }).length;
let bad = false;
for (const [name, text] of Object.entries(written())) {
  const budget = BUDGETS[name];
  const brotli = `, ${brotliCompressSync(text).length} by brotli`;
  console.log(`${name.padEnd(14)} ${String(size(text)).padStart(6)} bytes${budget ? ` of ${budget}` : ""}${brotli}`);
  bad ||= size(text) > budget;
}
if (bad) {
  console.error("error: over budget");
  process.exit(1);
}
