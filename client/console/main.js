// What the page loads at once: the frame, with the views of the hub's live stream; and, of it, what the views in
// functions.js use.
export { start } from "./frame.js";
export { CallError, Poll, explain, objects } from "./api.js";
export { card } from "./charts.js";
export { bar, el, legend, listing, newId, outside, say, setAttribute, show, tell } from "./dom.js";
export { lacking } from "./grant.js";
export { bytes, count, latency, many, moment, rate, share, span } from "./numbers.js";
export { number } from "./series.js";
