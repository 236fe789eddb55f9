// The tabs of one user in one browser: one of them leads, by a Web Lock, and tells the others what it hears.
/** @import { Message } from "#types" */

const STEAL_AFTER_MS = 1_500;

export const canShare = () => Boolean(globalThis.navigator?.locks && globalThis.BroadcastChannel);

/** @typedef {ReturnType<typeof joinTabs>} Tabs */

/**
 * @param {string} name the same for all tabs of this user at this hub, and no other
 * @param {{ lead(): void, follow(): void, hear(message: Message): void }} on
 */
export function joinTabs(name, on) {
  let leads = false, left = false, checking = false;
  /** Of the leader that counts: a leader that hung and wakes up has an older one. */
  let term = 0;
  let heardAt = 0;
  let waiting = new AbortController();
  let release = () => {};
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => hear(data);
  request();
  say({ ask: true });
  return { say, leave, steal, check };

  /** To the other tabs. @param {Message} message */
  function say(message) {
    if (!left) channel.postMessage(leads ? { ...message, term } : message);
  }

  function leave() {
    left = true;
    leads = false;
    waiting.abort();
    release();
    channel.close();
  }

  /** Takes the lead from a leader that does not answer, or does not do what it said. */
  function steal() {
    if (!leads && !left) request(true);
  }

  /** Asks for a sign of life of the leader. */
  function check() {
    if (leads || checking) return;
    checking = true;
    const asked = Date.now();
    say({ ask: true });
    setTimeout(() => {
      checking = false;
      if (heardAt < asked) steal();
    }, STEAL_AFTER_MS);
  }

  function request(steal = false) {
    waiting.abort();
    const mine = (waiting = new AbortController());
    const isOver = () => left || mine !== waiting;
    const hold = () =>
      new Promise((/** @type {(value?: undefined) => void} */ done) => {
        if (isOver()) return done();
        release = done;
        leads = true;
        term = Math.max(Date.now(), term + 1);
        on.lead();
      });
    navigator.locks.request(name, steal ? { steal } : { signal: mine.signal }, hold).catch(() => {
      // Stolen while this tab hung: it follows, and waits for its turn.
      if (isOver()) return;
      leads = false;
      on.follow();
      request();
    });
  }

  /** @param {Message} message */
  function hear(message) {
    const { term: from, frame, before, epoch } = message;
    if (from === undefined || from >= term) {
      if (from) {
        term = from;
        heardAt = Date.now();
      }
      on.hear(message);
    } else if (frame?.type === "notification") {
      // From a leader whose time is over: what it received counts, what it thinks does not.
      on.hear({ frame, before, epoch });
    }
  }
}
