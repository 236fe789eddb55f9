// The bell's languages, in real Chromium against a fake hub: the page's, its own, texts of the page, right to left.
// Pictures go to test/pictures/.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, picture, says, titles } from "../support/bell.js";
import { FEED, fill, inside, page, press, show } from "../support/bell-suite.js";
import { until } from "../support/stack.js";

const NEW = { de: "3 ungelesene Benachrichtigungen", vi: "3 thông báo chưa đọc", ar: "3 إشعارات غير مقروءة" };
for (const [lang, label] of Object.entries(NEW))
  test(`language ${lang}, by the page's lang; times in it, direction from it`, async () => {
    fill();
    await show({ html: `lang="${lang}"`, side: lang === "ar" ? "start" : "end" });
    await says(page, label);
    await press();
    await until("articles", async () => (await titles(page)).length === FEED.length);
    await picture(page, `lang-${lang}`);
    const { direction, time, remove } = await page.evaluate(() => {
      const { shadowRoot: root } = document.querySelector("bellwire-bell");
      const panel = root.querySelector("[part=panel]");
      return { direction: getComputedStyle(panel).direction, time: root.querySelector("time").textContent, remove: root.querySelector("article button[title]").title };
    });
    assert.equal(direction, lang === "ar" ? "rtl" : "ltr");
    assert.equal(time, { de: "vor 2 Minuten", vi: "2 phút trước", ar: "قبل دقيقتين" }[lang]);
    assert.notEqual(remove, "Delete");
    assert.deepEqual(await axe(page), []);
  });

test("language: the bell's own lang before the page's, changed while it lives; texts of the page; its dir counts", async () => {
  fill();
  await show({ html: 'lang="de" dir="ltr"', attributes: { lang: "ar" } });
  await says(page, NEW.ar);
  const direction = () => inside("[part=bell]").evaluate((button) => getComputedStyle(button).direction);
  assert.equal(await direction(), "ltr", "the page has set dir");
  await page.evaluate(() => (document.querySelector("bellwire-bell").lang = "vi"));
  await says(page, NEW.vi);
  await page.evaluate(() => document.querySelector("bellwire-bell").removeAttribute("lang"));
  await says(page, NEW.de);
  await page.evaluate(() => (document.querySelector("bellwire-bell").texts = { unread: { other: "{n} neu" }, title: "Post" }));
  await says(page, "3 neu");
  await press();
  assert.equal(await inside("h2").textContent(), "Post");
  assert.equal(await inside("[part=read-all]").textContent(), "Alle als gelesen markieren");
});
