// How the bell looks and reads, in real Chromium against a fake hub, which can be made to refuse: axe in every
// state and colour scheme, languages, toasts, what is said when something fails. Pictures go to test/pictures/.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { axe, focused, isOpen, listed, listen, openBell, picture, says, titles } from "../support/bell.js";
import { launch } from "../support/chromium.js";
import { fakeToken, startFakeHub } from "../support/fake-hub.js";
import { startSite } from "../support/site.js";
import { until } from "../support/stack.js";

const DESKTOP = { viewport: { width: 1000, height: 720 } };
const PHONE = { viewport: { width: 375, height: 667 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const HOUR_MS = 3_600_000;
/** Title, text, age in hours, whether it is read. */
const FEED = [
  ["Password changed", null, 960, true],
  ["You were added to Project Aurora", "Lena gave you write access", 216, true],
  ["Your export has finished", "customers.csv, 48,210 rows", 72, true],
  ["Weekly report is ready", null, 26, true],
  ["Build failed on main", "3 of 412 tests failed after 6 min 12 s", 0.9, false],
  ["Payment received", "€ 1,240.00 from Nordwind GmbH for invoice 2025-118", 0.25, false],
  ["Minh commented on your pull request", "“Looks good. Could we keep the old key names until the migration is done?”", 0.04, false],
];

let site, browser, hub, context, page;
before(async () => {
  site = await startSite();
  site.token = (user) => fakeToken(user);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.stop();
});
beforeEach(async () => (hub = await startFakeHub()));
afterEach(async () => {
  try {
    if (page && !page.isClosed()) assert.deepEqual([page.problems, await page.evaluate(() => violations)], [[], []]);
  } finally {
    await context?.close();
    await hub.stop();
  }
});

function fill(feed = FEED) {
  for (const [title, body, hours, isRead] of feed)
    hub.note({ title, ...(body && { body }), createdAt: new Date(Date.now() - hours * HOUR_MS).toISOString(), ...(isRead && { readAt: "2026-01-01T00:00:00Z" }), ...(!isRead && { data: { link: "/there" } }) });
}
async function show(options = {}, of = DESKTOP) {
  await context?.close();
  context = await browser.newContext(of);
  page = await openBell(context, site, { hub: hub.url, functions: hub.url, user: "alice", ...options });
  return page;
}
const bell = "bellwire-bell";
const press = () => page.click(`${bell} [part=bell]`);
/** Only then what the hub publishes arrives: the button also says "Notifications" before. */
const connected = () => until("it is connected", () => page.evaluate(() => document.querySelector("bellwire-bell").client?.state === "open"));
const inside = (selector) => page.locator(`${bell} ${selector}`);

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

test("toasts: three at most, focus stays where it was, they wait while looked at, Escape and the cross dismiss them", { timeout: 120_000 }, async () => {
  await show({ attributes: { toasts: "" } });
  await connected();
  await page.clock.install();
  await page.focus("#before");
  const shown = () => page.evaluate(() => [...document.querySelector("bellwire-bell").shadowRoot.querySelectorAll("[part=toast] bdi:first-of-type")].map((bdi) => bdi.textContent));
  const toasts = (wanted) => until(`toasts ${wanted}`, async () => JSON.stringify(await shown()) === JSON.stringify(wanted));
  for (const title of ["a", "b", "c", "d"]) hub.publish({ title });
  await toasts(["b", "c", "d"]);
  assert.equal(await focused(page), "before");
  await page.hover(`${bell} [part=toast]`);
  await page.clock.runFor(20_000);
  await toasts(["b", "c", "d"]);
  await page.click(`${bell} [part=toast] button[aria-label=Dismiss]`);
  await toasts(["c", "d"]);
  // The focus is on the next cross now: keys go on from there.
  assert.equal(await focused(page), "Dismiss");
  await page.keyboard.press("Escape");
  await toasts(["d"]);
  await page.keyboard.press("Escape");
  await toasts([]);
  assert.equal(await focused(page), "bell");
  await page.mouse.move(10, 10);
  hub.publish({ title: "e" });
  await toasts(["e"]);
  await page.clock.runFor(9_000);
  await toasts([]);
  await press();
  hub.publish({ title: "f" });
  await until("the list has it", async () => (await titles(page))[0] === "*f");
  assert.deepEqual(await shown(), [], "none while the panel is open");
});

test("the status tells one text in five seconds, with the number of what came", { timeout: 120_000 }, async () => {
  await show();
  await connected();
  await listen(page);
  hub.publish({ title: "first" });
  await until("told", () => page.evaluate(() => told.length === 1));
  for (const title of ["second", "third", "fourth"]) hub.publish({ title });
  await until("told the rest", () => page.evaluate(() => told.length === 2));
  const told = await page.evaluate(() => globalThis.told);
  assert.deepEqual(told.map(({ text }) => text), ["1 new notification: first", "3 new notifications"]);
  assert.ok(told[1].at - told[0].at > 4_900, `${told[1].at - told[0].at} ms`);
});

test("a delete that is refused comes back, and it is said; one that works is gone at once", async () => {
  fill();
  await show();
  await press();
  await until("articles", async () => (await titles(page)).length === FEED.length);
  const before = await titles(page);
  let refuse;
  await page.route(/notifications\/0190/, async (route) => {
    if (route.request().method() !== "DELETE") return route.continue();
    await new Promise((done) => (refuse = done));
    await route.fulfill({ status: 403, headers: { "access-control-allow-origin": "*" }, json: { code: "forbidden", title: "no" } });
  });
  const errors = page.evaluate(() => new Promise((done) => document.querySelector("bellwire-bell").addEventListener("error", ({ detail }) => done(detail.code))));
  await page.keyboard.press("PageDown");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("Delete");
  await listed(page, before.toSpliced(1, 1));
  assert.equal(await focused(page), FEED.at(-3)[0], "focus is at the next one");
  await until("asked", () => refuse);
  refuse();
  await listed(page, before);
  assert.equal(await errors, "forbidden");
  assert.equal(await inside("[part=status]").textContent(), "That did not work.Try again");
  assert.equal(await inside("[part=status] button").isVisible(), false);
  await page.unroute(/notifications\/0190/);
  await page.keyboard.press("Delete");
  await listed(page, before.toSpliced(2, 1));
  await until("it is quiet again", () => inside("[part=status]").isHidden());
});

test("a feed that cannot be read: said, with a retry that works; a token that is refused for good, too", { timeout: 120_000 }, async () => {
  fill();
  hub.refuse = (request) => (request.method === "GET" && request.url.startsWith("/users/") ? 403 : undefined);
  await show();
  await says(page, "3 unread notifications");
  // Half a minute until it tries again by itself.
  await page.evaluate(() => (Math.random = () => 60));
  await press();
  await until("said", async () => (await inside("[part=status]").textContent()).startsWith("Notifications could not be loaded."));
  assert.deepEqual(await axe(page), []);
  await picture(page, "failed");
  hub.refuse = () => undefined;
  await page.click(`${bell} [part=status] button`);
  await until("articles", async () => (await titles(page)).length === FEED.length);
  await until("quiet", () => inside("[part=status]").isHidden());
  hub.close(4403, "forbidden");
  await until("said", async () => (await inside("[part=status]").textContent()).startsWith("Not connected."));
  await page.click(`${bell} [part=status] button`);
  await until("connected again", () => inside("[part=status]").isHidden());
  assert.equal(await isOpen(page), true);
  assert.equal(await focused(page), "panel", "focus did not fall out of it");
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
