// The parser of event streams: the inputs of WPT's eventsource/format-*, whole and torn at every place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parser } from "../../sse-parser.js";

/** @type {[string, string, object[]][]} name, stream, events as a page sees them */
const VECTORS = [
  ["format-bom", "\uFEFFdata:1\n\n\uFEFFdata:2\n\ndata:3\n\n", [{ data: "1" }, { data: "3" }]],
  ["format-bom-2", "\uFEFF\uFEFFdata:1\n\ndata:2\n\ndata:3\n\n", [{ data: "2" }, { data: "3" }]],
  ["format-comments", `data:1\r:${"\0"}\n:\r\ndata:2\n:${"x".repeat(2048)}\rdata:3\n:data:fail\r:${"x".repeat(2048)}\ndata:4\n\n`, [{ data: "1\n2\n3\n4" }]],
  ["format-data-before-final-empty-line", "retry:1000\ndata:test1\n\nid:test\ndata:test2", [{ data: "test1", retry: 1000 }]],
  ["format-field-data", "data:\n\ndata\ndata\n\ndata:test\n\n", [{ data: "" }, { data: "\n" }, { data: "test" }]],
  ["format-field-event", "event:test\ndata:x\n\ndata:x\n\n", [{ type: "test", data: "x" }, { data: "x" }]],
  ["format-field-event-empty", "event: \ndata:data\n\n", [{ data: "data" }]],
  ["format-field-id", 'id: …\ndata:1\n\ndata:2\n\n', [{ data: "1", id: "…" }, { data: "2", id: "…" }]],
  ["format-field-id-2", "id: …\ndata:1\n\nid\ndata:2\n\ndata:3\n\n", [{ data: "1", id: "…" }, { data: "2" }, { data: "3" }]],
  ["format-field-id-null", "id: a\ndata:1\n\nid:b\0c\ndata:2\n\n", [{ data: "1", id: "a" }, { data: "2", id: "a" }]],
  ["format-field-parsing", "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n", [{ data: "\0\n 2\n1\n3\n\n4" }]],
  ["format-field-retry", "retry:03000\ndata:x\n\n", [{ data: "x", retry: 3000 }]],
  ["format-field-retry-bogus", "retry:3000\nretry:1000x\ndata:x\n\n", [{ data: "x", retry: 3000 }]],
  ["format-field-retry-empty", "retry\ndata:test\n\n", [{ data: "test" }]],
  ["format-field-unknown", "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\n\n", [{ data: "test\n" }]],
  ["format-leading-space", "data:\ttest\rdata: \ndata:test\n\n", [{ data: "\ttest\n\ntest" }]],
  ["format-newlines", "data:test\r\ndata\ndata:test\r\n\r", [{ data: "test\n\ntest" }]],
  ["format-null-character", "data:\0\n\n\n\n", [{ data: "\0" }]],
  ["format-utf-8", "data:ok…\n\n", [{ data: "ok…" }]],
];

function events(pieces) {
  const seen = [];
  const read = parser(({ type, data, id, retry }) => {
    if (data === undefined) return;
    seen.push({ ...(type !== "message" && { type }), data, ...(id && { id }), ...(retry !== undefined && { retry }) });
  });
  for (const piece of pieces) read(piece);
  return seen;
}

for (const [name, text, wanted] of VECTORS) {
  test(name, () => {
    // A line end that a CR makes is known from what follows it.
    const whole = text.endsWith("\r") ? text + "\n" : text;
    assert.deepEqual(events([whole]), wanted);
    assert.deepEqual(events([...whole]), wanted);
    for (let cut = 1; cut < Math.min(whole.length, 300); cut++) assert.deepEqual(events([whole.slice(0, cut), whole.slice(cut)]), wanted, `cut at ${cut}`);
  });
}

test("a block with an id and no data is told, for the hub's welcome", () => {
  const seen = [];
  const read = parser((block) => seen.push(block));
  read(":\n\nid: e:4\n\nretry: 250\n\n");
  assert.deepEqual(seen.map(({ id, data, retry }) => [id, data, retry]), [["", undefined, undefined], ["e:4", undefined, undefined], ["e:4", undefined, 250]]);
});
