// The parser of event streams: of the client and of the console.

/**
 * A function to give the text to, as WHATWG HTML §9.2.6 reads it, in any pieces. `dispatch` gets every block,
 * also one without data.
 * @param {(block: { type: string, data?: string, id: string, retry?: number }) => void} dispatch
 */
export function parser(dispatch) {
  let rest = "", id = "", start = true;
  /** @type {{ type?: string, data?: string, retry?: number }} */
  let block = {};
  return (/** @type {string} */ text) => {
    if (start && text) {
      start = false;
      if (text[0] === "\uFEFF") text = text.slice(1);
    }
    rest += text;
    // A CR at the end may be half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line) {
        dispatch({ ...block, type: block.type || "message", id });
        block = {};
        continue;
      }
      const [, name, value] = /** @type {RegExpExecArray} */ (/^([^:]*):? ?([^]*)$/.exec(line));
      if (name === "data") block.data = block.data === undefined ? value : `${block.data}\n${value}`;
      else if (name === "event") block.type = value;
      else if (name === "id" && !value.includes("\0")) id = value;
      else if (name === "retry" && /^\d+$/.test(value)) block.retry = Number(value);
    }
  };
}
