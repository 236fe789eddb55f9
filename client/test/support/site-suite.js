// What test files in Chromium with a fake hub share: for the file, a site for its pages and a browser.
import { after, before } from "node:test";
import { launch } from "./chromium.js";
import { startSite } from "./site.js";

export let site, browser;
// Nothing that needs these belongs into another `before`: node runs those of a file at the same time.
before(async () => {
  site = await startSite();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.stop();
});
