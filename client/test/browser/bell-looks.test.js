// How the bell looks, in real Chromium against a fake hub: axe in every state and colour scheme, on a phone, placed,
// without motion, dressed by its page. Pictures go to test/pictures/.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, picture, says, titles } from "../support/bell.js";
import { DESKTOP, FEED, PHONE, bell, connected, fill, hub, inside, page, press, show } from "../support/bell-suite.js";
import { until } from "../support/stack.js";

for (const scheme of ["light", "dark"]) {
  test(`axe finds nothing in a ${scheme} page: closed, loading, empty, open, with the focus inside, toasts, offline`, { timeout: 120_000 }, async () => {
    await show({ scheme, attributes: { toasts: "" } });
    await connected();
    const clean = async (name) => {
      await picture(page, `${name}-${scheme}`);
      assert.deepEqual(await axe(page), [], name);
    };
    await clean("closed");
    let answers = null;
    await page.route(/notifications\?/, async (route) => {
      if (answers) return route.continue();
      await new Promise((done) => (answers = done));
      await route.continue();
    });
    await press();
    await until("the feed is asked for", () => answers);
    await clean("loading");
    answers();
    await inside("[part=empty]").waitFor();
    await clean("empty");
    fill();
    hub.say({ type: "gap", reason: "missed", epoch: hub.epoch, seq: hub.seq });
    await until("articles", async () => (await titles(page)).length === FEED.length);
    await page.hover(`${bell} article:nth-of-type(2)`);
    await clean("open");
    await page.keyboard.press("PageDown");
    await page.keyboard.press("Tab");
    await clean("focus");
    await page.keyboard.press("Escape");
    hub.publish({ title: "Deploy finished", body: "api 4.2.0 is live in all regions", createdAt: new Date().toISOString() });
    hub.publish({ title: "Ada mentioned you", body: "@alice can you look at this before Friday?", createdAt: new Date().toISOString() });
    await until("toasts", async () => (await inside("[part=toast]").count()) === 2);
    await clean("toasts");
    hub.refuse = () => 503;
    hub.drop();
    await until("offline", () => page.evaluate(() => document.querySelector("bellwire-bell").matches(":state(offline)")));
    await press();
    await inside("[part=status]").waitFor();
    await clean("offline");
  });
}

test("a phone: the panel is as wide as the window, deleting needs no hover, targets are large enough", async () => {
  fill();
  await show({}, PHONE);
  await says(page, "3 unread notifications");
  await page.tap(`${bell} [part=bell]`);
  await until("articles", async () => (await titles(page)).length === FEED.length);
  await picture(page, "phone");
  const box = await inside("[part=panel]").boundingBox();
  assert.deepEqual([box.x, box.width], [8, 359]);
  assert.ok(box.y + box.height <= 667 - 7, "inside the window");
  const remove = inside("article button[title]").first();
  assert.equal(await remove.evaluate((button) => getComputedStyle(button).opacity), "1");
  for (const target of [remove, inside("[part=bell]"), inside("[part=read-all]")]) {
    const { width, height } = await target.boundingBox();
    assert.ok(width >= 24 && height >= 24, `${width} by ${height}`);
  }
  assert.deepEqual(await axe(page), []);
});

test("placement: aligned with an edge of the button, below or above, on the other side where there is no room", async () => {
  fill();
  await show();
  const settled = async () => {
    await inside("[part=panel]").evaluate((panel) => Promise.all(panel.getAnimations().map(({ finished }) => finished)));
    return inside("[part=panel]").boundingBox();
  };
  for (const [placement, dir, edge, y] of [
    ["", "ltr", "right", "below"],
    ["bottom-start", "ltr", "left", "below"],
    ["bottom-end", "rtl", "left", "below"],
    ["top-start", "ltr", "left", "above"],
  ]) {
    // In the middle of the window, so that nothing has to move.
    await page.evaluate(([placement, dir]) => {
      document.documentElement.dir = dir;
      const host = document.querySelector("bellwire-bell");
      host.setAttribute("placement", placement);
      host.style.cssText = "position:fixed;left:500px;top:360px";
      host.open();
    }, [placement, dir]);
    const [button, panel] = [await inside("[part=bell]").boundingBox(), await settled()];
    const name = `${placement} ${dir}`;
    assert.equal(Math.round(edge === "right" ? panel.x + panel.width : panel.x), edge === "right" ? 540 : 500, name);
    if (y === "below") assert.equal(panel.y, button.y + button.height + 8, name);
    else assert.equal(panel.y + panel.height, button.y - 8, name);
    await page.evaluate(() => {
      document.querySelector("bellwire-bell").style.top = "660px";
      dispatchEvent(new Event("resize"));
    });
    const moved = await settled();
    assert.equal(moved.y + moved.height, 652, name);
    await page.evaluate(() => document.querySelector("bellwire-bell").close());
  }
});

