// What test files in Chromium with the real hub and functions share: for the file, a site for its pages, a stack that
// these pages may call, a proxy in front of the hub, and a browser.
import { after, before } from "node:test";
import { launch } from "./chromium.js";
import { startProxy } from "./proxy.js";
import { startSite } from "./site.js";
import { startStack } from "./stack.js";

export let site, stack, proxy, browser;
// Nothing that needs these belongs into another `before`: node runs those of a file at the same time.
before(async () => {
  site = await startSite();
  stack = await startStack({ origins: [site.origin] });
  proxy = await startProxy(stack.hubPort);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await proxy?.stop();
  await stack?.stop();
  site?.stop();
});
