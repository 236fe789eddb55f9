// What an operator enters: what changes something asks first, in a dialog that says what will happen.
import { CallError, explain } from "./api.js";
import { el, newId, say, tell } from "./dom.js";

/**
 * `question`: `{ title, text: [parts], fields: [{ name, label, value, long, choices }], yes, act(values) }`. Resolves
 * to what `act` returned, or null if nothing was done. A failed act is told in the dialog, which stays open.
 */
export function ask({ title, text, fields = [], yes, danger = false, act }) {
  return new Promise((resolve) => {
    const id = newId();
    const inputs = fields.map((field) => ({ ...field, input: input(field), id: newId() }));
    const wrong = el("p.wrong", { role: "alert" });
    const go = el(danger ? "button.danger" : "button.primary", { type: "submit" }, yes);
    let result = null;
    const form = el("form", { method: "dialog" },
      el("h2", { id }, title),
      el("p", text),
      inputs.map((field) => {
        field.input.id = field.id;
        return el("div.field", el("label", { for: field.id }, field.label), field.input);
      }),
      tell(wrong),
      el("div.buttons", el("button", { type: "button", click: () => dialog.close() }, "Cancel"), go));
    const dialog = el("dialog.ask", { "aria-labelledby": id, close: () => {
      dialog.remove();
      resolve(result);
    } }, form);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      tell(wrong);
      try {
        result = (await act(Object.fromEntries(inputs.map((field) => [field.name, field.input.value])))) ?? true;
        dialog.close();
      } catch (error) {
        if (!(error instanceof CallError)) console.error(error);
        tell(wrong, explain(error));
        go.disabled = false;
      }
    });
    document.body.append(dialog);
    dialog.showModal();
    (inputs[0]?.input ?? go).focus();
  });
}

function input({ value = "", long, choices, max, required = true }) {
  if (choices) return el("select", choices.map(([name, text]) => el("option", { value: name, selected: name === value }, text)));
  const node = long ? el("textarea", { rows: "3" }) : el("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  if (max) node.maxLength = max;
  node.required = required;
  node.value = value;
  return node;
}

/** A field and a button in a line. `submit(text)` returns what is wrong with it, if anything is. */
export function lineForm(label, placeholder, yes, submit) {
  const id = newId();
  const field = el("input", { id, autocomplete: "off", spellcheck: "false", maxlength: "256", placeholder });
  const problem = tell(el("p.wrong", { role: "alert" }));
  const wrong = (text) => tell(problem, text);
  const node = el("div", el("form.search", { submit: (event) => {
    event.preventDefault();
    if (field.value.trim()) wrong(submit(field.value.trim()));
  } }, el("label", { for: id }, label), field, el("button", { type: "submit" }, yes)), problem);
  return {
    node, wrong,
    set(text) {
      if (document.activeElement !== field) field.value = text;
    },
  };
}

/**
 * A button for what needs a scope. `lacks()` is asked at every update: while it names a scope the button stays where
 * it is, says which, and does nothing.
 */
export function action(label, lacks, run, kind = "") {
  const id = newId();
  const need = el("span.need", { id });
  const button = el(`button${kind}`, { type: "button", "aria-describedby": id, click: () => {
    if (!lacks()) run();
  } }, label);
  const node = el("span.action", button, need);
  const update = () => {
    const scope = lacks();
    button.setAttribute("aria-disabled", String(Boolean(scope)));
    say(need, scope ? (scope.includes(":") ? `needs ${scope}` : scope) : "");
  };
  update();
  return { node, update, button };
}
