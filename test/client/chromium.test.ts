// integration 17: the client in a real browser, through a network that goes, a server that is restarted, a tab that sleeps and a token that ends;
// and the page of examples in two tabs.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { chromium, type Page, startChromium } from "../support/chromium.ts";
import { takeClock } from "../support/clock.ts";
import { openFaulty } from "../support/faulty.ts";
import { auth, hs256, seconds } from "../support/tokens.ts";
import { until } from "../support/until.ts";

const SCREENSHOTS = process.env["SCREENSHOTS"];

if (chromium === undefined) t.pass("left out: no chromium is installed");
else {
  const browser = await startChromium(t, chromium);
  const heartbeat = { pingInterval: 1000, pingTimeout: 1000 };

  /** A client in a page of the server's own origin; what it gets is in `got` and `told` there. */
  async function client(url: string, options = "{}"): Promise<Page> {
    // A file of the server, so that the page of examples does not count as a visitor.
    const page = await browser.open(`${url}/client/pushbox.d.ts`);
    await page.run(`(async () => {
      const { PushClient } = await import("/client/pushbox.js");
      window.got = [];
      window.told = [];
      window.client = new PushClient(undefined, { topics: ["news"], ...${options} });
      client.on("message", ({ data }) => got.push(data));
      for (const name of ["connect", "gap", "state", "error"])
        client.on(name, (event) => told.push(name === "state" ? event : name === "connect" ? "connect " + event.recovered : name + " " + (event.code ?? "")));
    })()`);
    await page.until('told.includes("connect false")');
    return page;
  }
  const kept = (server: TestApp, json: unknown) => server.ok("push", { topic: "news", json, timeToLive: 600_000 });
  const offline = (page: Page, gone: boolean) =>
    page.command("Network.emulateNetworkConditions", {
      offline: gone,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    });

  t.test("integration 17: Chromium: a network that goes and comes back", async (t) => {
    const server = await startTestApp(t);
    const page = await client(server.clientUrl);
    await kept(server, 1);
    await page.until("got.length === 1");
    await offline(page, true);
    await page.until('client.state === "offline"');
    for (const json of [2, 3]) await kept(server, json);
    await offline(page, false);
    await page.until("got.length === 3");
    await kept(server, 4);
    await page.until("got.length === 4");
    t.same(await page.run("got"), [1, 2, 3, 4]);
    const told = await page.run<string[]>("told.filter((one) => /connect |gap|error|offline/.test(one))");
    // While it is gone the client may try once more.
    t.same(
      told.filter((one, at) => one !== told[at - 1]),
      ["connect false", "offline", "connect true"],
    );
  });

  t.test(
    "integration 17: Chromium: a server that is restarted, and a page that is loaded anew meanwhile",
    async (t) => {
      const data = t.testdir();
      const first = await startTestApp(t, { data, client: heartbeat });
      const way = await openFaulty(t, first.clientPort);
      const page = await client(way.url);
      await kept(first, 1);
      await page.until("got.length === 1");
      await first.stop();
      await page.until('client.state !== "connected"');
      const second = await startTestApp(t, { data, client: heartbeat });
      await kept(second, 2);
      way.target = second.clientPort;
      await page.until("got.length === 2");
      const pushId = await page.run("client.pushId");
      await page.goTo("about:blank");
      await kept(second, 3);
      const again = await browser.open(`${way.url}/client/pushbox.d.ts`);
      await again.run(`(async () => {
      const { PushClient } = await import("/client/pushbox.js");
      window.got = [];
      window.client = new PushClient(undefined, { topics: ["news"] });
      client.on("message", ({ data }) => got.push(data));
      client.on("connect", ({ recovered }) => { window.recovered = recovered; });
    })()`);
      await again.until("window.recovered !== undefined && got.length === 1");
      t.same(await again.run("[got, recovered, client.pushId]"), [[3], true, pushId]);
    },
  );

  t.test("integration 17: Chromium: a tab that is frozen for longer than the server waits", async (t) => {
    const server = await startTestApp(t, { client: heartbeat });
    const page = await client(server.clientUrl);
    await kept(server, 1);
    await page.until("got.length === 1");
    const { pushId } = await page.run<{ pushId: string }>("({ pushId: client.pushId })");
    await page.command("Page.setWebLifecycleState", { state: "frozen" });
    const connections = async () =>
      ((await server.ok("device/get", { pushId }))["connections"] as unknown[] | undefined)?.length ?? 0;
    await until(async () => (await connections()) === 0);
    for (const json of [2, 3]) await kept(server, json);
    await page.command("Page.setWebLifecycleState", { state: "active" });
    await page.until("got.length === 3");
    t.same(await page.run("got"), [1, 2, 3]);
    t.notMatch(String(await page.run("told")), "gap");
  });

  t.test("integration 17: Chromium: a token that ends while it is connected", async (t) => {
    const clock = takeClock(t);
    const server = await startTestApp(t, {
      client: { ...heartbeat, pingTimeout: 60_000, auth: auth({ required: true }) },
    });
    const first = await hs256({ sub: "ann", iat: seconds(0), exp: seconds(600) });
    const page = await client(
      server.clientUrl,
      `{ token: () => { const next = (window.tokens ??= ["${first}"]).shift(); if (!next) throw new Error("none"); return next; } }`,
    );
    const give = async (exp: number) =>
      page.run(`tokens.push("${await hs256({ sub: "ann", iat: seconds(0), exp: seconds(exp) })}")`);
    await give(2000);
    clock.move(700_000);
    await page.until("tokens.length === 0");
    await kept(server, 1);
    await page.until("got.length === 1");
    t.same(await page.run("told"), ["connecting", "connected", "connect false"], "renewed without a break");
    clock.move(2_000_000);
    await page.until('told.includes("error token")');
    clock.move(40_000);
    await page.until('told.includes("error token_expired")');
    await kept(server, 2);
    await give(3600);
    await page.until("got.length === 2");
    t.same(await page.run("[got, client.uid]"), [[1, 2], "ann"]);
  });

  t.test("the page of examples works in two tabs, and does nothing that its policy forbids", async (t: Test) => {
    const server = await startTestApp(t);
    const [one, two] = [
      await browser.open(`${server.clientUrl}/client/`),
      await browser.open(`${server.clientUrl}/client/`),
    ];
    for (const page of [one, two]) await page.until('document.getElementById("state").textContent === "connected"');
    await two.until('document.getElementById("online").textContent === "2 are here"');
    await one.run(
      `document.getElementById("text").value = "hello <b>you</b>"; document.querySelector("#say button").click()`,
    );
    for (const page of [one, two])
      await page.until('document.getElementById("chat").textContent.includes("hello <b>you</b>")');
    await one.run(`(() => {
      const sheet = document.getElementById("drawing");
      sheet.setPointerCapture = () => {};
      const { left, top } = sheet.getBoundingClientRect();
      const at = (type, x, y) => sheet.dispatchEvent(new PointerEvent(type, { clientX: left + x, clientY: top + y, bubbles: true }));
      at("pointerdown", 30, 30);
      for (let x = 40; x <= 200; x += 10) at("pointermove", x, 30 + x / 2);
      at("pointerup", 200, 130);
    })()`);
    const drawn = `(() => {
      const sheet = document.getElementById("drawing");
      return sheet.getContext("2d").getImageData(0, 0, sheet.width, sheet.height).data.filter((_, i) => i % 4 === 3).some((a) => a > 0);
    })()`;
    for (const page of [one, two]) await page.until(drawn);
    await two.run('document.getElementById("notify").click()');
    await two.until('document.getElementById("notes").textContent.includes("A notification to this device")');
    // What is still kept of the room comes to a third visitor.
    const three = await browser.open(`${server.clientUrl}/client/`);
    await three.until('document.getElementById("chat").textContent.includes("hello <b>you</b>")');
    for (const page of [one, two, three]) t.same(page.complaints, []);
    await three.command("Emulation.setDeviceMetricsOverride", {
      width: 360,
      height: 800,
      deviceScaleFactor: 1,
      mobile: true,
    });
    t.equal(
      await three.run("Math.max(innerWidth, document.documentElement.scrollWidth)"),
      360,
      "no phone scrolls aside",
    );
    if (SCREENSHOTS !== undefined) {
      mkdirSync(SCREENSHOTS, { recursive: true });
      for (const [name, width, scheme] of [
        ["wide", 1100, "light"],
        ["dark", 1100, "dark"],
        ["phone", 390, "light"],
      ] as const) {
        await two.command("Emulation.setDeviceMetricsOverride", {
          width,
          height: 900,
          deviceScaleFactor: 1,
          mobile: width < 500,
        });
        await two.command("Emulation.setEmulatedMedia", {
          features: [{ name: "prefers-color-scheme", value: scheme }],
        });
        writeFileSync(join(SCREENSHOTS, `${name}.png`), await two.screenshot());
      }
    }
  });
}
