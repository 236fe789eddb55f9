// Modules that are loaded when they are needed.
import { BellwireError } from "./errors.js";

/**
 * Loads one once. Browsers remember that it did not load: it is asked for by another URL then. Bundlers follow the
 * import in `load`; a hub replaces the name in both places by a hashed one.
 * @template T
 * @param {() => Promise<T>} load
 * @param {string} name
 * @returns {() => Promise<T>}
 */
export function lazy(load, name) {
  /** @type {Promise<T> | undefined} */
  let loaded;
  const again = () => import(/* webpackIgnore: true */ /* @vite-ignore */ [name, Date.now()].join("?"));
  return () =>
    (loaded ??= load().catch(again).catch((cause) => {
      loaded = undefined;
      throw new BellwireError("network", `${name} did not load`, { cause });
    }));
}
