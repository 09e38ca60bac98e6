// Web Push: the browser's subscription as this device's token, and what the service worker (sw.ts) tells its pages.
import type { PushClient, RegisterWebPush } from "./api.ts";

interface Worker {
  readonly state: string;
  addEventListener(name: "statechange", act: () => void): void;
}
interface Registration {
  readonly installing: Worker | null;
  readonly waiting: Worker | null;
  readonly active: Worker | null;
  readonly pushManager: {
    getSubscription(): Promise<Subscription | null>;
    subscribe(options: { userVisibleOnly: true; applicationServerKey: Uint8Array }): Promise<Subscription>;
  };
}
interface Subscription {
  readonly options?: { readonly applicationServerKey?: ArrayBuffer | null };
  unsubscribe(): Promise<boolean>;
  toJSON(): object;
}
interface Browser {
  readonly navigator: {
    readonly serviceWorker?: {
      register(worker: string, options: object): Promise<Registration>;
      addEventListener(name: "message", act: (event: { readonly data: unknown }) => void): void;
    };
  };
  readonly Notification?: { requestPermission(): Promise<string> };
}

const listening = new WeakSet<PushClient>();

/** Rejects where there is no Web Push, the person allows none, or the server has no key. After a click: it asks for permission. */
export const registerWebPush: RegisterWebPush = async (client, options = {}) => {
  const { worker = "/client/sw.js", scope } = options;
  let { app, publicKey } = options;
  const { navigator, Notification } = globalThis as unknown as Browser;
  const workers = navigator.serviceWorker;
  if (workers === undefined || Notification === undefined)
    throw new Error("this browser has no Web Push, or the page is not on https");
  if (publicKey === undefined || app === undefined) {
    const answer = await fetch(`${client.url}/client/webpush.json`);
    if (!answer.ok) throw new Error(`the server has not told its key: ${answer.status}`);
    const keys = (await answer.json()) as Record<string, string>;
    app ??= Object.keys(keys)[0] ?? "";
    publicKey ??= keys[app];
  }
  if (publicKey === undefined) throw new Error("the server has no entry vendors.webpush for this app");
  if ((await Notification.requestPermission()) !== "granted") throw new Error("notifications are not allowed here");
  const registration = await workers.register(worker, scope === undefined ? {} : { scope });
  await activeOf(registration);
  const { pushManager } = registration;
  const key = bytes(publicKey);
  let subscription = await pushManager.getSubscription();
  // Made with a key of before: its push service would refuse ours.
  const before = subscription?.options?.applicationServerKey;
  if (before && String(new Uint8Array(before)) !== String(key)) {
    await subscription?.unsubscribe();
    subscription = null;
  }
  subscription ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  client.setToken({ type: "webpush", token: subscription.toJSON(), app });
  if (listening.has(client)) return;
  listening.add(client);
  workers.addEventListener("message", ({ data }) => {
    const { pushbox, id, token } = Object(data) as { pushbox?: string; id?: string; token?: object };
    if (pushbox === "clicked" && id !== undefined) client.clicked(id);
    if (pushbox === "subscribed" && token !== undefined) client.setToken({ type: "webpush", token, app });
  });
  // A click that opened this page.
  const [, id] = /[#&]pushbox=([^&]+)/.exec(location.hash) ?? [];
  if (id !== undefined) client.clicked(decodeURIComponent(id));
};

declare const location: { readonly hash: string };

/** `serviceWorker.ready` is for pages within the worker's scope, and this one need not be. */
function activeOf({ installing, waiting, active }: Registration): Promise<void> {
  const worker = installing ?? waiting;
  return new Promise((resolve, reject) => {
    if (active !== null || worker === null) return resolve();
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("the service worker does not start"));
    });
  });
}

const bytes = (base64url: string): Uint8Array =>
  Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (byte) => byte.charCodeAt(0));
