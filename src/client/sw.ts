// The service worker: shows what Web Push brings, and tells the page what was clicked. Copied to a page's own host, or served there
// by a proxy, it works as it is.

interface Page {
  readonly url: string;
  focus(): Promise<unknown>;
  postMessage(message: object): void;
}
interface Subscription {
  readonly options: object;
  toJSON(): object;
}
interface Worker {
  readonly registration: {
    readonly scope: string;
    readonly pushManager: { subscribe(options: object): Promise<Subscription> };
    showNotification(title: string, options: object): Promise<void>;
  };
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: object): Promise<readonly Page[]>;
    openWindow(url: string): Promise<unknown>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(
    name: string,
    act: (event: {
      readonly data?: { json(): unknown; text(): string } | null;
      readonly notification?: { readonly data: unknown; readonly tag: string; close(): void };
      readonly oldSubscription?: Subscription | null;
      readonly newSubscription?: Subscription | null;
      waitUntil(promise: Promise<unknown>): void;
    }) => void,
  ): void;
}

const worker = globalThis as unknown as Worker;

/** What pushbox sends: title, body, tag and id, `data` of the app, and whatever `fields` or `webpush` of a notification add. */
interface Shown {
  readonly title?: string;
  readonly id?: string;
  readonly data?: unknown;
  readonly [field: string]: unknown;
}

worker.addEventListener("install", (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("push", (event) => {
  let shown: Shown = {};
  try {
    shown = (event.data?.json() ?? {}) as Shown;
  } catch {
    shown = { title: event.data?.text() ?? "" };
  }
  const { title = "", id, data, ...options } = shown;
  event.waitUntil(worker.registration.showNotification(title, { ...options, data: { id, data } }));
});

worker.addEventListener("notificationclick", (event) => {
  event.notification?.close();
  event.waitUntil(clicked(event.notification?.data));
});

worker.addEventListener("pushsubscriptionchange", (event) =>
  event.waitUntil(renewed(event.oldSubscription, event.newSubscription)),
);

/** The browser has another subscription. Where no page is open, the next one that registers tells the server. */
async function renewed(before?: Subscription | null, after?: Subscription | null): Promise<void> {
  const { pushManager } = worker.registration;
  const subscription = after ?? (before ? await pushManager.subscribe(before.options) : undefined);
  if (subscription === undefined) return;
  const token = subscription.toJSON();
  for (const page of await worker.clients.matchAll({ type: "window", includeUncontrolled: true }))
    page.postMessage({ pushbox: "subscribed", token });
}

/** To the page that is open, or to a new one: the app's own address for it is `url` in the payload. */
async function clicked(shown: unknown): Promise<void> {
  const { id, data } = Object(shown) as { readonly id?: string; readonly data?: unknown };
  const { url } = Object(data) as { readonly url?: unknown };
  const { scope } = worker.registration;
  let target = new URL(scope);
  try {
    if (typeof url === "string") target = new URL(url, scope);
  } catch {
    // No address: as if there were none.
  }
  // No notification leads away from here.
  if (target.origin !== new URL(scope).origin) target.href = scope;
  const [page] = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (page !== undefined && typeof url !== "string") {
    page.postMessage({ pushbox: "clicked", id, data });
    await page.focus();
    return;
  }
  if (id !== undefined) target.hash = `${target.hash === "" ? "" : `${target.hash}&`}pushbox=${encodeURIComponent(id)}`;
  await worker.clients.openWindow(target.href);
}
