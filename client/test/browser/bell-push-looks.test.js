// How push in the bell looks and reads, in real Chromium: axe in both colour schemes, languages, a phone. Pictures go to
// test/pictures/.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, picture } from "../support/bell.js";
import { gear, offer, press, settings, show, words } from "../support/bell-push-suite.js";
import { DESKTOP, PHONE, inside, page } from "../support/bell-suite.js";
import { until } from "../support/stack.js";

for (const scheme of ["light", "dark"])
  test(`the offer and the switches in a ${scheme} page: axe finds nothing`, { timeout: 60_000 }, async () => {
    await show({ scheme });
    await press();
    await inside(offer).waitFor();
    const clean = async (name) => {
      await picture(page, `push-${name}-${scheme}`);
      assert.deepEqual(await axe(page), [], name);
    };
    await clean("offer");
    await inside(gear).click();
    await inside(settings).waitFor();
    await until("preferences", () => inside("[part=push-settings] label:nth-of-type(3) input").isEnabled());
    await clean("switches");
    await words("Quiet hours").click();
    await inside("input[type=time]").first().waitFor();
    await clean("quiet");
  });

for (const [lang, text, quiet] of [
  ["de", "Einschalten", "Ruhezeit"],
  ["vi", "Bật", "Giờ yên tĩnh"],
  ["ar", "تفعيل", "ساعات الهدوء"],
])
  test(`in ${lang}`, { timeout: 60_000 }, async () => {
    await show({ html: `lang="${lang}"` }, lang === "ar" ? PHONE : DESKTOP);
    await press();
    await words(text).waitFor();
    await picture(page, `push-offer-${lang}`);
    const overflow = () => inside("[part=panel]").evaluate((panel) => [...panel.querySelectorAll("*")].filter((node) => node.scrollWidth > panel.clientWidth).length);
    assert.equal(await overflow(), 0);
    await inside(gear).click();
    await words(quiet).click();
    await inside("input[type=time]").first().waitFor();
    await picture(page, `push-quiet-${lang}`);
    assert.deepEqual([await overflow(), await axe(page)], [0, []]);
    if (lang !== "ar") return;
    const box = async (selector) => (await inside(selector).first().boundingBox()).x;
    assert.ok((await box(gear)) < (await box("h2")), "right to left");
    for (const target of [inside(gear), page.getByLabel("في هذا المتصفح")]) {
      const { width, height } = await target.boundingBox();
      assert.ok(width >= 18 && height >= 18, `${width} by ${height}`);
    }
  });
