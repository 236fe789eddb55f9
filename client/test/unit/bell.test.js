// What of the bell needs no page: texts and their plurals, times, links, the token of a URL.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { linkOf, safeHref, titleOf } from "../../bell/notification.js";
import { pushTexts } from "../../bell/push-texts.js";
import { learn, speech } from "../../bell/texts.js";
import { tokenFrom } from "../../bell/token.js";
import * as languages from "../../languages.js";

const { texts: en } = speech("en");
await learn("de");

test("every language has every text, and every form that its numbers need", () => {
  for (const [lang, texts] of Object.entries(languages)) {
    assert.deepEqual(Object.keys(texts).sort(), Object.keys(en).sort(), lang);
    const { pluralCategories } = new Intl.PluralRules(lang).resolvedOptions();
    for (const [key, text] of Object.entries(texts)) {
      if (typeof text === "string") assert.ok(text.trim(), `${lang} ${key}`);
      else assert.deepEqual(Object.keys(text).sort(), [...pluralCategories].sort(), `${lang} ${key}`);
      assert.equal(typeof en[key] === "string" && typeof text !== "string", false, `${lang} ${key} has forms where English has none`);
    }
  }
  assert.equal(Object.keys(languages.ar.unread).length, 6);
});

test("numbers take the form of their language", () => {
  const said = (lang, n) => {
    const { texts, count } = speech(lang);
    return count(texts.unread, n);
  };
  assert.deepEqual([1, 2, 1000].map((n) => said("en", n)), ["1 unread notification", "2 unread notifications", "1,000 unread notifications"]);
  assert.deepEqual([1, 2].map((n) => said("de-AT", n)), ["1 ungelesene Benachrichtigung", "2 ungelesene Benachrichtigungen"]);
  assert.deepEqual([1, 2].map((n) => said("vi", n)), ["1 thông báo chưa đọc", "2 thông báo chưa đọc"]);
  const arabic = [0, 1, 2, 3, 11, 100].map((n) => said("ar", n));
  assert.equal(new Set(arabic.map((text) => text.replace(/[\d٠-٩]+/, ""))).size, 6, arabic.join());
  const { texts, count } = speech("en");
  assert.equal(count(texts.unread, 100, "99+"), "99+ unread notifications");
});

test("a language without texts is English in all of it; the page's own texts bring their language", () => {
  const date = new Date(Date.now() - 120_000);
  assert.equal(speech("fr").ago(date), "2 minutes ago");
  const french = speech("fr-CA", { title: "Avis" });
  assert.deepEqual([french.texts.title, french.texts.retry, french.ago(date)], ["Avis", "Try again", "il y a 2 minutes"]);
  for (const lang of ["", "x", "de_DE", "not a language", "i", "constructor", "__proto__"]) assert.ok(speech(lang).texts.title, lang);
  assert.equal(speech("de_DE").texts.title, "Benachrichtigungen");
});

test("right to left: Arabic and its neighbours", () => {
  assert.deepEqual(["ar", "ar-EG", "he", "fa", "ur", "en", "art", "vi"].map((lang) => speech(lang, {}).isRtl), [true, true, true, true, true, false, false, false]);
});

test("times: the largest unit that is full, never the future", () => {
  const { ago } = speech("en");
  const now = Date.UTC(2026, 0, 1);
  const before = (seconds) => ago(new Date(now - seconds * 1000), now);
  assert.deepEqual(
    [-500, 0, 59, 60, 3_599, 3_600, 86_400, 6 * 86_400, 8 * 86_400, 40 * 86_400, 800 * 86_400].map(before),
    ["now", "now", "now", "1 minute ago", "59 minutes ago", "1 hour ago", "yesterday", "6 days ago", "last week", "last month", "2 years ago"],
  );
});

test("only http, https and paths of the site are links", () => {
  const base = "https://shop.example/account/";
  const href = (link) => safeHref(link, base);
  assert.equal(href("/orders/7?x=1#y"), "https://shop.example/orders/7?x=1#y");
  assert.equal(href("https://other.example/a b"), "https://other.example/a%20b");
  assert.equal(href("HTTP://other.example"), "http://other.example/");
  for (const bad of [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "\tjavascript:alert(1)", "java\nscript:alert(1)", "javascript://x/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>", "vbscript:x", "blob:https://shop.example/x", "file:///etc/passwd", "ftp://x/", "mailto:a@b", "orders/7", "?a", "#a", "",
    "https://", "http://[", null, undefined, 7, {}, ["/x"], { toString: () => "/x" },
  ]) assert.equal(href(bad), undefined, String(bad));
});

test("where a notification leads, and what it is called, whatever is in it", () => {
  assert.equal(linkOf({ data: { link: "/a", url: "/b" } }), "/a");
  assert.equal(linkOf({ data: { url: "/b", href: "/c" } }), "/b");
  assert.equal(linkOf({ data: { href: "/c" } }), "/c");
  for (const data of [undefined, null, "text", 7, [], {}]) assert.equal(safeHref(linkOf({ data }), "https://x/"), undefined);
  assert.deepEqual([{ title: "t", body: "b" }, { body: "b" }, { kind: "k" }, { title: 7 }, { title: {} }, {}].map(titleOf), ["t", "b", "k", "7", "…", "…"]);
});

const { fetch } = globalThis;
afterEach(() => (globalThis.fetch = fetch));
test("a token's URL is posted to with the page's cookies; text, or JSON; nobody logged in; anything else is an error", async () => {
  const asked = [];
  const answers = (body, status = 200) =>
    (globalThis.fetch = async (url, init) => {
      asked.push([url, init.method, init.credentials]);
      return new Response(body, { status });
    });
  answers(" a.b-c_d.e\n");
  assert.equal(await tokenFrom("/t"), "a.b-c_d.e");
  answers('{"token":"x.y.z","expires":1}');
  assert.equal(await tokenFrom("/t"), "x.y.z");
  for (const status of [401, 403]) {
    answers("no", status);
    assert.equal(await tokenFrom("/t"), "");
  }
  for (const [body, status] of [["oops", 500], ["<!doctype html><title>Log in</title>"], [""], ["{}"], ['{"token":7}'], ["{"]]) {
    answers(body, status);
    await assert.rejects(tokenFrom("/t"), undefined, body);
  }
  assert.deepEqual(asked[0], ["/t", "POST", "same-origin"]);
});

test("the texts of push are there in each of these languages, and differ", () => {
  const { en, ...others } = pushTexts;
  assert.deepEqual(Object.keys(others).sort(), Object.keys(languages).sort());
  for (const [lang, texts] of Object.entries(others)) {
    assert.deepEqual(Object.keys(texts).sort(), Object.keys(en).sort(), lang);
    for (const [key, text] of Object.entries(texts)) assert.ok(text.trim() && text !== en[key], `${lang} ${key}`);
  }
});