test("a light page on a dark system, and a dark one on a light system: as the page", async () => {
  await show();
  const surface = (scheme, system) =>
    page.emulateMedia({ colorScheme: system }).then(() =>
      page.evaluate((scheme) => {
        document.querySelector("meta[name=color-scheme]").content = scheme;
        return getComputedStyle(document.querySelector("bellwire-bell").shadowRoot.querySelector("[part=panel]")).backgroundColor;
      }, scheme),
    );
  const [light, dark] = ["rgb(255, 255, 255)", "rgb(30, 33, 39)"];
  assert.deepEqual([await surface("normal", "dark"), await surface("light", "dark"), await surface("dark", "light"), await surface("light dark", "dark")], [light, light, dark, dark]);
});

test("forced colours: the panel has an edge, the badge and the unread marker stay visible, focus has an outline", async () => {
  fill();
  await show({}, { ...DESKTOP, forcedColors: "active" });
  await says(page, "3 unread notifications");
  await press();
  await until("articles", async () => (await titles(page)).length === FEED.length);
  await page.keyboard.press("PageDown");
  await picture(page, "forced-colors");
  const seen = await page.evaluate(() => {
    const { shadowRoot: root } = document.querySelector("bellwire-bell");
    const style = (selector) => getComputedStyle(root.querySelector(selector));
    const surface = style("[part=panel]").backgroundColor;
    return {
      edge: style("[part=panel]").borderTopWidth !== "0px" && style("[part=panel]").borderTopColor !== surface,
      badge: style("[part=badge]").backgroundColor !== surface,
      marker: style("article > span").backgroundColor !== surface,
      focus: style("article").outlineStyle === "solid",
    };
  });
  assert.deepEqual(seen, { edge: true, badge: true, marker: true, focus: true });
});

test("reduced motion: nothing moves", async () => {
  const moving = () =>
    page.evaluate(() => {
      const { shadowRoot: root } = document.querySelector("bellwire-bell");
      return [...root.querySelectorAll("*")].filter((node) => {
        const { animationName, transitionDuration } = getComputedStyle(node);
        return animationName !== "none" || !/^(0s(, )?)+$/.test(transitionDuration);
      }).length;
    });
  await show();
  assert.ok(await moving(), "otherwise something does");
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await moving(), 0);
});

test("parts, variables and slots: a page can dress it", async () => {
  fill();
  await show({ inside: '<b slot="icon">Mail</b><h3 slot="header">Post</h3><a slot="footer" href="/all">All of them</a>' });
  await page.evaluate(() => {
    const host = document.querySelector("bellwire-bell");
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`bellwire-bell{--bellwire-accent:rgb(0,100,0);--bellwire-surface:rgb(255,250,240);--bellwire-width:300px;--bellwire-badge:rgb(0,0,0)}
      bellwire-bell::part(item-unread){border-left:3px solid rgb(1,2,3)} bellwire-bell:state(open){outline:1px solid rgb(4,5,6)}`);
    document.adoptedStyleSheets = [sheet];
    host.renderItem = (n) => Object.assign(document.createElement("em"), { textContent: `<${n.title}>` });
  });
  await says(page, "3 unread notifications");
  await press();
  await until("articles", () => page.evaluate(() => document.querySelector("bellwire-bell").shadowRoot.querySelectorAll("article em").length === 7));
  await picture(page, "dressed");
  const seen = await page.evaluate(() => {
    const host = document.querySelector("bellwire-bell");
    const style = (selector) => getComputedStyle(host.shadowRoot.querySelector(selector));
    return [style("[part=panel]").width, style("[part=panel]").backgroundColor, style("[part=badge]").backgroundColor, style("article").borderLeftColor, getComputedStyle(host).outlineColor];
  });
  assert.deepEqual(seen, ["300px", "rgb(255, 250, 240)", "rgb(0, 0, 0)", "rgb(1, 2, 3)", "rgb(4, 5, 6)"]);
  assert.equal(await inside("article em").first().textContent(), `<${FEED.at(-1)[0]}>`);
  await page.click(`${bell} article:nth-of-type(2)`);
  await until("followed", () => page.url().endsWith("/there"));
});
