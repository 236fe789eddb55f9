// The page's script: starts the console, and names the module that loads later. That one imports main.js, and names
// with hashes cannot go round in a circle.
import { start } from "./main.js";

/** A browser remembers that a module did not load, by its address. */
const again = () => import(["./console-functions.js", Date.now()].join("?"));

start(() => import("./functions.js").catch(again));
