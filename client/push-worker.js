// The service worker of Bellwire's push: shows what comes in, opens what is clicked, tells the open tabs. A site with
// a worker of its own imports it there: importScripts("/push-worker.js"). It takes no other event, and leaves
// pushes alone that are not Bellwire's. Its address may name pictures of the site: /push-worker.js?icon=/icon.png
(() => {
  "use strict";
  const TITLE_MAX = 200;
  const BODY_MAX = 1_000;
  const TAG_MAX = 64;

  /** Text and nothing else; browsers show it as text. */
  const textOf = (value, max) => (typeof value === "string" ? value.slice(0, max) : "");

  /** Where it leads: into this site, or by https elsewhere. Undefined for whatever else. */
  function safeLink(link) {
    if (typeof link !== "string" || !/^(https?:\/)?\//i.test(link) || !URL.canParse(link, location.origin)) return;
    const { href, origin, protocol } = new URL(link, location.origin);
    return origin === location.origin || protocol === "https:" ? href : undefined;
  }

  /** A picture of the site itself, as the worker's address names it. */
  function picture(name) {
    const link = safeLink(new URL(location.href).searchParams.get(name));
    return link?.startsWith(`${location.origin}/`) ? { [name]: link } : {};
  }

  /** The notification in a push, or null. */
  function notificationIn(data) {
    try {
      const payload = data.json();
      return textOf(payload.id) && textOf(payload.tag) ? payload : null;
    } catch {
      return null;
    }
  }

  /** To every tab of the site whose client listens: it may have missed what was pushed. */
  function tell(message) {
    const channel = new BroadcastChannel("bellwire:push");
    channel.postMessage(message);
    channel.close();
  }

  function show({ id, tag, title, body, kind, link, lang, data }) {
    const { link: inside, url, href } = Object(data);
    return registration.showNotification(textOf(title, TITLE_MAX) || location.hostname, {
      body: textOf(body, BODY_MAX),
      tag: textOf(tag, TAG_MAX),
      // As the text itself is written: the page's direction says nothing about it.
      dir: "auto",
      lang: textOf(lang, TAG_MAX),
      data: { bellwire: { id, kind, link: safeLink(link ?? inside ?? url ?? href), data } },
      ...picture("icon"),
      ...picture("badge"),
    });
  }

  /** A tab that is there already; else the link, or any tab, or a new one. */
  async function open(link) {
    const tabs = await clients.matchAll({ type: "window", includeUncontrolled: true });
    const tab = link ? tabs.find(({ url }) => url === link) : tabs[0];
    try {
      if (tab) return await tab.focus();
    } catch {
      // Some browsers let a worker open windows and not focus them.
    }
    return clients.openWindow(link ?? "/");
  }

  addEventListener("push", (event) => {
    const notification = notificationIn(event.data);
    if (!notification) return;
    tell({ type: "push", id: notification.id });
    event.waitUntil(show(notification));
  });

  addEventListener("notificationclick", (event) => {
    const ours = event.notification.data?.bellwire;
    if (!ours) return;
    event.notification.close();
    event.waitUntil(open(safeLink(ours.link)));
  });

  addEventListener("pushsubscriptionchange", (event) => {
    const { oldSubscription, newSubscription } = event;
    // The page writes the new address: only it has the user's token.
    const renewed = newSubscription ?? (oldSubscription && registration.pushManager.subscribe(oldSubscription.options));
    const done = () => tell({ type: "change" });
    event.waitUntil(Promise.resolve(renewed).then(done, done));
  });
})();
