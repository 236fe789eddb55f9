// Where a token comes in: pasted, or in the fragment of a link. It is kept in memory and nowhere else.
import { el, newId, outside, tell } from "./dom.js";
import { USES, cleanToken, lacking, readGrant } from "./grant.js";
import { moment, span } from "./numbers.js";

/**
 * The token of `#token=…` or `#token=…&/view?…`, which leaves the address bar and the history at once. Null without one.
 */
export function tokenOfAddress() {
  const found = /^#token=([^&]*)(?:&(.*))?$/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", location.pathname + location.search + (found[2] ? `#${found[2]}` : ""));
  try {
    return cleanToken(decodeURIComponent(found[1]));
  } catch {
    return null;
  }
}

/** `use(token)` when one was pasted that looks like a JWT. */
function pasteForm(use) {
  const id = newId();
  const field = el("input", { id, type: "password", autocomplete: "off", spellcheck: "false", required: true, placeholder: "eyJ…" });
  const wrong = tell(el("p.wrong", { role: "alert" }));
  const node = el("form.paste", { submit: (event) => {
    event.preventDefault();
    const token = cleanToken(field.value);
    const good = readGrant(token);
    tell(wrong, good ? "" : "Invalid token: a JWT has three parts, separated by dots.");
    if (!good) return field.select();
    field.value = "";
    use(token);
  } }, el("label", { for: id }, "Token"), el("div.line", field, el("button.primary", { type: "submit" }, "Open")), wrong);
  return { node, focus: () => field.focus() };
}

const scopeList = (grant) =>
  el("ul.scopes", Object.entries(USES).map(([scope, use]) => {
    const has = !lacking(grant, scope);
    return el("li", el(has ? "span.mark" : "span.mark.unknown", { "aria-hidden": "true" }, has ? "✓" : "–"), el("code", scope), el("span.words", has ? " granted" : " missing"), el("span.use", use));
  }));

/** What stands in the page's place until the hub accepts a token. `problem`: why it does not. */
export function gate(use) {
  const form = pasteForm(use);
  const title = el("h1", "Bellwire console"), problem = tell(el("p.wrong", { role: "alert" }));
  const node = el("section.gate", title, problem,
    el("p", "Paste a token with the scope ", el("code", "ops:read"), ". It stays in this page's memory: closing or reloading the page forgets it."), form.node,
    el("p.about", "Some views need further scopes and name them; docs/console.md lists all."));
  return {
    node,
    focus: form.focus,
    update: (text) => tell(problem, text),
  };
}

/** Shows what the token permits; another one can be pasted, or all be forgotten. */
export function tokenDialog(grant, use, forget) {
  const id = newId();
  const form = pasteForm((token) => {
    dialog.close();
    use(token);
  });
  const { sub, expiresAt } = grant;
  const ends = expiresAt === null ? "It has no expiry." : expiresAt > Date.now() ? `It expires in ${span(expiresAt - Date.now())}, ${moment(new Date(expiresAt).toISOString())}.` : "It has expired.";
  const dialog = el("dialog.ask", { "aria-labelledby": id, close: () => dialog.remove() },
    el("h2", { id }, "Your token"), el("p", "Of ", el("strong", outside(sub || "(no subject)")), `. ${ends}`), scopeList(grant),
    el("h3", "Use another one"), form.node,
    el("div.buttons", el("button", { type: "button", click: () => {
      dialog.close();
      forget();
    } }, "Forget it"), el("button", { type: "button", click: () => dialog.close() }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}
