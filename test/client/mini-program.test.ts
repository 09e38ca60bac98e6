// The client in a mini program, with sockets and storage that behave as those of WeChat and uni-app are documented to.
import t from "tap";
import type { Options } from "../../src/client/api.ts";
import { miniProgram } from "../../src/client/mini-program.ts";
import { startTestApp } from "../support/app.ts";
import { faster, open } from "./support.ts";

// So patient that its silence tells nobody that a connection is dead.
const server = await startTestApp(t, { client: { pingInterval: 600_000, pingTimeout: 300_000 } });
/** Never tired of waiting for a connection to open. */
const patient = {
  ...faster,
  after: (milliseconds: number, act: () => void) =>
    milliseconds === 20_000 ? () => {} : faster.after(milliseconds, act),
};

interface Callbacks {
  success?(answer: object): void;
  fail?(answer: { readonly errMsg: string }): void;
  complete?(answer: object): void;
}

/** Connections at a time. */
const MOST = 5;

function platform() {
  const items = new Map<string, unknown>();
  const shown = new Set<() => void>();
  const hidden = new Set<() => void>();
  const tasks = new Set<{ readonly socket: WebSocket; deaf: boolean }>();
  const state = { full: false, refusals: 0, most: 0, opened: 0 };
  const answer = ({ success, fail, complete }: Callbacks, errMsg: string, isWell: boolean): void => {
    if (isWell) success?.({ errMsg });
    else fail?.({ errMsg });
    complete?.({ errMsg });
  };
  return {
    items,
    state,
    tasks,
    show(): void {
      for (const act of shown) act();
    },
    hide(): void {
      for (const act of hidden) act();
    },
    connectSocket({ url, ...callbacks }: Callbacks & { readonly url: string }) {
      // Without a callback uni-app returns a promise, which is no socket.
      if (Object.values(callbacks).length === 0) return Promise.resolve() as never;
      if (state.refusals > 0 || tasks.size >= MOST) {
        state.refusals--;
        answer(callbacks, "connectSocket:fail exceed max concurrent count", false);
        const never = () => {};
        const notThere = (given: Callbacks) => answer(given, "fail taskID not exist", false);
        return { onMessage: never, onClose: never, onError: never, send: notThere, close: notThere };
      }
      const task = { socket: new WebSocket(url), deaf: false };
      tasks.add(task);
      state.opened++;
      state.most = Math.max(state.most, tasks.size);
      const { socket } = task;
      socket.addEventListener("close", () => void tasks.delete(task));
      queueMicrotask(() => answer(callbacks, "connectSocket:ok", true));
      const hears = (name: string, act: (event: never) => void) =>
        socket.addEventListener(name, (event) => {
          if (!task.deaf) act(event as never);
        });
      return {
        onMessage: (act: (event: { readonly data: unknown }) => void) => hears("message", act),
        onClose: (act: () => void) => hears("close", act),
        onError: (act: () => void) => hears("error", act),
        send({ data, ...given }: Callbacks & { readonly data: string }) {
          const isOpen = socket.readyState === WebSocket.OPEN;
          if (isOpen) socket.send(data);
          answer(given, isOpen ? "sendSocketMessage:ok" : "sendSocketMessage:fail taskID not exist", isOpen);
        },
        close(given: Callbacks) {
          const isThere = tasks.has(task);
          socket.close();
          answer(given, isThere ? "closeSocket:ok" : "closeSocket:fail wcwss taskID not exist", isThere);
        },
      };
    },
    getStorageSync: (key: string) => items.get(key) ?? "",
    setStorageSync(key: string, value: unknown) {
      if (state.full) throw new Error("setStorageSync:fail exceed storage max size");
      items.set(key, value);
    },
    onAppShow: (act: () => void) => void shown.add(act),
    offAppShow: (act: () => void) => void shown.delete(act),
    onAppHide: (act: () => void) => void hidden.add(act),
    offAppHide: (act: () => void) => void hidden.delete(act),
    onNetworkStatusChange() {},
  };
}

t.test(
  "it keeps its name and position, comes back as often as it is cut, and leaves no connection behind",
  async (t) => {
    const wx = platform();
    const first = open(t, server.clientUrl, { ...miniProgram(wx), topics: ["news"] }, faster);
    const { pushId } = await first.next("connect", 0);
    for (let i = 0; i < 2 * MOST; i++) {
      const back = first.next("connect");
      await server.ok("disconnect", { pushId });
      t.match(await back, { recovered: true });
      await server.ok("push", { topic: "news", json: i, timeToLive: "1h" });
      await first.until(() => first.got.length === i + 1);
    }
    t.equal(wx.state.most, 1);
    first.client.close();
    await server.ok("push", { topic: "news", json: "while away", timeToLive: "1h" });
    const again = open(t, server.clientUrl, { ...miniProgram(wx), topics: ["news"] }, faster);
    t.match(await again.next("connect", 0), { pushId, recovered: true });
    await again.until(() => again.got.length === 1);
    t.same(again.got, ["while away"]);
  },
);

t.test("a connection that the platform refuses is tried again soon, though only fail tells of it", async (t) => {
  const wx = platform();
  wx.state.refusals = 2;
  const one = open(t, server.clientUrl, miniProgram(wx), patient);
  await one.next("connect", 0);
  t.same(one.states, ["connecting", "waiting", "connecting", "waiting", "connecting", "connected"]);
});

t.test("a connection that has ended unheard is found out when something is sent", async (t) => {
  const wx = platform();
  const one = open(t, server.clientUrl, miniProgram(wx), patient);
  await one.next("connect", 0);
  const [task] = wx.tasks;
  task!.deaf = true;
  task!.socket.close();
  await new Promise((resolve) => task!.socket.addEventListener("close", resolve));
  const back = one.next("connect");
  one.client.addTag("a");
  await back;
  t.equal(wx.state.opened, 2);
});

t.test("with a storage that is full, or throws, it works as long as the program runs", async (t) => {
  const wx = platform();
  wx.state.full = true;
  const options: Options = { ...miniProgram(wx), topics: ["news"] };
  const one = open(t, server.clientUrl, options, faster);
  await one.next("connect", 0);
  await server.ok("push", { topic: "news", json: 1, timeToLive: "1h" });
  await one.until(() => one.got.length === 1);
  t.equal(wx.items.size, 0);
});

t.test("while the program is hidden its user is away for reach, and is not when it is shown again", async (t) => {
  const wx = platform();
  const one = open(t, server.clientUrl, miniProgram(wx), faster);
  const { pushId } = await one.next("connect", 0);
  await server.ok("uid/bind", { pushId, uid: "mini" });
  /** The server has heard all that was said before. */
  const heard = async (tag: string): Promise<void> => {
    one.client.addTag(tag);
    while (!((await server.ok("device/get", { pushId }))["tags"] as string[]).includes(tag));
  };
  const reach = async (json: string): Promise<() => Promise<unknown>> => {
    await heard(`${json} is said`);
    const notification = { android: { title: "T", message: "m" } };
    const { id } = await server.ok("reach", { uid: "mini", json, notification });
    await one.until(() => one.got.includes(json));
    await heard(`${json} is handled`);
    return async () => (await server.ok("notification/get", { id: String(id) }))["reached"];
  };
  wx.hide();
  const hidden = await reach("hidden");
  wx.show();
  const shown = await reach("shown");
  while (((await shown()) as Record<string, number>)["socket"] !== 1);
  t.match(await hidden(), { socket: 0 });
  one.client.close();
  wx.show();
  t.equal(one.client.state, "offline", "nobody listens any more");
});
