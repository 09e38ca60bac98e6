// The API of socket.io-push-client 0.8.2 on top of this client: a page swaps its script tag and nothing else. The device keeps its
// pushId and its position. One listener per event, topics' positions for as long as the page lives, as it was there.
import type { Options, Storage } from "./api.ts";
import { createClient } from "./client.ts";
import { environment } from "./environment.ts";
import { OWN } from "./positions.ts";

interface LegacyOptions {
  pushId?: string;
  platform?: string;
  transports?: ("websocket" | "polling")[];
  useNotification?: boolean;
  token?: Options["token"];
}

type Listener = (data?: unknown) => void;

interface Legacy {
  pushId: string;
  platform: string;
  on(event: string, listener?: Listener): void;
  connect(): void;
  disconnect(): void;
  subscribeTopic(topic: string): void;
  subscribeTopicAndReceiveTTL(topic: string): void;
  unsubscribeTopic(topic: string): void;
  setTags(tags: string[]): void;
  addTag(tag: string): void;
  removeTag(tag: string): void;
  bindUid(data: object): void;
  unbindUid(): void;
}

interface LegacyConstructor {
  new (url?: string, options?: LegacyOptions): Legacy;
  (url?: string, options?: LegacyOptions): Legacy;
}

let made = 0;

function create(url: string | undefined, options: LegacyOptions): Legacy {
  const number = ++made;
  const items = patient(environment.storage());
  const key = (name: string): string => `PushClient:${number}:${name}`;
  const kept = items.getItem(key("pushId")) ?? "";
  // What is too short for the server is none.
  const pushId = options.pushId || (kept.length < 10 ? makeId() : kept);
  items.setItem(key("pushId"), pushId);
  const { platform = "browser", transports = ["websocket"] } = options;
  const listeners = new Map<string, Listener>();
  const tell = (event: string, data?: unknown): void => {
    try {
      listeners.get(event)?.(data);
    } catch (error) {
      // The page's own fault, on its console; the connection goes on.
      environment.after(0, () => {
        throw error;
      });
    }
  };

  const client = createClient(
    url === undefined ? url : addressOf(url),
    {
      pushId,
      platform,
      transports,
      storage: storageOf(items, key, pushId),
      notifications: options.useNotification === true,
      ...(options.token === undefined ? {} : { token: options.token }),
    },
    environment,
    ({ uid, tags }) => tell("connect", { pushId, uid, tags }),
  );
  let connected = false;
  client.on("state", (state) => {
    if (connected && state !== "connected") tell("disconnect");
    connected = state === "connected";
  });
  client.on("message", ({ data }) => tell("push", data));
  client.on("notification", (notification) => tell("notification", notification));

  return {
    pushId,
    platform,
    on(event, listener) {
      if (listener === undefined) listeners.delete(event);
      else listeners.set(event, listener);
    },
    connect: client.connect,
    disconnect: client.close,
    subscribeTopic: (topic) => client.subscribe(topic),
    subscribeTopicAndReceiveTTL: (topic) => client.subscribe(topic),
    unsubscribeTopic: client.unsubscribe,
    setTags: client.setTags,
    addTag: client.addTag,
    removeTag: client.removeTag,
    bindUid: client.bindUid,
    unbindUid: client.unbindUid,
  };
}

/** As the old client took it: `//host`, `host:port` and `/` are of the page's own scheme and host. */
function addressOf(url: string): string {
  const [, scheme = "https:", host = ""] = /^(.*?)\/\/(.*)$/.exec(environment.origin()) ?? [];
  if (/^(http|ws)s?:\/\//.test(url)) return url;
  if (url.startsWith("//")) return scheme + url;
  return `${scheme}//${url.startsWith("/") ? host : ""}${url}`;
}

/** One that is full, or forbidden, is as if there were none. */
const patient = (items: Storage): Storage => ({
  getItem(key) {
    try {
      return items.getItem(key);
    } catch {
      return null;
    }
  },
  setItem(key, value) {
    try {
      items.setItem(key, value);
    } catch {}
  },
});

interface Kept {
  readonly p?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Of the positions only the device's own lasts; what the old client had stored of it counts until there is a newer one. */
function storageOf(items: Storage, key: (name: string) => string, pushId: string): Storage {
  const own = (p: Kept["p"]): object => (p?.[OWN] === undefined ? {} : { [OWN]: p[OWN] });
  return {
    getItem() {
      const kept = items.getItem(key("state"));
      const last = items.getItem(key("lastUnicastId"));
      if (kept) return kept;
      return last ? JSON.stringify({ i: pushId, p: { [OWN]: last } }) : null;
    },
    setItem(_name, value) {
      const kept = JSON.parse(value) as Kept;
      items.setItem(key("state"), JSON.stringify({ ...kept, p: own(kept.p) }));
    },
  };
}

const makeId = (): string => Array.from({ length: 16 }, () => Math.floor(36 * Math.random()).toString(36)).join("");

/** With and without `new`, as pages call it. */
export const PushClient = function PushClient(url?: string, options: LegacyOptions = {}) {
  return create(url, options);
} as unknown as LegacyConstructor;
