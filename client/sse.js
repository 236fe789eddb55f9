// The event stream, for where there is no WebSocket, and where it is blocked; and why nothing opens. Loaded when it is
// needed.
/** @import { Connection } from "#types" */
import { refusal } from "./errors.js";
import { refused, why } from "./refused.js";
import { parser } from "./sse-parser.js";

export { why };

/** @param {Connection} c @param {URL} url @param {string} token @param {string | URL} hub @param {typeof fetch} [use] */
export const openStream = (c, url, token, hub, use) =>
  read(c, url, token, use).catch(async (error) => c.end(c.opened ? { code: 1006, reason: "network" } : await refused(error, hub)));

/** Ends by an error, or when the stream does. @param {Connection} c @param {URL} url @param {string} token */
async function read(c, url, token, use = fetch) {
  const abort = new AbortController();
  c.close = () => abort.abort();
  const feed = parser(({ type, data, id, retry }) => {
    if (retry !== undefined) c.hear({ type: "reconnect", afterMs: retry });
    const [, epoch = null, seq = 0] = /^(.*):(\d+)$/.exec(id) ?? [];
    if (!c.opened) c.hear({ type: "welcome", epoch, seq: Number(seq) });
    if (data === undefined) return;
    const value = JSON.parse(data);
    c.hear(type === "notification" ? { type, notification: value, epoch } : { ...value, type });
  });
  const headers = { accept: "text/event-stream", authorization: `Bearer ${token}` };
  const answer = await use(url, { headers, cache: "no-store", signal: abort.signal });
  if (!answer.ok || !answer.body) throw await refusal(answer);
  const text = new TextDecoder("utf-8", { ignoreBOM: true });
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return c.stop("the stream ended");
    c.heard = Date.now();
    feed(text.decode(value, { stream: true }));
  }
}
