// What was done, told afterwards.
import { el, say, show } from "./dom.js";

/** The line at the bottom that says what was done. Stays until it is closed or the next one comes. */
export function teller() {
  const text = el("p");
  const time = el("time");
  const line = el("div.told", el("span.mark", { "aria-hidden": "true" }, "✓"), text, time, el("button.quiet", { type: "button", "aria-label": "Close this message", click: () => show(line, false) }, "✕"));
  const node = el("div.teller", { role: "status" }, show(line, false));
  return {
    node,
    /** Parts are texts of this page; what is from outside comes as `outside(…)`. */
    tell(...parts) {
      text.replaceChildren(...parts);
      say(time, new Date().toTimeString().slice(0, 8));
      show(line, true);
    },
  };
}
