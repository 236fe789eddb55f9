// A React hook: one client for as long as hub, functions and user stay the same.
/** @import { Options } from "#types" */
import { useEffect, useMemo, useRef, useState } from "react";
import { Bellwire } from "./client.js";
import { List } from "./list.js";

/** @param {Options & { limit?: number }} options */
export function useBellwire(options) {
  const { hub, functions, user, limit } = options;
  const now = useRef(options);
  now.current = options;
  const client = useMemo(() => {
    const { token } = now.current;
    // The token function of the latest render.
    const ask = /** @type {typeof token} */ ((/** @type {any} */ how) => {
      const { token } = now.current;
      return typeof token === "function" ? token(how) : token;
    });
    return new Bellwire({ ...now.current, token: typeof token === "function" ? ask : token });
  }, [String(hub), String(functions), user]);
  const [, render] = useState({});
  const list = useRef(/** @type {List | null} */ (null));
  useEffect(() => {
    const changed = () => render({});
    list.current = new List(client, { limit, changed });
    const types = /** @type {const} */ (["statechange", "unread"]);
    for (const type of types) client.addEventListener(type, changed);
    client.connect();
    return () => {
      for (const type of types) client.removeEventListener(type, changed);
      list.current?.stop();
      client.close();
    };
  }, [client, limit]);
  const { status, unread } = client;
  return { client, status, unread, notifications: list.current?.entries ?? [], more: () => list.current?.more() };
}
