// The shapes that the client takes, keeps and hands out. Types only: nothing here is served.

/** A notification that Bellwire wrote. Those of other services have whatever members they were given. */
export interface Notification {
  id: string;
  userId: string;
  /** Position in the user's feed; missing in entries of other services. */
  seq: number;
  title: string;
  body?: string;
  kind?: string;
  data?: unknown;
  createdAt: string;
  expiresAt?: string;
  /** In answers of the feed only. */
  readAt?: string;
  /** The user does not want this kind in the feed: read from the start, and never delivered live. */
  muted?: true;
  /** It is history of another system: never delivered live. */
  imported?: true;
  /** In answers of the feed only. */
  delivery?: "sent" | "pending";
}

export interface FeedPage {
  /** Newest first. */
  notifications: Notification[];
  /** Unread entries among the newest 100. */
  unread: number;
  /** For `before`; null on the last page. */
  next: string | null;
}

/** What was received last: a position, or the id of an entry where the position is not known. */
export interface Cursor {
  epoch?: string;
  seq?: number;
  id?: string;
}

export type TokenSource =
  | string
  | ((how: { refresh: boolean; signal: AbortSignal | undefined }) => MaybeToken | Promise<MaybeToken>);
export type MaybeToken = string | null | undefined;

/** The part of `Storage` that the client uses. */
export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface Options {
  /** URL of the hub, `https://…`. */
  hub: string | URL;
  /** URL of the functions; needed for `feed`, `history`, `markRead` and `remove`. */
  functions?: string | URL;
  /** The user's id. Needed for one connection per browser, and for the functions. */
  user?: string;
  /** Gives a token; `refresh` asks for a new one. Null or an empty text ends the client. */
  token: TokenSource;
  /** Claim of the token that holds the user (`sub`). */
  claim?: string;
  /** Newest entry that the page has: its id, or a cursor of an earlier client. */
  since?: string | Cursor;
  transport?: "auto" | "websocket" | "sse";
  /** One connection for all tabs of a browser (true). */
  shared?: boolean;
  /** Closes the client when aborted. */
  signal?: AbortSignal;
  /** Where marks wait that could not be sent: localStorage, or memory where there is none. */
  storage?: Store | null;
  /** For Node before 22: the class of the package `ws`. */
  WebSocket?: any;
  fetch?: typeof fetch;
}

/**
 * Of Web Push for this user in this browser profile. `default`: may be offered; `declined`: may be had, but the user
 * has said no; `denied`: by the browser's settings; `unconfigured`: by the functions; `blocked-insecure`: not https.
 */
export type PushState =
  | "unsupported"
  | "blocked-insecure"
  | "unconfigured"
  | "denied"
  | "declined"
  | "default"
  | "subscribed";

/** What a user wants, on all devices. */
export interface Preferences {
  push?: boolean;
  kinds?: Record<string, { push?: boolean; feed?: boolean }>;
  quietHours?: {
    /** `22:00` */
    from: string;
    to: string;
    /** An IANA name: `Europe/Berlin`. */
    timeZone: string;
  };
}

export interface Push {
  state(): Promise<PushState>;
  /** Asks for permission: to be called on a click. */
  subscribe(how?: { worker?: string | URL; device?: string; locale?: string }): Promise<PushState>;
  /** Also says no to later offers. */
  unsubscribe(): Promise<PushState>;
  /** Remembers that the user does not want it. */
  decline(): Promise<void>;
  preferences(): Promise<Preferences>;
  /** In place of all that there were. */
  setPreferences(preferences: Preferences): Promise<void>;
  /** @internal */
  follow(status: Status): Promise<void>;
}

/** What a browser profile remembers of its subscription. */
export interface PushRecord {
  /** Empty: nobody's any more, to be ended. */
  user: string;
  functions: string;
  device: string;
  worker: string;
  locale: string;
  endpoint: string;
  timeZone?: string;
  /** When the VAPID key was compared, and the device written: milliseconds since 1970. */
  checkedAt: number;
  writtenAt: number;
}

export type State = "idle" | "connecting" | "open" | "waiting" | "closed";
export type Status =
  | { state: "idle" | "connecting" | "open" }
  | { state: "waiting"; retryInMs: number; reason: string }
  | { state: "closed"; code: number; reason: string };

export interface Gap {
  type: "gap";
  reason: "missed" | "epoch";
  epoch: string | null;
  seq: number;
}
/** `pending`: kept by this browser, not sent yet. */
export interface Read {
  type: "read";
  upTo?: number;
  ids?: string[];
  unread?: number | null;
  pending?: boolean;
}
export interface Removed {
  type: "removed";
  ids?: string[];
  all?: boolean;
  unread?: number | null;
}
export interface Welcome {
  type: "welcome" | "pong";
  epoch: string | null;
  seq: number;
  unread?: number | null;
  expiresInMs?: number;
}
/** What the hub says, as `bellwire.v1` says it; event streams are translated. */
export type Frame =
  | Welcome
  | Gap
  | Read
  | Removed
  | { type: "notification"; notification: Notification; epoch?: string | null }
  | { type: "reconnect"; afterMs: number }
  | { type: "auth"; expiresInMs: number };

export interface Events {
  statechange: CustomEvent<Status>;
  notification: CustomEvent<Notification>;
  read: CustomEvent<Read>;
  removed: CustomEvent<Removed>;
  gap: CustomEvent<Gap>;
  unread: CustomEvent<number | null>;
  error: CustomEvent<Error>;
}

/** EventTarget whose events have types. */
export interface Target extends EventTarget {
  addEventListener<K extends keyof Events>(
    type: K,
    listener: (event: Events[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** How a connection ended. `now`: connect again without a wait. `final`: do not come back. */
export interface End {
  code: number;
  reason: string;
  retryInMs?: number;
  now?: boolean;
  final?: boolean;
  /** The hub would take this socket: something between does not. */
  isBlocked?: boolean;
  /** When it was welcomed, if it was. Milliseconds since 1970. */
  opened?: number;
}

/** An open or opening connection, whichever its transport. */
export interface Connection {
  done: Promise<End>;
  opened?: number;
  /** When the hub was heard last. */
  heard: number;
  /** Whether the hub answers pings. */
  pings?: boolean;
  stream: boolean;
  /** Takes a frame. */
  hear(frame: Frame): void;
  end(how: End): void;
  stop(reason: string, now?: boolean): void;
  /** Of the transport. */
  close?(): void;
  send?(frame: object): void;
}

/** What tabs tell each other. `term` is set by the leader. */
export interface Message {
  term?: number;
  status?: Status;
  frame?: Frame;
  /** The leader's cursor before the frame. */
  before?: Cursor | null;
  cursor?: Cursor | null;
  epoch?: string | null;
  unread?: number | null;
  ask?: boolean;
  wake?: boolean;
  bye?: boolean;
}

export interface Mark {
  upTo?: number;
  epoch?: string;
  ids?: string[];
}
