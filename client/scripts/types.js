// Writes the package's declarations: those of the API from docs/openapi.json, those of the client by tsc.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import openapi, { astToString } from "openapi-typescript";

const home = join(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), "..");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const document = JSON.parse(readFileSync(join(home, "../docs/openapi.json"), "utf8"));
const nodes = await openapi(document);
writeFileSync(join(home, "openapi.d.ts"), `// From docs/openapi.json, by scripts/types.js.\n${astToString(nodes)}`);
rmSync(join(home, "types"), { recursive: true, force: true });
try {
  execFileSync(process.execPath, [tsc, "-p", home], { stdio: "inherit" });
} catch {
  process.exit(1);
}
