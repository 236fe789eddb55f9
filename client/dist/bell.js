/* A stand-in until the bell is there. */
import { Bellwire } from "./client.js";
import { List } from "./list.js";

class Bell extends HTMLElement {
  connectedCallback() {
    const at = (name) => this.getAttribute(name);
    const token = async () => (await (await fetch(at("token-src"), { method: "POST" })).json()).token;
    const client = (this.client = new Bellwire({ hub: at("hub"), functions: at("functions"), user: at("user"), token }));
    const badge = document.createElement("span");
    badge.part = "badge";
    this.attachShadow({ mode: "open" }).append(badge);
    client.addEventListener("unread", ({ detail }) => (badge.textContent = detail ?? ""));
    this.list = new List(client);
    client.connect();
  }
}
customElements.define("bellwire-bell", Bell);
