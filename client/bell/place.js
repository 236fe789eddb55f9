// Where the panel opens: below the button or above it, aligned with one of its edges, inside the window.
// By hand, because not every browser that has popovers can anchor them.

const GAP = 8;
/** Less than that below the button: above it, if there is more. */
const ENOUGH = 320;

/** @param {HTMLElement} button @param {HTMLElement} panel @param {string} placement */
export function place(button, panel, placement) {
  const { top, bottom, left, right } = button.getBoundingClientRect();
  const height = innerHeight;
  const wantsTop = placement.startsWith("top");
  const [wanted, other] = wantsTop ? [top, height - bottom] : [height - bottom, top];
  const isAbove = wantsTop === (wanted >= ENOUGH || wanted >= other);
  const isRtl = getComputedStyle(button).direction === "rtl";
  const atLeft = placement.endsWith("start") !== isRtl;
  const set = (/** @type {string} */ name, /** @type {string} */ value) => panel.style.setProperty(name, value);
  set("--x", atLeft ? `${left}px` : `${right}px - var(--w)`);
  set("top", isAbove ? "auto" : `${bottom + GAP}px`);
  set("bottom", isAbove ? `${height - top + GAP}px` : "auto");
  set("--h", `${(isAbove ? top : height - bottom) - 2 * GAP}px`);
}
