// The typed client of the HTTP API: paths, retries, errors.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { BellwireError, createClient } from "../../api.js";

let calls, answers;
beforeEach(() => {
  [calls, answers] = [[], []];
  mock.method(Math, "random", () => 0.001);
});
afterEach(() => mock.restoreAll());
const fetch = async (url, init) => {
  calls.push({ url: String(url), ...init, headers: new Headers(init.headers) });
  const answer = answers.length > 1 ? answers.shift() : answers[0];
  if (answer instanceof Error) throw answer;
  const [status, body, headers] = answer;
  return new Response(status === 204 ? null : JSON.stringify(body), { status, headers });
};
const api = (options) => createClient({ baseUrl: "https://f/base/", token: ({ refresh }) => `token ${refresh}`, fetch, ...options });
const problem = (status, code, headers) => [status, { code, status, title: "T", detail: "D", field: "f" }, headers];

test("path parameters are encoded one by one, absent queries left out, the base keeps its path", async () => {
  answers = [[200, { ready: 1 }]];
  const got = await api().GET("/queues/{queue}/dead", { params: { path: { queue: "a/b c:d" }, query: { limit: 5, cursor: undefined } } });
  assert.deepEqual(got, { ready: 1 });
  assert.equal(calls[0].url, "https://f/base/queues/a%2Fb%20c%3Ad/dead?limit=5");
  assert.equal(calls[0].headers.get("authorization"), "Bearer token false");
});

test("an error has code, status and field", async () => {
  answers = [problem(422, "idempotency_mismatch")];
  await assert.rejects(api().POST("/notifications", { body: { userId: "u", title: "t" } }), (error) => {
    assert.ok(error instanceof BellwireError);
    assert.deepEqual([error.code, error.status, error.field, error.message], ["idempotency_mismatch", 422, "f", "D"]);
    return true;
  });
  assert.deepEqual(JSON.parse(calls[0].body), { userId: "u", title: "t" });
  assert.equal(calls[0].headers.get("content-type"), "application/json");
});

test("a read is tried again after no answer, 503 and 429, and waits as long as Retry-After says", async () => {
  answers = [new TypeError("no answer"), problem(503, "redis_unavailable"), problem(429, "rate_limited", { "retry-after": "1" }), [200, { online: true }]];
  const start = performance.now();
  assert.deepEqual(await api().GET("/presence/{user}", { params: { path: { user: "u" } } }), { online: true });
  assert.equal(calls.length, 4);
  assert.ok(performance.now() - start >= 1_000);
});

test("a create is tried again only with an Idempotency-Key, the same one", async () => {
  answers = [problem(500, "internal"), [201, { id: "i" }]];
  await assert.rejects(api().POST("/notifications", { body: { userId: "u", title: "t" } }), { status: 500 });
  assert.equal(calls.length, 1);
  answers = [problem(500, "internal"), [201, { id: "i" }]];
  assert.equal((await api().POST("/notifications", { body: { userId: "u", title: "t" }, idempotencyKey: "k" })).id, "i");
  assert.deepEqual(calls.slice(1).map((c) => c.headers.get("idempotency-key")), ["k", "k"]);
});

test("it gives up after three further tries, at once when aborted, and never repeats a refusal", async () => {
  answers = [problem(503, "not_ready")];
  await assert.rejects(api().GET("/stats"), { code: "not_ready" });
  assert.equal(calls.length, 4);
  answers = [problem(404, "not_found")];
  await assert.rejects(api().GET("/stats"), { code: "not_found" });
  assert.equal(calls.length, 5);
  await assert.rejects(api().GET("/stats", { signal: AbortSignal.abort() }));
});

test("a 401 is tried once more with a new token; 204 has no body; public routes need no token", async () => {
  answers = [problem(401, "token_expired"), [204]];
  assert.equal(await api().DELETE("/users/{user}", { params: { path: { user: "u" } } }), undefined);
  assert.deepEqual(calls.map((c) => c.headers.get("authorization")), ["Bearer token false", "Bearer token true"]);
  answers = [[200, { status: "ok" }, { etag: '"e"' }]];
  const { data, response } = await api({ token: undefined }).request("GET", "/healthz");
  assert.deepEqual([data, response.headers.get("etag"), calls[2].headers.get("authorization")], [{ status: "ok" }, '"e"', null]);
});

test("a token function that fails is asked anew at the next call; calls at once share a question; 304 is an answer", async () => {
  let asked = 0, fails = true;
  const token = async () => {
    asked++;
    if (fails) throw new Error("no session");
    return "t";
  };
  answers = [[200, {}]];
  const client = api({ token });
  await assert.rejects(client.GET("/stats"), /no session/);
  assert.deepEqual([asked, calls.length], [1, 0]);
  fails = false;
  await Promise.all([client.GET("/stats"), client.GET("/stats")]);
  assert.deepEqual([asked, calls.length], [2, 2]);
  const { response } = await api({ fetch: async () => new Response(null, { status: 304 }) }).request("GET", "/openapi.json");
  assert.equal(response.status, 304);
});

test("401s of calls at once cost one new token", async () => {
  let asked = 0;
  const token = ({ refresh }) => `t${++asked}${refresh ? "new" : ""}`;
  const serve = async (_url, { headers }) => new Response("{}", { status: headers.get("authorization") === "Bearer t1" ? 401 : 200 });
  const client = api({ token, fetch: serve });
  await Promise.all([client.GET("/stats"), client.GET("/stats"), client.GET("/stats")]);
  assert.equal(asked, 2);
});
