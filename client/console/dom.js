// Elements from code alone: texts become text nodes, never markup, whatever they hold.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}

/** `el("p.note.warn", { click: f, title: "…" }, "text", node)`; the properties may be left out. */
export function el(what, properties, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  const plain = properties && Object.getPrototypeOf(properties) === Object.prototype;
  return plain ? fill(node, properties, children) : fill(node, {}, [properties, ...children]);
}

export const shape = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Sets a text if it is another one, so that nothing is laid out or read out anew. */
export function say(node, text) {
  const value = String(text);
  if (node.textContent !== value) node.textContent = value;
  return node;
}

export function setAttribute(node, name, value) {
  const text = String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

export function show(node, visible) {
  node.hidden = !visible;
  return node;
}

/** Text from outside, kept apart from the direction of what stands around it. */
export const outside = (text) => el("bdi", String(text));

/**
 * Keeps the children of `parent` in step with `items`: one for each key, in their order. `make(item)` gives
 * `{ node, update(item) }`.
 */
export class Rows {
  #parent;
  #make;
  #known = new Map();

  constructor(parent, make) {
    this.#parent = parent;
    this.#make = make;
  }

  update(items, keyOf) {
    const next = new Map();
    for (const item of items) {
      const key = keyOf(item);
      if (next.has(key)) continue;
      const row = this.#known.get(key) ?? this.#make(item);
      row.update?.(item);
      next.set(key, row);
    }
    for (const [key, row] of this.#known) if (!next.has(key)) row.node.remove();
    this.#known = next;
    let at = this.#parent.firstChild;
    for (const { node } of next.values()) {
      if (node === at) at = at.nextSibling;
      else this.#parent.insertBefore(node, at);
    }
  }
}

let ids = 0;
export const newId = () => `i${++ids}`;

/** A table in a frame that scrolls sideways, also by keyboard. `columns`: texts; a leading ">" puts numbers right, "~" is a bar. */
export function table(caption, columns) {
  const body = el("tbody");
  const head = columns.map((text) => el({ ">": "th.n", "~": "th.strip" }[text[0]] ?? "th", { scope: "col" }, text.replace(/^[>~]/, "")));
  const node = el("div.scroll", { tabindex: "0", role: "region", "aria-label": caption }, el("table", el("caption.words", caption), el("thead", el("tr", head)), body));
  return { node, body };
}

/** A table that says when it is empty, or why it could not be read. Shows nothing before the first answer. */
export function listing(caption, columns, emptyText, make, keyOf) {
  const frame = table(caption, columns), empty = el("p.empty", emptyText), wrong = el("p.wrong");
  const rows = new Rows(frame.body, make);
  const look = (items, problem) => {
    rows.update(items ?? [], keyOf);
    show(frame.node, items?.length);
    show(empty, items?.length === 0);
    tell(wrong, problem);
  };
  look(null);
  return { node: el("div", wrong, empty, frame.node), empty, update: look, problem: (text) => look(null, text) };
}

/** A line that is there while there is something to say. */
export function tell(node, text) {
  say(node, text ?? "");
  show(node, text);
  return node;
}

/** `items`: `[kind, name]`. */
export const legend = (items, filled) => el("ul.legend", { "aria-hidden": "true" }, items.map(([kind, name]) => el("li", el(`span.key.${kind}${filled ? ".fill" : ""}`), name)));

/** A bar of what is used of a whole. The words stand beside it. */
export function bar(...kinds) {
  const parts = kinds.map((kind) => el(`span.part.${kind}`));
  const node = el("span.bar", { "aria-hidden": "true" }, parts);
  return {
    node,
    update(values, whole) {
      for (const [n, value] of values.entries()) {
        const width = whole > 0 && value > 0 ? Math.max(0.8, Math.min(100, (value / whole) * 100)) : 0;
        parts[n].style.width = `${width}%`;
      }
    },
  };
}
