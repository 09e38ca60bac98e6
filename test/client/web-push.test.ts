// Web Push as a page and its service worker see it; what asks a push service outside is taken by the test.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { chromium, startChromium } from "../support/chromium.ts";

const dist = join(import.meta.dirname, "../../dist/client");
const KEY = `B${"A".repeat(86)}`;

if (chromium === undefined) t.pass("left out: no chromium is installed");
else {
  const browser = await startChromium(t, chromium);
  const server = await startTestApp(t);

  t.test(
    "a page outside the service worker's folder registers, and tells of a subscription that changes",
    async (t) => {
      const page = await browser.open(`${server.clientUrl}/shop/basket`);
      await page.run(`(async () => {
      window.told = [];
      Notification.requestPermission = async () => "granted";
      PushManager.prototype.getSubscription = async () => null;
      PushManager.prototype.subscribe = async () => ({ toJSON: () => ({ endpoint: "https://push.example.com/1" }) });
      const { PushClient, registerWebPush } = await import("/client/pushbox.js");
      window.client = new PushClient();
      client.setToken = (token) => told.push(token);
      client.clicked = (id) => told.push(id);
      await registerWebPush(client, { app: "shop", publicKey: ${JSON.stringify(KEY)} });
    })()`);
      const first = { type: "webpush", token: { endpoint: "https://push.example.com/1" }, app: "shop" };
      t.same(await page.run("told"), [first]);
      await page.run(`navigator.serviceWorker.dispatchEvent(new MessageEvent("message", {
      data: { pushbox: "subscribed", token: { endpoint: "https://push.example.com/2" } } }))`);
      t.same(await page.run("told"), [first, { ...first, token: { endpoint: "https://push.example.com/2" } }]);
    },
  );

  t.test("with a worker that was copied the key is asked of the server; a person's no is an error", async (t) => {
    const page = await browser.open(`${server.clientUrl}/shop/basket`);
    const refused = await page.run<string[]>(`(async () => {
      const { PushClient, registerWebPush } = await import("/client/pushbox.js");
      const asked = [];
      globalThis.fetch = async (url) => (asked.push(String(url)), Response.json({ shop: ${JSON.stringify(KEY)} }));
      Notification.requestPermission = async () => "denied";
      const error = await registerWebPush(new PushClient("https://push.example.com/"), { worker: "/sw.js" }).catch(String);
      return [...asked, error];
    })()`);
    t.same(refused, ["https://push.example.com/client/webpush.json", "Error: notifications are not allowed here"]);
  });
}

/** The service worker, in a scope of the test's making. */
function startWorker(pages: object[]) {
  const heard = new Map<string, (event: object) => void>();
  const opened: string[] = [];
  const scope = {
    addEventListener: (name: string, act: (event: object) => void) => heard.set(name, act),
    registration: {
      scope: "https://shop.example.com/",
      pushManager: { subscribe: async (options: object) => ({ toJSON: () => ({ endpoint: "new", ...options }) }) },
    },
    clients: {
      matchAll: async () => pages,
      openWindow: async (url: string) => opened.push(url),
    },
  };
  new Function("globalThis", readFileSync(join(dist, "sw.js"), "utf8"))(scope);
  return {
    opened,
    async happens(name: string, fields: object): Promise<void> {
      let done: Promise<unknown> | undefined;
      heard.get(name)?.({ ...fields, waitUntil: (promise: Promise<unknown>) => (done = promise) });
      await done;
    },
  };
}

t.test("the service worker tells its pages of a subscription that the browser has changed", async (t) => {
  const told: object[] = [];
  const worker = startWorker([{ postMessage: (message: object) => told.push(message) }]);
  await worker.happens("pushsubscriptionchange", { oldSubscription: { options: { key: 1 } }, newSubscription: null });
  await worker.happens("pushsubscriptionchange", { newSubscription: { toJSON: () => ({ endpoint: "given" }) } });
  await worker.happens("pushsubscriptionchange", {});
  t.same(told, [
    { pushbox: "subscribed", token: { endpoint: "new", key: 1 } },
    { pushbox: "subscribed", token: { endpoint: "given" } },
  ]);
});

t.test(
  "a click opens the page of the notification, and the app's own where that is no address, or elsewhere",
  async (t) => {
    const worker = startWorker([]);
    for (const url of ["/orders#1", "http://[", "https://elsewhere.example.com/", "javascript:alert(1)"])
      await worker.happens("notificationclick", { notification: { close() {}, data: { id: "n1", data: { url } } } });
    const home = "https://shop.example.com/#pushbox=n1";
    t.same(worker.opened, ["https://shop.example.com/orders#1&pushbox=n1", home, home, home]);
  },
);
