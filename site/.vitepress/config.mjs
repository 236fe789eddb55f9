// The documents as static pages: `make site`. The pages are staged by stage.mjs beside this folder; a
// link to a page that does not exist fails the build.

import { withMermaid } from "vitepress-plugin-mermaid";
import sidebar from "./sidebar.mjs";

/** GitHub's anchors, which the documents use and a test checks. */
const slugify = (text) =>
  text.trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replace(/ /g, "-");

export default withMermaid({
  title: "Bellwire",
  description: "Redis at the edge: notifications, feeds, live delivery, cached reads and queues.",
  base: process.env.SITE_BASE,
  srcDir: "../site/pages",
  outDir: "../site/dist",
  cacheDir: "../site/cache",
  cleanUrls: false,
  lastUpdated: false,
  // Headings have braces, as in `/users/{user}`: they are no attributes.
  markdown: { anchor: { slugify }, attrs: { disable: true } },
  // Copies of files of the repository, which stage.mjs makes.
  ignoreDeadLinks: [/^\/source\//],
  themeConfig: {
    search: { provider: "local" },
    outline: { level: [2, 3] },
    nav: [
      { text: "Start", link: "/docs/getting-started" },
      { text: "HTTP API", link: "/docs/http-api" },
      { text: "OpenAPI", link: "/api.html", target: "_self" },
      { text: "Operations", link: "/docs/operations" },
      { text: "Incidents", link: "/docs/incidents" },
    ],
    sidebar,
  },
  // Its scripts are loaded by the pages that have a diagram.
  mermaid: { securityLevel: "strict" },
});
