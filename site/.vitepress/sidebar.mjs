// The pages in their order. stage.mjs checks that none is missing.

const group = (text, ...items) => ({
  text,
  items: items.map(([text, link]) => ({ text, link })),
});

export default [
  group("Start", ["What it is", "/"], ["Getting started", "/docs/getting-started"],
    ["Coexistence", "/docs/coexistence"], ["Moving a running service", "/docs/migrate"],
    ["Configuration", "/docs/configuration"]),
  group("Use", ["HTTP API", "/docs/http-api"], ["Hub protocol", "/docs/hub-protocol"],
    ["Browser client", "/client/README"], ["Push", "/docs/push"], ["Push in browsers", "/docs/push-browser"],
    ["Cached reads", "/docs/cache"], ["Queues", "/docs/queues"], ["Identity", "/docs/identity"],
    ["Command line", "/docs/cli"], ["Write a component", "/docs/write-a-component"]),
  group("Operate", ["Deploying", "/docs/deploy"], ["Operations", "/docs/operations"], ["Incidents", "/docs/incidents"],
    ["Security", "/docs/security"], ["Console", "/docs/console"], ["Capacity", "/docs/CAPACITY"],
    ["Scale", "/docs/scale"], ["Redis keys", "/docs/redis-keys"], ["Benchmarks", "/docs/BENCHMARKS"]),
  group("Contribute", ["Architecture", "/docs/ARCHITECTURE"], ["Walkthroughs", "/docs/walkthroughs"],
    ["Design notes", "/docs/design-notes"],
    ["Design of the browser client", "/client/DESIGN"], ["Contributing", "/CONTRIBUTING"], ["Tests", "/tests/README"],
    ["Glossary", "/GLOSSARY"], ["Changelog", "/CHANGELOG"], ["Reporting a vulnerability", "/SECURITY"]),
];
