// Declarations of `bellwire`.
export { Bellwire, BellwireError } from "./types/client.js";
export type * from "./types.js";
