// Declarations of `bellwire/api`.
export { BellwireError, createClient } from "./types/api.js";
export type * from "./api-types.js";
