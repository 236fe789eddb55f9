// What a notification looks like, in the panel and in a toast. Whatever is in it is shown as text.
/** @import { Notification } from "#types" */
/** @import { Reader } from "./articles.js" */
/** @import { Speech } from "./texts.js" */
import { button, h } from "./dom.js";
import { textOf, titleOf } from "./notification.js";

/** @param {HTMLTimeElement} time @param {Speech} speech */
export function tell(time, speech) {
  const date = new Date(time.dateTime);
  time.textContent = speech.ago(date);
  time.title = speech.full(date);
}

/**
 * Title, text and time, or what the page makes of them. The title is a link, or a button where there is nothing
 * to follow; it covers the item.
 * @param {Notification} n @param {Reader} reader @param {string} id
 * @param {(event: MouseEvent) => void} select
 */
export function content(n, { href, renderItem, speech }, id, select) {
  const to = href(n);
  const title = /** @type {HTMLElement} */ (to ? h("a", { href: to }) : button({}));
  title.className = "title";
  title.addEventListener("click", select);
  if (renderItem) {
    title.setAttribute("aria-labelledby", id);
    return { title, about: "", node: h("div", { class: "content" }, h("div", { id }, renderItem(n)), title) };
  }
  const name = titleOf(n);
  title.append(h("bdi", {}, name));
  const node = h("div", { class: "content" }, h("div", { id }, title));
  const about = [];
  const body = textOf(n.body);
  if (body && body !== name) {
    node.append(h("div", { class: "body", id: `${id}b` }, h("bdi", {}, body)));
    about.push(`${id}b`);
  }
  if (!Number.isNaN(Date.parse(n.createdAt))) {
    const time = h("time", { datetime: n.createdAt, id: `${id}t` });
    tell(time, speech);
    node.append(time);
    about.push(time.id);
  }
  return { title, about: about.join(" "), node };
}
