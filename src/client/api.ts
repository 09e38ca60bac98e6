// What an app sees of the client. This file, with the names of the values behind it, is pushbox.d.ts: types only.

/**
 * - `connecting`: on its way
 * - `connected`: registered; messages come
 * - `waiting`: between two tries
 * - `offline`: closed, or the device says that it has no network
 * - `refused`: the server does not want this client; nothing is tried until `connect()`
 */
export type State = "connecting" | "connected" | "waiting" | "offline" | "refused";

export interface Message {
  /** What was pushed. */
  readonly data: unknown;
  /** Of a kept message that came by a topic. One that is not kept does not say by which way it came. */
  readonly topic?: string;
  /** Of a kept message. */
  readonly id?: string;
}

export interface Notification {
  readonly id: string;
  readonly title?: string;
  readonly message?: string;
  readonly payload: unknown;
  /** When it was sent, epoch milliseconds. */
  readonly timestamp: number;
}

export interface Connected {
  readonly pushId: string;
  readonly uid?: string;
  readonly tags?: readonly string[];
  /** False the first time, and when something that was kept may have been missed: then `gap` has named the channels. */
  readonly recovered: boolean;
}

/** Without a topic: on the device's own channel. */
export interface Gap {
  readonly topic?: string;
}

/**
 * `code` is the server's (`token_expired`, `topics_limit` ...), or
 * - `token`: the app's own function gave none
 * - `transport`: no way to connect can be opened here
 * - `disconnected`: the server has sent this client away, or an answer was awaited when the connection ended
 * - `timeout`, `closed`: of `emit`, no answer in time, and a client that is closed
 */
export interface ClientError extends Error {
  readonly code: string;
}

/** The position of a kept message is stored when its handlers are done, a promise that they return included. */
export interface Events {
  message: Message;
  notification: Notification;
  connect: Connected;
  gap: Gap;
  state: State;
  error: ClientError;
}

/** What `localStorage` has. */
export interface Storage {
  getItem(key: string): string | null | undefined;
  setItem(key: string, value: string): void;
}

/** What the client needs of a WebSocket. */
export interface Socket {
  /** With `data`. */
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}

/** Moments to look at the connection at once. */
export interface Watcher {
  /** The app is back, the network is. */
  look(): void;
  /** There is no network. */
  lost(): void;
  /** As those of `PushClient`. */
  background(): void;
  foreground(): void;
}

export interface Options {
  /** For `client.auth` of the server. A function is asked for a new one in time; a text that is refused ends it. */
  readonly token?: string | (() => string | Promise<string>);
  /** 10 characters or more; by default random, and kept in the storage. */
  readonly pushId?: string;
  readonly platform?: string;
  readonly topics?: readonly string[];
  /** By default `localStorage`; where there is none, memory. */
  readonly storage?: Storage;
  readonly WebSocket?: new (url: string) => Socket;
  /** In the order in which they are tried. By default `["websocket", "polling"]`. */
  readonly transports?: readonly ("websocket" | "polling")[];
  /** Also takes part in notifications to everybody: topic `noti`. */
  readonly notifications?: boolean;
  /** Tells the moments of an environment that is no browser. Returns how to stop it. */
  readonly watch?: (watcher: Watcher) => () => void;
}

export interface SubscribeOptions {
  /**
   * `true` (as without it): what is kept while this client is away comes when it is back. `"all"`: the first time also what was kept
   * before. `false`: only what is sent while it is connected.
   */
  readonly replay?: boolean | "all";
}

export interface EmitOptions {
  /** Milliseconds to wait for the answer, 10,000 by default. */
  readonly timeout?: number;
}

export interface WebPushOptions {
  /** The name that the entry of `vendors.webpush` has; by default the first one of the server. */
  readonly app?: string;
  /** The public key of that entry; by default the server is asked. */
  readonly publicKey?: string;
  /** Where the service worker is, on the page's own host. */
  readonly worker?: string;
  readonly scope?: string;
}

export interface PushClient {
  /** Of the server, without a slash at the end. */
  readonly url: string;
  readonly pushId: string;
  readonly state: State;
  /** Whom the server takes this device for; undefined until it has said so. */
  readonly uid: string | undefined;
  /** Returns how to take the handler away. */
  on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => unknown): () => void;
  off<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => unknown): void;
  /** Again after every break. With another `replay` than before it begins anew. What the server refuses comes as `error`. */
  subscribe(topic: string, options?: SubscribeOptions): void;
  /** Its position is forgotten. */
  unsubscribe(topic: string): void;
  /** They take the place of all that the device has. */
  setTags(tags: readonly string[]): void;
  addTag(tag: string): void;
  removeTag(tag: string): void;
  /** Where the server believes clients (`trust_client_uid`), or its backend is asked. An object goes as it is. */
  bindUid(uid: string | object): void;
  unbindUid(): void;
  /** A question to the backend; its answer. */
  emit(path: string, data?: unknown, options?: EmitOptions): Promise<unknown>;
  /** The person has opened this notification. */
  clicked(id: string): void;
  /** Where a vendor finds this device. */
  setToken(token: { readonly type: string; readonly token: string | object; readonly app?: string }): void;
  /** The app is not seen: a message to reach its user goes on to the phone. */
  background(): void;
  /** Also looks at the connection at once. */
  foreground(): void;
  /** Tries again at once; after `close()`, or when it was refused. */
  connect(): void;
  /** Ends it until `connect()`. Kept messages that no handler has had come again then. */
  close(): void;
}

export type PushClientConstructor = new (url?: string, options?: Options) => PushClient;
export type RegisterWebPush = (client: PushClient, options?: WebPushOptions) => Promise<void>;
