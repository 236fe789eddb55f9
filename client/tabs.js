// The tabs of one user in one browser: one of them leads, by a Web Lock, and tells the others what it hears.
/** @import { Message } from "#types" */

const STEAL_AFTER_MS = 1_500;

export const canShare = () => Boolean(globalThis.navigator?.locks && globalThis.BroadcastChannel);

export class Tabs {
  leads = false;
  /** Of the leader that counts: a leader that hung and wakes up has an older one. */
  term = 0;
  heardAt = 0;
  #left = false;
  #stealing = false;
  #waiting = new AbortController();
  #release = () => {};

  /**
   * @param {string} name the same for all tabs of this user at this hub, and no other
   * @param {{ lead(): void, follow(): void, hear(message: Message): void }} on
   */
  constructor(name, on) {
    this.name = name;
    this.on = on;
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }) => this.#hear(data);
    this.#request();
    this.say({ ask: true });
  }

  /** To the other tabs. @param {Message} message */
  say(message) {
    if (!this.#left) this.channel.postMessage(this.leads ? { ...message, term: this.term } : message);
  }

  leave() {
    this.#left = true;
    this.leads = false;
    this.#waiting.abort();
    this.#release();
    this.channel.close();
  }

  /** Takes the lead from a leader that does not answer, or does not do what it said. */
  steal() {
    if (this.leads || this.#left) return;
    this.#waiting.abort();
    this.#request(true);
  }

  /** Asks for a sign of life of the leader. */
  check() {
    if (this.leads || this.#stealing) return;
    this.#stealing = true;
    const asked = Date.now();
    this.say({ ask: true });
    setTimeout(() => {
      this.#stealing = false;
      if (this.heardAt < asked) this.steal();
    }, STEAL_AFTER_MS);
  }

  #request(steal = false) {
    const waiting = (this.#waiting = new AbortController());
    const how = steal ? { steal } : { signal: waiting.signal };
    const hold = () =>
      new Promise((/** @type {(value?: undefined) => void} */ release) => {
        if (this.#left || waiting !== this.#waiting) return release();
        this.#release = release;
        this.leads = true;
        this.term = Math.max(Date.now(), this.term + 1);
        this.on.lead();
      });
    navigator.locks.request(this.name, how, hold).catch(() => {
      // Stolen while this tab hung: it follows, and waits for its turn.
      if (this.#left || waiting !== this.#waiting) return;
      this.leads = false;
      this.on.follow();
      this.#request();
    });
  }

  /** @param {Message} message */
  #hear(message) {
    const { term, frame, before, epoch } = message;
    if (term === undefined || term >= this.term) {
      if (term) {
        this.term = term;
        this.heardAt = Date.now();
      }
      return this.on.hear(message);
    }
    // From a leader whose time is over: what it received counts, what it thinks does not.
    if (frame?.type === "notification") this.on.hear({ frame, before, epoch });
  }
}
