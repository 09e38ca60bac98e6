// The console for hours in one tab: what it holds after walking through every page again and again, while the server is busy, is what
// it held after the first walks. MINUTES=30 does so for half an hour and prints what has grown; the suite walks a few times.
import { setTimeout as pause } from "node:timers/promises";
import t from "tap";
import { chromium, startChromium } from "../support/chromium.ts";
import { PASSWORD, PATIENT, startConsole } from "../support/console.ts";
import { absent, device } from "../support/devices.ts";
import { startVendors } from "../support/vendors.ts";
import { grown, held } from "./heap.ts";
import { Person } from "./person.ts";

const minutes = Number(process.env["MINUTES"] ?? 0);
/** What is loaded, compiled and cached once is there after so many. */
const FIRST_WALKS = minutes > 0 ? 10 : 1;
const WALKS = 2;
/** A page has fewer nodes; one that is kept at each walk would leave more. */
const ONE_PAGE = 1500;

if (chromium === undefined) t.pass("left out: no chromium is installed");
else {
  const vendors = await startVendors(t, ["fcm"]);
  const fcm = vendors.get("fcm");
  const server = await startConsole(t, { client: PATIENT, vendors: vendors.config(), data: t.testdir({}) });
  const online = await device(t, server, { platform: "android", topics: ["news"] });
  const phones = await absent(server, fcm, 5);
  fcm.fake.tokens.set(phones[0]!.token, "refused");
  const notification = { android: { title: "Hello", message: "World" } };
  const browser = await startChromium(t, chromium);
  const ann = new Person(await browser.open(`${server.consoleUrl}/`, true), server.consoleUrl);
  await ann.look({});
  await ann.enter("ann", PASSWORD);

  const pages = await ann.page.run<readonly string[]>(
    `[...document.querySelectorAll("nav.side a")].map((link) => link.getAttribute("href"))`,
  );

  /** What a backend does meanwhile. */
  async function work(turn: number): Promise<string> {
    await server.ok("push", { topic: "news", json: JSON.stringify({ turn, text: "x".repeat(200) }) });
    await server.ok("uid/bind", { pushId: online.id, uid: `user-${turn % 7}` });
    const { id } = await server.ok("notification", {
      ...{ pushId: phones.map((one) => one.id), notification, timeToLive: "1h" },
    });
    await online.client.settle();
    return String(id);
  }

  /** Every page, with some of what a person does there; back at the first one in the end. */
  async function walk(turn: number): Promise<void> {
    const id = await work(turn);
    const all = [
      ...pages,
      `#/devices/${online.id}`,
      "#/topics/news",
      `#/notifications/${id}`,
      `#/why?id=${id}&pushId=${phones[0]!.id}`,
      ...["#/send/push", "#/send/reach"],
    ];
    for (const hash of all) {
      await ann.turn(hash);
      await ann.page.until(`document.querySelector("main h1") && !document.querySelector("main .loading")`);
      if (hash === "#/send") {
        await ann.fill("Title", `Hello ${turn}`);
        await ann.reads("How it looks");
      }
      if (hash === "#/devices") await ann.fill("pushId begins with", "dev");
      if (hash === `#/devices/${online.id}`) {
        await ann.press("Bind to a user");
        await ann.page.until('document.querySelector("dialog[open]")');
        await ann.press("Cancel");
        await ann.page.until('!document.querySelector("dialog[open]")');
      }
    }
    await ann.follow("#/", "Being sent now");
    await ann.key("/");
    await ann.types("news");
    await ann.page.until(`document.querySelector('[role="option"]')`);
    await ann.key("Escape");
  }

  /** Until it is told to stop: some 30 pushes a second, notifications, and phones that come and go. */
  async function keepBusy(stopped: AbortSignal): Promise<void> {
    for (let turn = 0; !stopped.aborted; turn++) {
      await work(turn);
      for (let i = 0; i < 20 && !stopped.aborted; i++) {
        await server.ok("push", { topic: "news", json: JSON.stringify({ i }) });
        await pause(30);
      }
      const [come] = await absent(server, fcm, 1);
      await server.ok("device/delete", { pushId: come!.id });
    }
  }

  t.test("console: a tab that is open for long and walks through every page holds no more than at first", async (t) => {
    let turn = 0;
    // What the browser keeps for whoever watches its network is not the page's.
    await ann.page.command("Network.disable");
    const stop = new AbortController();
    const busy = minutes > 0 ? keepBusy(stop.signal) : undefined;
    for (; turn < FIRST_WALKS; turn++) await walk(turn);
    const first = await held(ann.page);
    const began = performance.now();
    const until = began + minutes * 60_000;
    let shown = began;
    for (let i = 0; minutes > 0 ? performance.now() < until : i < WALKS; i++) {
      await walk(turn++);
      if (minutes === 0 || performance.now() - shown < 120_000) continue;
      shown = performance.now();
      const { bytes, nodes, listeners } = await held(ann.page, false);
      t.comment(
        `${((shown - began) / 60_000).toFixed(0)} min, ${turn} walks: ${bytes} bytes, ${nodes} nodes, ${listeners} listeners`,
      );
    }
    stop.abort();
    await busy;
    const last = await held(ann.page);
    t.comment(`after ${FIRST_WALKS} walks ${JSON.stringify({ ...first, kinds: undefined })}`);
    t.comment(`after ${turn} walks ${JSON.stringify({ ...last, kinds: undefined })}`);
    for (const line of grown(first, last)) t.comment(line);
    t.ok(last.detached < ONE_PAGE, `nodes that are in no document: ${last.detached}`);
    t.ok(last.nodes - first.nodes < ONE_PAGE, `nodes more than at first: ${last.nodes - first.nodes}`);
    t.same(ann.complaints(), []);
  });
}
