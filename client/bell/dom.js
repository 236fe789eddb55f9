// Elements without innerHTML: what a page's Trusted Types forbid is not needed.

/**
 * A part of the bell is of the class of that name, too.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  node.className = attributes.part ?? "";
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...children);
  return node;
}

/** A text, if it is another one: what is written is laid out again. @param {Node} node @param {string} text */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {Record<string, string>} attributes @param {(Node | string)[]} children */
export const button = (attributes, ...children) => h("button", { type: "button", ...attributes }, ...children);

const SVG = "http://www.w3.org/2000/svg";

/** A line drawing of 24 by 24, in the colour of the text around it. @param {string} path */
export function icon(path) {
  const [svg, line] = ["svg", "path"].map((tag) => document.createElementNS(SVG, tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const BELL = "M18 9.5a6 6 0 0 0-12 0c0 5-2.2 6.6-2.2 6.6h16.4S18 14.5 18 9.5M10 19.6a2.2 2.2 0 0 0 4 0";
export const CROSS = "M7 7 17 17M17 7 7 17";

/** A style sheet, made when there is a page. @param {string} css */
export function sheet(css) {
  /** @type {CSSStyleSheet | undefined} */
  let made;
  return () => {
    if (!made) {
      made = new CSSStyleSheet();
      made.replaceSync(css);
    }
    return made;
  };
}

/** What the page has set before the element was defined goes to its setters. @param {any} element @param {string[]} names */
export function upgrade(element, names) {
  for (const name of names) {
    if (!Object.hasOwn(element, name)) continue;
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}
