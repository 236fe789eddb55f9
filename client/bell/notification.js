// What a notification is called and where it may lead, whatever is in it.
/** @import { Notification } from "#types" */

/** Only what leads to a page: http, https, or a path of this site. @param {unknown} link */
export function safeHref(link, base = document.baseURI) {
  if (typeof link !== "string" || !/^(https?:\/)?\//i.test(link) || !URL.canParse(link, base)) return;
  const { protocol, href } = new URL(link, base);
  return /^https?:$/.test(protocol) ? href : undefined;
}

/** Where a notification leads unless the page says: `link`, `url` or `href` of its data. @param {Notification} n */
export function linkOf({ data }) {
  const { link, url, href } = /** @type {any} */ (data ?? {});
  return link ?? url ?? href;
}

/** Foreign entries have whatever members they were given. @param {unknown} value */
export const textOf = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");

/** @param {Notification} n */
export const titleOf = (n) => textOf(n.title) || textOf(n.body) || textOf(n.kind) || "…";
