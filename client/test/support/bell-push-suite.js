// What the test files of push in the bell share, beside bell-suite.js: functions with push, and a browser profile whose
// permission and subscriptions are put in. Chromium's own push service needs its maker's servers; Firefox has real ones
// (test/firefox/).
import { beforeEach } from "node:test";
import { DESKTOP, anew, bell, connected, context, hub, inside, page, visit } from "./bell-suite.js";
import { withPush, withoutService } from "./fake-push.js";

export let push;
beforeEach(() => {
  push = withPush(hub);
  for (const title of ["Payment received", "Build failed on main", "Weekly report is ready"]) hub.note({ title, createdAt: new Date(Date.now() - 60_000).toISOString() });
});

/** A page of the profile that there is. */
export async function again({ attributes = {}, ...options } = {}) {
  await visit({ policies: "bellwire", attributes: { push: "", ...attributes }, ...options });
  await connected();
  return page;
}
/** A page of a new profile; `fake` changes what its browser answers. */
export async function show({ fake = {}, ...options } = {}, of = DESKTOP) {
  await anew(of);
  await context.addInitScript(withoutService);
  await context.addInitScript((fake) => {
    if (!localStorage.getItem("fake")) change(fake);
  }, fake);
  return again(options);
}

/** Opens the panel, and waits for the list. */
export async function press() {
  await page.click(`${bell} [part=bell]`);
  await inside("article").first().waitFor();
}
export const words = (text) => page.locator(`${bell} [part=panel]`).getByText(text);
export const [offer, settings, gear] = ["[part=push-offer]", "[part=push-settings]", "[aria-controls=push-settings]"];
export const isShown = (selector) => inside(selector).isVisible();
export const fake = () => page.evaluate(() => profile());
