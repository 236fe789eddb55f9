// Pages with a bell that offers push, in Firefox, and what a test wants to know of them.
import { until } from "./stack.js";

/** Settings with which Firefox asks this push service, and allows notifications: nobody could answer its question. */
export const pushPrefs = (service) => ({
  "dom.push.connection.enabled": true,
  "dom.push.serverURL": service.url,
  "dom.push.testing.allowInsecureServerURL": true,
  "permissions.default.desktop-notification": 1,
});

/** A page of a user's, connected. */
export async function visit(firefox, site, { hub, functions, user }) {
  site.pages.set(`/${user}`, {
    html: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Bell</title><link rel="icon" href="data:,"><script type="module" src="/bell.js"></script>
<bellwire-bell hub="${hub}" functions="${functions}" user="${user}" token-src="/token?user=${user}" push></bellwire-bell>`,
  });
  const page = await firefox.open(`${site.origin}/${user}`);
  await opened(page);
  return page;
}

export const opened = (page) => page.until("the client is open", () => document.querySelector("bellwire-bell").client?.state === "open");
export const state = (page) => page.evaluate(() => document.querySelector("bellwire-bell").client.push.state());

/** Opens the panel and takes the offer, by mouse. */
export async function accept(page) {
  await page.activate();
  await page.click(() => document.querySelector("bellwire-bell").shadowRoot.querySelector("[part=bell]"));
  await page.until("the offer", () => document.querySelector("bellwire-bell").shadowRoot.querySelector("[part=push-offer]")?.checkVisibility());
  await page.click(() => document.querySelector("bellwire-bell").shadowRoot.querySelector("[part=push-offer] .yes"));
  await until("it is subscribed", async () => (await state(page)) === "subscribed");
}

/** What the browser shows of ours. */
export const shown = (page) =>
  page.evaluate(async () => {
    const registrations = await navigator.serviceWorker.getRegistrations();
    const all = (await Promise.all(registrations.map((one) => one.getNotifications()))).flat();
    return all.map(({ title, body, tag, dir, data }) => ({ title, body, tag, dir, ...data.bellwire }));
  });

export const eventually = (page, what, holds) => until(what, async () => holds(await shown(page)));

/** Ends what a test has left in the profile. */
export const forget = (page) =>
  page.evaluate(async () => {
    for (const registration of await navigator.serviceWorker.getRegistrations()) {
      for (const notification of await registration.getNotifications()) notification.close();
      await (await registration.pushManager.getSubscription())?.unsubscribe();
      await registration.unregister();
    }
    localStorage.clear();
  });
