// The hub's live stream, read by fetch so that the token travels in a header. Comes back by itself after a break, and
// knows when it has heard nothing for too long. What it does is in `state`:
//   idle · connecting · live · waiting {retryAt, problem} · refused {problem}: only another token helps
import { refusalOf } from "./api.js";
import { parser } from "../sse-parser.js";

const CONNECT_MS = 10_000;
/** Two snapshots lost may be the network; twelve are a dead connection. */
const GIVE_UP_MS = 12_000;
const WAIT_MS = 1_000;
const WAIT_MAX_MS = 15_000;

export class Stream {
  state = { name: "idle" };
  /** When bytes came last; null before the first. */
  heardAt = null;
  #url;
  #token;
  #take;
  #changed;
  #run = null;
  #end;

  /** `take(type, value)`: events; `changed()`: the state is another. */
  constructor(url, take, changed) {
    this.#url = url;
    this.#take = take;
    this.#changed = changed;
  }

  start(token) {
    this.stop();
    this.#token = token;
    const run = (this.#run = new AbortController());
    this.#loop(run.signal);
  }

  stop() {
    this.#run?.abort();
    this.#run = null;
    this.#go({ name: "idle" });
  }

  /** The hub said why it ends the stream. */
  ends(reason) {
    this.#end = reason;
  }

  /** At once instead of after the wait. */
  retry() {
    if (this.#run) this.start(this.#token);
  }

  #go(state) {
    this.state = state;
    this.#changed();
  }

  async #loop(signal) {
    for (let tries = 0; !signal.aborted; tries++) {
      let problem, wait = 0;
      this.#go({ name: "connecting" });
      try {
        await this.#connection(signal, () => (tries = 0));
        problem = this.#end || "the stream ended";
      } catch (error) {
        if (signal.aborted) return;
        problem = error.message;
        if (error.status === 401 || error.status === 403) {
          this.#run = null;
          return this.#go({ name: "refused", problem: error });
        }
        wait = error.retryMs ?? 0;
      }
      if (signal.aborted) return;
      const jitter = Math.random() * Math.min(WAIT_MAX_MS, WAIT_MS * 2 ** tries);
      wait = Math.max(wait, 300 + jitter);
      this.#go({ name: "waiting", retryAt: Date.now() + wait, problem });
      await pause(wait, signal);
    }
  }

  async #connection(signal, opened) {
    this.#end = null;
    const mine = new AbortController();
    const all = AbortSignal.any([signal, mine.signal]);
    const give = (text) => mine.abort(new Error(text));
    let timer = setTimeout(give, CONNECT_MS, "No answer from the hub");
    try {
      const headers = { authorization: `Bearer ${this.#token}`, accept: "text/event-stream" };
      const answer = await fetch(this.#url, { headers, signal: all, cache: "no-store", credentials: "omit" }).catch((error) => {
        throw mine.signal.aborted ? mine.signal.reason : signal.aborted ? error : new Error("No answer from the hub");
      });
      if (!answer.ok) throw await refusalOf(answer);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const read = parser((block) => {
        const value = block.data && parsed(block.data);
        if (!value) return;
        if (block.type === "snapshot" && this.state.name !== "live") {
          opened();
          this.#go({ name: "live" });
        }
        this.#take(block.type, value);
      });
      for (;;) {
        clearTimeout(timer);
        timer = setTimeout(give, GIVE_UP_MS, "The hub is silent");
        const { done, value } = await reader.read();
        if (done) return;
        this.heardAt = Date.now();
        read(value);
      }
    } catch (error) {
      throw mine.signal.aborted ? mine.signal.reason : error;
    } finally {
      clearTimeout(timer);
      mine.abort();
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const pause = (ms, signal) =>
  new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
