// The bell's texts. A text that depends on a number has a form for each category of Intl.PluralRules.

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text `{n}` stands for the number */

const en = {
  title: "Notifications",
  /** @type {Text} */
  unread: { one: "{n} unread notification", other: "{n} unread notifications" },
  /** @type {Text} */
  arrived: { one: "{n} new notification", other: "{n} new notifications" },
  isUnread: "Unread",
  readAll: "Mark all as read",
  more: "Show more",
  remove: "Delete",
  removed: "Deleted",
  dismiss: "Dismiss",
  empty: "No notifications yet",
  offline: "Not connected. Retrying…",
  closed: "Not connected.",
  failed: "Notifications could not be loaded.",
  refused: "That did not work.",
  retry: "Try again",
};

/** @typedef {typeof en} Texts */

/** @type {Record<string, Texts>} */
const known = Object.assign(Object.create(null), { en });

const baseOf = (/** @type {string} */ lang) => lang.toLowerCase().split(/[-_]/)[0];

/** Loads the texts of a language that is not English. @param {string} lang @returns {Promise<boolean>} whether there are new ones */
export async function learn(lang) {
  const base = baseOf(lang);
  if (known[base] || !/^(ar|de|vi)$/.test(base)) return false;
  Object.assign(known, await import("../languages.js"));
  return true;
}

/** The language of an element: its own, that of what it stands in, the browser's. @param {Element} element */
export function langOf(element) {
  for (let at = element; at; at = /** @type {ShadowRoot} */ (at.getRootNode()).host) {
    const lang = at.closest("[lang]")?.getAttribute("lang");
    if (lang) return lang;
  }
  return navigator.language;
}

/**
 * Texts, and how the language writes numbers and dates. English where there are no texts in it.
 * @param {string} lang @param {Partial<Texts> | null} [own] the page's, in place of ours
 */
export function speech(lang, own) {
  const base = baseOf(lang);
  let locale = known[base] || own ? lang : "en";
  try {
    [locale] = Intl.getCanonicalLocales(locale);
  } catch {
    locale = known[base] ? base : "en";
  }
  const texts = /** @type {Texts} */ ({ ...(known[base] ?? en), ...own });
  const number = new Intl.NumberFormat(locale);
  const rules = new Intl.PluralRules(locale);
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" });
  return {
    texts,
    isRtl: /^(ar|fa|he|ur)$/.test(base),
    number: (/** @type {number} */ n) => number.format(n),
    /** @param {Text} text @param {number} n @param {string} [shown] */
    count: (text, n, shown = number.format(n)) =>
      (typeof text === "string" ? text : (text[rules.select(n)] ?? text.other ?? "")).replace("{n}", shown),
    /** @param {Date} date */
    ago(date, now = Date.now()) {
      const past = Math.max(0, (now - date.getTime()) / 1000);
      const [unit, seconds] = UNITS.find(([, seconds]) => past >= seconds) ?? ["second", Infinity];
      return relative.format(-Math.floor(past / seconds), unit);
    },
    full: (/** @type {Date} */ date) => full.format(date),
  };
}

/** @typedef {ReturnType<typeof speech>} Speech */

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
