// The views that ask the functions, in a module of their own: see console.js.
export { cacheView } from "./cache.js";
export { queuesView } from "./queues.js";
export { userView } from "./user.js";
