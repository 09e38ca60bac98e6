// The console's pages for whoever operates the server, in a real browser, each through its main task, and what holds of all of them:
// both languages, light and dark, narrow and wide, usable by everybody. SCREENSHOTS=dist/screenshots keeps a picture of each.
import t from "tap";
import { ENDPOINTS } from "../../src/api/endpoints/index.ts";
import type { Config } from "../../src/config/index.ts";
import { chromium, startChromium } from "../support/chromium.ts";
import { RawClient } from "../support/clients.ts";
import { PASSWORD, PATIENT, startConsole } from "../support/console.ts";
import { device, type Fields, jobIn } from "../support/devices.ts";
import { startReceiver } from "../support/receiver.ts";
import { auth, hs256 } from "../support/tokens.ts";
import { eventually } from "../support/until.ts";
import { LOOKS, Person, pictureName } from "./person.ts";

if (chromium === undefined) t.pass("left out: no chromium is installed");
else {
  const browser = await startChromium(t, chromium);
  const backend = await startReceiver(t);
  const server = await startConsole(t, {
    client: PATIENT,
    data: t.testdir({}),
    hooks: {
      topics: ["news"],
      tell: [{ name: "backend", url: backend.url, secret: [backend.secret], events: ["*"], allow_private: true }],
    },
  });
  const online = await device(t, server, { platform: "android", topics: ["news"] });
  await server.ok("uid/bind", { pushId: online.id, uid: "ann" });
  const ann = new Person(await browser.open(`${server.consoleUrl}/`, true), server.consoleUrl);
  await ann.look({});
  await ann.enter("ann", PASSWORD);
  /** Says yes to what is asked. */
  const agree = async (): Promise<void> => {
    await ann.page.until('document.querySelector("dialog[open] form")');
    await ann.page.run('document.querySelector("dialog form").requestSubmit()');
  };
  /** What a file that was saved would have held. */
  const catchFiles = () =>
    ann.page.run(
      "URL.createObjectURL = (blob) => { window.saved = blob; return 'blob:nothing'; }; HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; }",
    );
  const saved = () => ann.page.run<string>("window.saved.text()");

  t.test("Users: the devices of one, who is online, and taking the user off them", async (t) => {
    const other = await device(t, server, { platform: "ios" });
    await server.ok("uid/bind", { pushId: other.id, uid: "bob" });
    await ann.open("#/users", "How devices come to a user");
    await ann.fill("uid", "bob");
    await ann.press("Show");
    await ann.reads(other.id);
    await ann.press("Unbind all devices");
    await agree();
    await ann.reads("No device is bound to this user");
    t.notOk("uid" in (await server.ok("device/get", { pushId: other.id })));
  });

  t.test("Users: a token that somebody else has is revoked, with the password", async (t) => {
    t.notOk(await ann.has("Revoke tokens"), "where no tokens are looked at");
    const at = await startConsole(t, { client: { ...PATIENT, auth: auth() }, data: t.testdir() });
    const token = await hs256({ sub: "eve" });
    const thief = await RawClient.open(at.clientPort, `transport=websocket&token=${token}`);
    await thief.hello({ id: "thief-0123456789" });
    const person = new Person(await browser.open(`${at.consoleUrl}/`, true), at.consoleUrl);
    await person.look({});
    await person.enter("ann", PASSWORD);
    await person.open("#/users/eve", "thief-0123456789");
    await person.press("Revoke tokens");
    await person.page.until('document.querySelector("dialog[open] form")');
    await person.page.run('document.querySelector("dialog form").requestSubmit()');
    await person.confirm(PASSWORD);
    await thief.closed;
    await person.reads("no token from before counts any more");
    await person.leave();
  });

  t.test("console 14: a topic with its members, its rates and what is kept; somebody is kicked", async (t) => {
    const unruly = await device(t, server, { topics: ["news"] });
    await server.ok("push", { topic: "news", json: { kept: "for later" }, timeToLive: "1h" });
    await ann.open("#/topics", "Topics");
    await ann.press("news");
    await ann.reads("Who is in it now");
    await ann.reads('{"kept":"for later"}');
    await ann.reads(unruly.id);
    await server.ok("push", { topic: "news", json: 1 });
    await ann.page.until(
      '[...document.querySelectorAll(".tile")].some((one) => one.innerText.startsWith("Came in") && Number(one.querySelector(".value").innerText) > 0)',
    );
    await ann.page.run(
      `void [...document.querySelectorAll("tbody tr")].find((row) => row.innerText.includes("${unruly.id}")).querySelector("button").click()`,
    );
    await agree();
    await ann.reads("It has left, for 10 minutes");
    await ann.page.until(`!document.querySelector("tbody").innerText.includes("${unruly.id}")`);
    t.match(await server.ok("topicOnline", { topic: "news" }), { count: 1 });
    await ann.press("Push to it");
    await ann.reads("Message (JSON or text)");
  });

  t.test("console 15: a webhook is tried, and gets events once more", async (t) => {
    await ann.open("#/hooks", "Webhooks");
    await ann.press("backend");
    await ann.reads("Last attempts");
    await ann.press("Send a test");
    await ann.reads("It answered 200");
    await ann.press("Send again");
    await ann.reads("queued once more");
    t.ok((await server.ok("hook/list", {}))["hooks"]);
  });

  t.test("Statistics: every key with its curves, as CSV and as a picture; sessions and types", async (t) => {
    online.client.emit("stats", {
      requestStats: [{ path: "login", totalCount: 4, successCount: 3, totalLatency: 60 }],
    });
    await server.ok("notification", { pushId: online.id, type: "offers", notification: { android: { title: "T" } } });
    await eventually(
      async () => {
        await server.app.settled();
        return server.ok("stats/series", { key: "login" });
      },
      ({ series }) => (series as Record<string, number[]>[])[0]?.["count"]?.at(-1) === 4,
    );
    await ann.open("#/statistics", "Every key");
    await ann.reads("offers");
    await ann.choose("week");
    await ann.press("login");
    await ann.reads("Mean latency");
    await ann.page.until('document.querySelectorAll("figure canvas").length === 4');
    await ann.reads("75%");
    await catchFiles();
    await ann.press("CSV");
    await ann.page.until("window.savedAs === 'login.csv'");
    t.match(await saved(), /^time,key,count.*\r\n\S+,login,4,3,/);
    await ann.press("PNG");
    await ann.page.until("window.savedAs === 'login.png'");
    t.equal(await ann.page.run("window.saved.type"), "image/png");
    await ann.choose("30 days by the day");
    await ann.page.until('location.hash.includes("by=day")');
  });

  t.test(
    "a table that is asked for when the login has ended: the page wants the password, and no error is logged",
    async (t) => {
      await ann.open("#/statistics/login", "Mean latency");
      await ann.page.run(
        'fetch("/admin/logout", { method: "POST", body: "{}", headers: { "content-type": "application/json" } }).then(({ status }) => status)',
      );
      await ann.press("CSV");
      await ann.reads("Log in");
      t.same(ann.complaints(), []);
      await ann.enter("ann", PASSWORD);
    },
  );

  t.test("console 13: connections by a filter that is in the address, and the end of one", async (t) => {
    const tablet = await device(t, server, { platform: "tablet" });
    await ann.open("#/connections", "were looked at");
    await ann.fill("Platform", "tablet");
    await ann.press("Show");
    await ann.reads("1 shown");
    await ann.page.until('location.hash.includes("platform=tablet")');
    await ann.press("Disconnect");
    await agree();
    await tablet.client.closed;
    await ann.reads("No connection fits");
    t.match(await server.ok("connection/list", { platform: "tablet" }), { connections: [] });
  });

  t.test("console 11: a device is followed while it speaks; the trace is stopped and taken along", async (t) => {
    await ann.open("#/trace", "Start a trace");
    await ann.fill("Its name", online.id);
    await ann.press("Follow");
    await ann.reads("until");
    online.client.emit("subscribeTopic", { topic: "followed" });
    await ann.reads('42["subscribeTopic",{"topic":"followed"}]');
    await ann.reads("joined followed");
    await server.ok("push", { pushId: online.id, json: "seen" });
    await ann.reads('42["p","seen"]');
    await ann.press("Stop");
    await ann.reads("ended");
    await catchFiles();
    await ann.press("Download");
    await ann.page.until("window.saved");
    t.match(await saved(), /\tin\t\S+\t42\["subscribeTopic"/);
    t.match(await ann.page.run("window.savedAs"), `trace-${online.id}.txt`);
  });

  t.test("console 12: a client in the page connects, says and is told; two of them chat", async (t) => {
    await ann.open("#/playground", "not connected");
    await ann.fill("pushId", "playground-ann-1");
    await ann.press("Connect");
    await ann.reads("The server knows it as");
    await ann.reads('42["pushId",{"id":"playground-ann-1"');
    t.match(await server.ok("device/get", { pushId: "playground-ann-1" }), { connected: true });
    await ann.press("Push");
    await ann.reads('42["p",{"hello":"world"}]');
    await ann.press("Say it");
    await ann.reads('42["subscribeTopic",{"topic":"news"}]');
    await ann.choose("Chat room");
    const listener = await device(t, server, { topics: ["chatRoom"] });
    await ann.fill("Message", "hello to all");
    await ann.press("Say");
    await ann.page.until('document.querySelector(".chat").innerText.includes("hello to all")');
    t.match(await listener.client.next('42["p"'), /hello to all/);
    await ann.choose("Shared drawing");
    await ann.reads("Draw with the mouse");
    await ann.press("Disconnect");
    await ann.reads("not connected");
  });

  t.test("console 15: settings with their origin, what a reload changes, and the reload", async (t) => {
    let next: Partial<Config> = {};
    const own: Awaited<ReturnType<typeof startConsole>> = await startConsole(t, { data: t.testdir() }, async () => ({
      ...{ config: { ...own.config, ...next } as Config, warnings: [] },
      origins: new Map([["log_level", "pushbox.toml:7"]]),
    }));
    const person = new Person(await browser.open(`${own.consoleUrl}/`, true), own.consoleUrl);
    await person.look({});
    await person.enter("ann", PASSWORD);
    await person.follow("#/configuration", "Nothing has changed where settings come from");
    await person.fill("Find", "log_level");
    await person.reads("The least important events");
    next = { logLevel: "warn", trustClientUid: true };
    await person.press("Compare again");
    await person.reads("trust_client_uid");
    await person.reads("restart");
    await person.press("Reload");
    await person.page.until('document.querySelector("dialog[open] form")');
    await person.page.run('document.querySelector("dialog form").requestSubmit()');
    await person.reads("pushbox.toml:7");
    const { settings } = await own.ok("config/get", {});
    t.match(
      (settings as Fields[]).find(({ name }) => name === "log_level"),
      { value: "warn", origin: "pushbox.toml:7" },
    );
    await person.leave();
  });

  t.test("Audit: what was done above is there with its name, and found by its action", async (t) => {
    await server.app.settled();
    await ann.open("#/audit", "ann (console)");
    await ann.fill("Action", "connection/close");
    await ann.press("Show");
    await ann.page.until(
      '[...document.querySelectorAll("tbody tr")].length === 1 && document.querySelector("tbody").innerText.includes("connection/close")',
    );
    await ann.reads("done");
    t.same(ann.complaints(), []);
  });

  t.test("API reference: an endpoint is found, read and tried; what it refuses is shown", async (t) => {
    await ann.open("#/reference", "API reference");
    await ann.fill("Find an endpoint", "presence");
    await ann.press("presence");
    await ann.reads("Which devices or users are online.");
    await ann.fill("uid", "ann");
    await ann.press("Call it");
    await ann.reads('"online": true');
    await ann.open("#/reference/topicOnline", "Parameters");
    await ann.press("Call it");
    await ann.reads("topic is required");
    await ann.reads("The server refused");
    t.match(await ann.page.run("document.body.innerText"), "curl ", "the same for a terminal");
  });

  t.test("every page fits, speaks both languages, is light and dark, and shuts nobody out", async (t) => {
    const { id } = await server.ok("notification", { pushId: online.id, notification: { android: { title: "T" } } });
    await jobIn(server, id);
    const { trace } = (await server.ok("trace/start", { pushId: online.id }))["trace"] as Fields;
    const pages = {
      users: ["#/users/ann", "Devices online", "在线设备"],
      topics: ["#/topics/news", "Who is in it now", "当前成员"],
      hooks: ["#/hooks/backend", "Last attempts", "最近的尝试"],
      statistics: ["#/statistics", "Every key", "全部指标"],
      connections: ["#/connections", "were looked at", "查看了"],
      trace: [`#/trace/${String(trace)}`, "Download", "下载"],
      playground: ["#/playground", "What a backend sends", "后端发送"],
      configuration: ["#/configuration", "[client]", "[client]"],
      audit: ["#/audit", "ann (console)", "ann (console)"],
      reference: ["#/reference/push", "Try it", "试一试"],
    } as const;
    const written = [online.id, "ann", "news", "backend", "push", ...Object.keys(ENDPOINTS["/push"].takes)];
    for (const look of LOOKS) {
      const { width, dark, language } = look;
      await ann.look(look);
      await ann.open("#/", language === "en" ? "Being sent now" : "总览");
      for (const [name, [hash, english, chinese]] of Object.entries(pages)) {
        await ann.follow(hash, language === "en" ? english : chinese);
        t.same(await ann.overflow(), [], `${name} fits into ${width}`);
        if (language === "zh") t.same(await ann.english(written), [], `${name}: all of it is Chinese`);
        // In the dark those with colours of their own: the others are made of what is looked at there.
        if (!dark || name === "trace" || name === "playground") t.same(await ann.barriers(), [], `${name} ${language}`);
        await ann.picture(t, pictureName(`${name}-one`, look));
        await ann.look(look);
      }
    }
    t.same(ann.complaints(), []);
  });
}
