// The peer in the benchmarks `cache` and `pages`: the usual cache of many teams. It GETs the key; if it is missing,
// it asks the origin and SETs the answer with an expiry. POST /cache/read does so for many keys, with one
// MGET. Without stale values, single flight, tokens and entity tags.
//
//   node server.js PORT REDIS_URL ORIGIN_URL
"use strict";

const http = require("node:http");
const Redis = require("ioredis");

const [port, redisUrl, originUrl] = process.argv.slice(2);
const redis = new Redis(redisUrl);

function fetchOrigin() {
  return new Promise((resolve, reject) => {
    const request = http.get(originUrl, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve(Buffer.concat(chunks).toString()));
      answer.on("error", reject);
    });
    request.on("error", reject);
  });
}

async function read(key) {
  const cached = await redis.get(key);
  if (cached !== null) return cached;
  const value = await fetchOrigin();
  await redis.set(key, value, "EX", 300);
  return value;
}

async function readMany(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { paths } = JSON.parse(Buffer.concat(chunks).toString());
  const cached = await redis.mget(paths);
  const results = await Promise.all(
    paths.map(async (path, at) => {
      const value = cached[at] ?? (await read(path));
      return `{"path":${JSON.stringify(path)},"status":200,"value":${value}}`;
    }),
  );
  return `{"results":[${results.join(",")}]}`;
}

const server = http.createServer((request, response) => {
  const path = request.url.slice("/cache/".length);
  (request.method === "POST" ? readMany(request) : read(path)).then(
    (value) => {
      response.writeHead(200, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(value),
      });
      response.end(value);
    },
    () => {
      response.writeHead(502, { "content-length": 0 });
      response.end();
    },
  );
});
server.listen(Number(port), "127.0.0.1", () => console.log("listening"));
