// Imports history: reads rows of the old service's table from stdin, a JSON object a line, oldest first.
// A row has the members of an import, and `id`. A repeated run changes nothing.
const functions = "http://127.0.0.1:3000";
const token = "<IMPORT_TOKEN>"; // scopes: notifications:import notifications:write feed:read

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const request = { method, headers, body: body && JSON.stringify(body) };
  for (let wait = 500; ; wait *= 2) {
    const answer = await fetch(functions + path, request).catch(() => null);
    if (answer?.ok || answer?.status === 404) return answer;
    // The outcome of a 5xx is unknown: the keys make the repeat harmless.
    if ((answer && answer.status < 500) || wait > 60_000)
      throw new Error(`${method} ${path}: ${answer ? await answer.text() : "no answer"}`);
    await new Promise((done) => setTimeout(done, wait));
  }
}

async function bring(rows) {
  // The old service's copies in the Redis lists, which the imported entries replace.
  const copies = new Set(rows.map(({ userId, id }) => `${userId} ${id}`));
  for (const user of new Set(rows.map(({ userId }) => userId))) {
    const feed = await call("GET", `/users/${user}/notifications?limit=100`);
    for (const { id } of (await feed.json()).notifications)
      if (copies.has(`${user} ${id}`)) await call("DELETE", `/users/${user}/notifications/${id}`);
  }
  const notifications = rows.map(({ id, ...row }) => ({ ...row, idempotencyKey: `row ${id}` }));
  const answer = await call("POST", "/notifications/import", { notifications });
  const { results } = await answer.json();
  results.forEach(({ error }, at) => error && console.error(`row ${rows[at].id}: ${error.detail}`));
  console.log(`${results.filter(({ notification }) => notification).length} imported`);
}

(async () => {
  let rows = [];
  for await (const line of require("node:readline").createInterface({ input: process.stdin })) {
    rows.push(JSON.parse(line));
    if (rows.length === 500) await bring(rows.splice(0));
  }
  if (rows.length > 0) await bring(rows);
})();
