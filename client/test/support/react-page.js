// React in a page without a bundler: its CommonJS files in one module, and an import map that names it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const FILES = {
  react: "react/cjs/react.development.js",
  scheduler: "scheduler/cjs/scheduler.development.js",
  "react-dom": "react-dom/cjs/react-dom.development.js",
  "react-dom/client": "react-dom/cjs/react-dom-client.development.js",
};

export const IMPORT_MAP = '<script type="importmap">{"imports":{"react":"/vendor/react.js"}}</script>';

export function reactModule() {
  const parts = Object.entries(FILES).map(([name, path]) => {
    const directory = require.resolve(`${path.split("/")[0]}/package.json`).replace("package.json", "");
    const text = readFileSync(directory + path.split("/").slice(1).join("/"), "utf8");
    return `${JSON.stringify(name)}: (require, module, exports) => {${text}\n}`;
  });
  return `
    globalThis.process ??= { env: { NODE_ENV: "development" } };
    const files = {${parts.join(",\n")}};
    const loaded = {};
    const require = (name) => {
      if (!loaded[name]) {
        const module = (loaded[name] = { exports: {} });
        files[name](require, module, module.exports);
      }
      return loaded[name].exports;
    };
    export const React = require("react");
    export const { createRoot } = require("react-dom/client");
    export const { StrictMode, createElement, useEffect, useMemo, useRef, useState, useCallback, useSyncExternalStore, act } = React;
    export default React;`;
}
