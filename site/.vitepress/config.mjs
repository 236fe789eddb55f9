// The documents as static pages: `make site`. The pages are staged by stage.mjs beside this folder; a
// link to a page that does not exist fails the build.

/** GitHub's anchors, which the documents use and a test checks. */
const slugify = (text) =>
  text.trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replace(/ /g, "-");

const group = (text, ...items) => ({
  text,
  items: items.map(([text, link]) => ({ text, link })),
});

export default {
  title: "Bellwire",
  description: "Redis at the edge: notifications, feeds, live delivery, cached reads and queues.",
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
      { text: "Operations", link: "/docs/operations" },
      { text: "Incidents", link: "/docs/incidents" },
    ],
    sidebar: [
      group("Start", ["What it is", "/"], ["Getting started", "/docs/getting-started"],
        ["Coexistence and migration", "/docs/coexistence"], ["Configuration", "/docs/configuration"]),
      group("Use", ["HTTP API", "/docs/http-api"], ["Hub protocol", "/docs/hub-protocol"],
        ["Browser client", "/client/README"], ["Push", "/docs/push"], ["Push in browsers", "/docs/push-browser"],
        ["Cached reads", "/docs/cache"], ["Queues", "/docs/queues"], ["Identity", "/docs/identity"],
        ["Command line", "/docs/cli"], ["Write a component", "/docs/write-a-component"]),
      group("Operate", ["Operations", "/docs/operations"], ["Incidents", "/docs/incidents"],
        ["Security", "/docs/security"], ["Console", "/docs/console"], ["Capacity", "/docs/CAPACITY"],
        ["Scale", "/docs/scale"], ["Redis keys", "/docs/redis-keys"], ["Benchmarks", "/docs/BENCHMARKS"]),
      group("Contribute", ["Architecture", "/docs/ARCHITECTURE"], ["Walkthroughs", "/docs/walkthroughs"],
        ["Design notes", "/docs/design-notes"], ["Contributing", "/CONTRIBUTING"], ["Tests", "/tests/README"],
        ["Glossary", "/GLOSSARY"], ["Changelog", "/CHANGELOG"], ["Reporting a vulnerability", "/SECURITY"]),
    ],
  },
};
