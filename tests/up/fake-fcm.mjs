// A stand-in for Google's token endpoint and FCM, for scripts/test-up: node fake-fcm.mjs DIRECTORY
// Writes DIRECTORY/firebase.json, a service account for it, then listens; each accepted message is a line of
// DIRECTORY/fcm.jsonl. DIRECTORY/fcm.origin says where it listens.
import { createVerify, generateKeyPairSync, randomUUID } from "node:crypto";
import { appendFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const directory = process.argv[2];
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const bearer = randomUUID();

/** Whether `assertion` is a JWT that the account's key signed. @param {string} assertion */
function isSigned(assertion) {
  const [head, claims, signature] = assertion.split(".");
  return createVerify("RSA-SHA256").update(`${head}.${claims}`).verify(publicKey, signature ?? "", "base64url");
}

/** @param {import("node:http").IncomingMessage} request @param {string} body @returns {[number, object]} */
function answer({ url, headers }, body) {
  if (url === "/token") {
    const assertion = new URLSearchParams(body).get("assertion") ?? "";
    return isSigned(assertion) ? [200, { access_token: bearer, expires_in: 3600 }] : [400, { error: "invalid_grant" }];
  }
  if (url !== "/v1/projects/test-up/messages:send") return [404, {}];
  if (headers.authorization !== `Bearer ${bearer}`) return [401, { error: { status: "UNAUTHENTICATED" } }];
  appendFileSync(join(directory, "fcm.jsonl"), `${body}\n`);
  return [200, { name: `projects/test-up/messages/${randomUUID()}` }];
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const [status, value] = answer(request, body);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
});
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const origin = `http://127.0.0.1:${port}`;
  const account = {
    type: "service_account",
    project_id: "test-up",
    private_key_id: "1",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    client_email: "push@test-up.example",
    token_uri: `${origin}/token`,
  };
  writeFileSync(join(directory, "firebase.json"), JSON.stringify(account), { mode: 0o600 });
  writeFileSync(join(directory, "fcm.origin"), origin);
});
