// The console in a real browser, against a real server with the lab's vendors: each page through its main task, by mouse and by keys
// alone, and what holds of all of them: both languages, light and dark, narrow and wide, usable by everybody, nothing from elsewhere.
// SCREENSHOTS=dist/screenshots keeps a picture of each.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { chromium, startChromium } from "../support/chromium.ts";
import { RawClient } from "../support/clients.ts";
import { PASSWORD, PATIENT, startConsole } from "../support/console.ts";
import { absent, device, type Fields, jobIn, notis, tokenOf } from "../support/devices.ts";
import { eventually } from "../support/until.ts";
import { startVendors } from "../support/vendors.ts";
import { LOOKS, Person, pictureName } from "./person.ts";

if (chromium === undefined) t.pass("left out: no chromium is installed");
else {
  const browser = await startChromium(t, chromium);
  const vendors = await startVendors(t, ["apns", "fcm", "xiaomi"]);
  const [apns, fcm, xiaomi] = [vendors.get("apns"), vendors.get("fcm"), vendors.get("xiaomi")];
  const server = await startConsole(t, { client: PATIENT, vendors: vendors.config(), data: t.testdir({}) });
  const online = await device(t, server, { platform: "android", topics: ["news"], tags: ["beta"] });
  const [ios] = await absent(server, apns, 1);
  const phones = await absent(server, fcm, 4);
  const [chinese] = await absent(server, xiaomi, 1);
  await server.ok("uid/bind", { pushId: online.id, uid: "ann" });

  const ann = await login("ann");

  /** A browser's page of this user. */
  async function login(name: string): Promise<Person> {
    const person = new Person(await browser.open(`${server.consoleUrl}/`, true), server.consoleUrl);
    await person.look({});
    await person.enter(name, PASSWORD);
    return person;
  }

  /** What this file, or its vendors, say. */
  const WRITTEN = [
    ...[
      online.id,
      "beta",
      "news",
      "ann",
      "Ann's phone",
      `Ann's phone (${online.id})`,
      "Hello",
      "Hello all",
      "Only to me",
    ],
    "400 INVALID_ARGUMENT Request contains an invalid argument.",
  ];

  const notification = { android: { title: "Hello", message: "World" }, apn: { alert: "Hello" } };

  t.test("console: the first password is set by the setup link, by keys alone; then out, and in again", async (t) => {
    const app = await startTestApp(t, { admin: { enabled: true } });
    const first = new Person(await browser.open(`${app.consoleUrl}/`, true), app.consoleUrl);
    await first.look({});
    await first.open("", "pushbox admin reset");
    await first.open(String(app.app.setupLink).slice(app.consoleUrl.length + 1), "Welcome to pushbox");
    await first.tabTo("Name");
    await first.tabTo("Password");
    await first.types(PASSWORD);
    await first.tabTo("The same password again");
    await first.types(PASSWORD);
    await first.key("Enter");
    await first.reads("Being sent now");
    await first.press("admin");
    await first.fill("The password until now", PASSWORD);
    await first.fill("The new one", `${PASSWORD} again`);
    await first.press("Save");
    await first.reads("The password was changed");
    await first.press("Log out");
    await first.reads("pushbox admin reset");
    await first.fill("Name", "admin");
    await first.fill("Password", PASSWORD);
    await first.press("Log in");
    await first.page.until('document.querySelector("[role=alert]")');
    await first.fill("Password", `${PASSWORD} again`);
    await first.press("Log in");
    await first.reads("Being sent now");
    t.same([first.complaints(), first.strangers()], [[], []]);
    await first.leave();
    await app.stop();
  });

  t.test("console 1: one search box finds a device, a user and a topic, by keys alone", async (t) => {
    await ann.open("#/", "Being sent now");
    t.notOk(await ann.sees("They share one PostgreSQL"), "there is one process, so no list of them");
    for (const [text, found] of [
      [online.id, online.id],
      ["ann", "ann"],
      ["new", "news"],
    ] as const) {
      await ann.key("/");
      await ann.types(text);
      await ann.page.until(`document.querySelector('[role="option"]')?.innerText.includes(${JSON.stringify(found)})`);
      await ann.key("Enter");
      await ann.page.until(`location.hash.endsWith(${JSON.stringify(`/${found}`)})`);
      await ann.page.until(`document.querySelector("main").innerText.includes(${JSON.stringify(found)})`);
      await ann.page.until('document.activeElement.matches("h1")'); // the next key is for the page that was found
      t.match(await ann.page.run("location.hash"), /^#\/(devices|users|topics)\//);
    }
  });

  t.test("Devices: found by its name, bound to another user, and deleted with the password", async (t) => {
    const [gone] = await absent(server, fcm, 1);
    await ann.open("#/devices", "Devices");
    await ann.fill("pushId begins with", gone!.id.slice(0, -3));
    await ann.press("Show");
    await ann.press(gone!.id);
    await ann.reads("Vendor's token");
    await ann.press("Bind to a user");
    await ann.fill("User (uid)", "bob");
    await ann.page.run('document.querySelector("dialog form").requestSubmit()');
    await ann.reads("The device belongs to bob now");
    await ann.press("Delete");
    await ann.page.until('document.querySelector("dialog[open]")');
    await ann.page.run('document.querySelector("dialog form").requestSubmit()');
    await ann.confirm(PASSWORD);
    await ann.reads("The device was deleted");
    t.match(await server.ok("device/list", { prefix: gone!.id }), { devices: [] });
  });

  t.test(
    "console 5: a notification is seen as phones show it, and weighed at each vendor as it is written",
    async (t) => {
      await ann.open("#/send", "How it looks");
      await ann.fill("Title", "Autumn sale");
      await ann.fill("Text", "Until Sunday");
      for (const kind of ["android", "ios", "web"])
        await ann.page.until(`document.querySelector(".phone.${kind} .bubble").innerText.includes("Autumn sale")`);
      await ann.reads("xiaomi");
      await ann.reads("/ 4,096 bytes");
      await ann.fill("Payload for the app (JSON object)", JSON.stringify({ huge: "x".repeat(5000) }));
      await ann.reads("fcm: the payload has");
      await ann.fill("Payload for the app (JSON object)", "{");
      await ann.press("Send");
      await ann.reads("No JSON object");
      await ann.reads("Say who");
      t.equal((await server.ok("job/list", {}))["jobs"]?.toString(), "", "nothing was sent");
    },
  );

  t.test(
    "console 4: to everybody it is counted, the number is typed, the password is given; then it goes",
    async (t) => {
      await ann.open("#/send", "How it looks");
      await ann.choose("Everybody");
      await ann.fill("Title", "Hello all");
      await ann.page.until('document.querySelector("button.main").disabled');
      await ann.press("Count first");
      await ann.reads("It reaches 6");
      await ann.fill("Type 6 to send", "7");
      t.notOk(await ann.has("Send to 6"), "another number does not do");
      await ann.fill("Type 6 to send", "6");
      await ann.press("Send to 6");
      await ann.reads("Device by device");
      const id = decodeURIComponent(/notifications\/(.+)$/.exec(await ann.page.run<string>("location.hash"))![1]!);
      t.match(await jobIn(server, id), { target: "all", state: "finished" });
      await ann.reads("finished");
    },
  );

  t.test("console 3: one's own device is marked, and is sent to first", async (t) => {
    await ann.open(`#/devices/${online.id}`, "Record");
    await ann.press("Use as test device");
    await ann.fill("Whose it is", "Ann's phone");
    await ann.press("Save");
    await ann.reads("It is a test device now");
    await ann.open("#/send?to=all", "My test devices first");
    await ann.reads("Ann's phone");
    await ann.fill("Title", "Only to me");
    await ann.press("Send to test devices");
    await ann.reads("Sent to 1 test device");
    t.match((await notis(online.client)).at(-1), { android: { title: "Only to me" } });
  });

  t.test("a message to a topic is handed to who is there, by keys alone", async (t) => {
    await ann.open("#/send/push?to=topic", "Message");
    await ann.tabTo("Name of the topic");
    await ann.types("news");
    await ann.tabTo("Message (JSON or text)");
    await ann.types('{"n":1}');
    await ann.tabTo("Send");
    await ann.key("Enter");
    await ann.reads("Handed to 1 connection");
    t.ok((await online.client.settle()).some((frame) => frame.startsWith('42["p",{"n":1}')));
  });

  t.test("console 2: why it did not arrive, from the notification and from the device", async (t) => {
    xiaomi.fake.tokens.set(chinese!.token, "dead");
    const { id } = await server.ok("notification", { pushId: chinese!.id, notification, timeToLive: "1h" });
    await jobIn(server, id);
    await ann.open(`#/notifications/${id}`, "Device by device");
    await ann.press("Why?");
    await ann.reads("What helps:");
    await ann.reads("The token is dead");
    for (const step of ["Accepted here", "Prepared for the device", "Vendor's answer", "Arrived", "Opened"])
      await ann.reads(step);
    await ann.press("The device");
    await ann.reads("Latest notifications");
    await ann.page.until(`document.querySelector('main a[href^="#/why"]')`);
    await ann.press("Why did it not arrive?");
    await ann.reads("What helps:");
    t.match(await ann.page.run("location.hash"), new RegExp(`id=${id}`));
  });

  t.test("console 7: a paced job shows how far it is; it is paused, slowed, let go on and cancelled", async (t) => {
    const { id } = await server.ok("notification", {
      ...{ pushId: phones.map((one) => one.id), notification, rate: 1, timeToLive: "1d" },
      sendAt: Date.now() + 3_600_000,
    });
    await ann.open("#/notifications", "Notifications & jobs");
    const row = `document.querySelector('a[href="#/notifications/${String(id)}"]')`;
    await ann.page.until(row);
    await ann.page.run(`void ${row}.click()`);
    await ann.reads("scheduled");
    await ann.press("Pause");
    await ann.reads("paused");
    await ann.press("Change rate");
    await ann.fill("Devices per second at most", "25");
    await ann.page.run('document.querySelector("dialog form").requestSubmit()');
    await ann.reads("25 per second");
    await ann.press("Resume");
    await ann.reads("It goes on");
    await ann.press("Cancel the job");
    await ann.page.until('document.querySelector("dialog[open]")');
    await ann.page.run('document.querySelector("dialog form").requestSubmit()');
    await ann.reads("cancelled");
    t.match(await server.ok("job/get", { id }), { state: "cancelled", rate: 25 });
  });

  t.test("a list leaves its rows where they are: what is new waits until it is wanted", async (t) => {
    await ann.open("#/notifications", "Notifications & jobs");
    await ann.page.until('document.querySelectorAll("tbody tr").length > 0');
    const before = await ann.page.run<string>('document.querySelector("tbody").innerText');
    const later = { pushId: online.id, notification, sendAt: Date.now() + 3_600_000 };
    for (let i = 0; i < 2; i++) await server.ok("notification", later);
    await ann.reads("2 new – show");
    t.equal(
      await ann.page.run<string>('document.querySelector("tbody tr:first-child a").innerText'),
      before.split("\n")[0]?.trim().split("\t")[0],
    );
    await ann.press("2 new – show");
    await ann.page.until(`document.querySelector("tbody").innerText !== ${JSON.stringify(before)}`);
  });

  t.test("a list in which there is nothing shows at once what comes", async (t) => {
    await ann.open("#/audit?action=hook%2Fresume", "Audit");
    await ann.page.until('document.querySelector(".list")?.getAttribute("aria-busy") === "false"');
    await server.ok("hook/resume", {});
    await ann.page.until('document.querySelector("tbody tr") !== null');
    t.match(await ann.page.run("document.querySelector('tbody').innerText"), "hook/resume");
  });

  t.test(
    "console 8, 9: failures alike, with what they mean; retried with their count, which obeys the filter",
    async (t) => {
      for (const { token } of phones.slice(0, 2)) fcm.fake.tokens.set(token, "refused");
      const { id } = await server.ok("notification", {
        ...{ pushId: phones.map((one) => one.id), notification, timeToLive: "1h" },
      });
      await jobIn(server, id);
      fcm.fake.tokens.clear();
      await ann.open("#/failures?state=refused", "By reason");
      await ann.press("Retry");
      await ann.reads("2 deliveries will be retried");
      await ann.page.run('document.querySelector("dialog form").requestSubmit()');
      await ann.reads("2 deliveries are retried");
      t.match(
        await eventually(
          () => server.ok("delivery/list", { state: "refused" }),
          ({ deliveries }) => (deliveries as readonly Fields[]).length === 0,
        ),
        { groups: [] },
      );
      await ann.reads("Nothing that failed fits these filters");
    },
  );

  t.test("console 10: a stopped lane says in words what is wrong, and goes on when it is resumed", async (t) => {
    apns.fake.fail("denied", 1000);
    const { id } = await server.ok("notification", { pushId: ios!.id, notification, timeToLive: "1h" });
    await ann.open("#/vendors", "apns");
    await ann.reads("Stopped: the vendor refuses our credentials");
    apns.fake.fail("denied", 0);
    await ann.press("Resume");
    await ann.reads("1 lane goes on");
    t.match(await jobIn(server, id), { progress: { accepted: 1 } });
    await ann.reads("Running; nothing waits.");
  });

  t.test("a tab that nobody sees asks nothing, and shows what is new when it is seen again", async (t) => {
    await ann.page.command("Page.addScriptToEvaluateOnNewDocument", {
      source:
        "window.streams = []; window.EventSource = class extends EventSource { constructor(...all) { super(...all); streams.push(this); } }",
    });
    await ann.open("#/", "Being sent now");
    await ann.page.until("streams.some(({ readyState }) => readyState === 1)");
    const turn = (hidden: boolean) =>
      ann.page.run(`Object.defineProperty(document, "hidden", { value: ${hidden}, configurable: true });
        void document.dispatchEvent(new Event("visibilitychange"))`);
    await turn(true);
    await ann.page.until("streams.every(({ readyState }) => readyState === 2)");
    const asked = ann.page.requests.length;
    await ann.page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    t.equal(ann.page.requests.length, asked);
    await turn(false);
    await ann.page.until("streams.some(({ readyState }) => readyState === 1)");
    t.ok(ann.page.requests.length > asked);
  });

  t.test(
    "a server that is gone is said to be, by a page that shows what was; it goes on when the server is back",
    async (t) => {
      const data = t.testdir({});
      const first = await startConsole(t, { client: PATIENT, data });
      const eve = new Person(await browser.open(`${first.consoleUrl}/`, true), first.consoleUrl);
      await eve.look({});
      await eve.enter("ann", PASSWORD);
      const online = 'document.querySelector(".tile .value").innerText';
      await eve.page.until(`${online} === "0"`);
      const port = Number(new URL(first.consoleUrl).port);
      await first.stop();
      await eve.reads("The server has not answered since");
      await eve.page.until(`${online} === "–"`);
      await eve.page.until('!document.body.innerText.includes("Nothing is being sent")'); // nobody knows that
      await eve.turn("#/devices");
      await eve.reads("The server does not answer");
      await startTestApp(t, { client: PATIENT, data, admin: { enabled: true, port } });
      await eve.reads("Devices appear when an app connects");
      t.notOk(await eve.sees("not answer"));
      await eve.turn("#/");
      await eve.page.until(`${online} === "0"`);
      await eve.leave();
    },
  );

  t.test("a form half filled is there again after a login that ended, and after a reload", async (t) => {
    const eve = await login("ann");
    await eve.open("#/send/notification?to=all", "Every device and every connection");
    await eve.fill("Title", "Half written");
    const ended = await eve.page.run<number>(
      `fetch("/admin/logout", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }).then(({ status }) => status)`,
    );
    t.equal(ended, 200);
    await eve.press("Count first");
    await eve.reads("Your login has ended");
    await eve.fill("Name", "ann");
    await eve.fill("Password", PASSWORD);
    await eve.press("Log in");
    await eve.reads("What you had written and not sent is here again");
    const title = () => eve.page.run<string>('field("Title").value');
    t.equal(await title(), "Half written");
    await eve.reload("#/send/notification?to=all", "What you had written and not sent is here again");
    t.equal(await title(), "Half written");
    await eve.press("Begin anew");
    await eve.page.until('field("Title").value === ""');
    await eve.reload("#/send/notification?to=all", "Every device and every connection");
    t.equal(await title(), "");
    await eve.leave();
  });

  t.test("another kind of what is sent keeps what was written", async (t) => {
    await ann.open("#/send/notification?to=uid", "uids");
    await ann.fill("Title", "For all kinds");
    await ann.choose("Reach");
    await ann.page.until('location.hash.startsWith("#/send/reach") && field("Title")?.value === "For all kinds"');
    t.notOk(await ann.sees("not sent is here again"), "it was never gone");
    await ann.reload("#/send", "To whom"); // another address: another form
    t.equal(await ann.page.run<string>('field("Title").value'), "");
  });

  t.test("the fields of a filter say what the list shows, also after going back", async (t) => {
    await ann.open("#/devices", online.id);
    await ann.fill("pushId begins with", "nobody");
    await ann.press("Show");
    await ann.reads("No device fits these filters");
    await ann.page.run("void history.back()");
    await ann.reads(online.id);
    t.equal(await ann.page.run<string>('field("pushId begins with").value'), "");
  });

  t.test("names as long as they may be stay inside of the page, on narrow screens and at 200 % too", async (t) => {
    const long = `device-${"y".repeat(110)}`;
    const at = await RawClient.open(server.clientPort);
    t.teardown(() => at.close());
    await at.hello({ id: long, topics: [`topic-${"t".repeat(100)}`], ...tokenOf(xiaomi, xiaomi.token(77)) });
    await server.ok("uid/bind", { pushId: long, uid: `user-${"u".repeat(110)}` });
    const title = "t".repeat(120); // too long for this vendor
    const { id } = await server.ok("notification", {
      pushId: long,
      notification: { android: { title, message: "m" } },
    });
    await jobIn(server, id);
    const invited = await ann.page.run<number>(`fetch("/api/device/test/add", { method: "POST",
      headers: { "content-type": "application/json" }, body: JSON.stringify({ pushId: ${JSON.stringify(long)}, note: "n".repeat(60) }) })
      .then(({ status }) => status)`);
    t.equal(invited, 200);
    const hashes = [
      "devices",
      `devices/${long}`,
      "users",
      "topics",
      "notifications",
      `notifications/${String(id)}`,
      "failures",
    ];
    for (const width of [1440, 1024, 820, 720, 640, 360]) {
      await ann.look({ width });
      await ann.open("#/", "Overview");
      for (const hash of [...hashes, "connections", "statistics", "audit", "people", "send"]) {
        await ann.turn(`#/${hash}`);
        await ann.page.until('document.querySelector("main h1") && !document.querySelector("main .loading")');
        t.same(await ann.overflow(), [], `${hash.slice(0, 20)} at ${width}`);
      }
    }
    await ann.look({ width: 1440 });
    await ann.open("#/failures", long);
    const lines = await ann.page.run<number>(`(() => {
      const range = document.createRange();
      range.selectNodeContents([...document.querySelectorAll("main td")].filter((one) => one.textContent === "xiaomi").at(-1));
      return range.getClientRects().length;
    })()`);
    t.equal(lines, 1, "a word beside a long name is not cut into pieces");
    await ann.look({});
    await server.ok("device/test/remove", { pushId: long });
    await server.ok("device/delete", { pushId: long });
  });

  t.test("on paper a page is dark on light, without what can be pressed", async (t) => {
    await ann.look({ dark: true });
    await ann.open("#/devices", online.id);
    await ann.page.command("Emulation.setEmulatedMedia", {
      media: "print",
      features: [{ name: "prefers-color-scheme", value: "dark" }],
    });
    const [red] = await ann.page.run<readonly number[]>(
      `getComputedStyle(document.querySelector("main h1")).color.match(/\\d+/g).map(Number)`,
    );
    t.ok(red! < 80, `${red}`);
    t.notOk(await ann.has("Log out"));
    await ann.page.command("Emulation.setEmulatedMedia", { media: "" });
    await ann.look({});
  });

  t.test("what one tab logs in as the others are, too: none shows what the login may not do", async (t) => {
    const [one, other] = await Promise.all(
      [1, 2].map(async () => new Person(await browser.open(`${server.consoleUrl}/`), server.consoleUrl)),
    );
    for (const tab of [one!, other!]) await tab.look({});
    await one!.enter("ann", PASSWORD);
    await other!.reads("Being sent now");
    await other!.open(`#/devices/${online.id}`, "Send to it");
    await one!.press("Log out");
    await other!.reads("Your login has ended");
    await one!.enter("vic", PASSWORD);
    await other!.reads("vic · viewer");
    await other!.reads(online.id);
    t.notOk(await other!.has("Delete"));
    await one!.press("Log out");
    for (const tab of [one!, other!]) await tab.leave();
  });

  t.test("a viewer sees everything, and no button that would be refused", async (t) => {
    const vic = await login("vic");
    await vic.open(`#/devices/${online.id}`, "Record");
    await vic.reads(online.id);
    await vic.page.until('performance.getEntriesByName(location.origin + "/api/openapi.json").length > 0');
    for (const name of ["Send to it", "Bind to a user", "Disconnect", "Delete"]) t.notOk(await vic.has(name), name);
    await vic.open("#/send", "You are a viewer");
    await vic.open("#/failures", "Failures");
    t.notOk(await vic.has("Retry"));
    t.same([vic.complaints(), vic.strangers()], [[], []]);
    await vic.leave();
  });

  t.test("console: every page, both languages, light and dark, narrow and wide, is usable by everybody", async (t) => {
    const { jobs } = (await server.ok("job/list", { limit: 1 })) as { jobs: readonly [{ id: string }] };
    const pages = await ann.page.run<readonly string[]>(
      `[...document.querySelectorAll("nav.side a")].map((link) => link.getAttribute("href"))`,
    );
    t.ok(pages.length >= 7);
    const all = [
      ...pages,
      `#/devices/${online.id}`,
      `#/notifications/${jobs[0].id}`,
      `#/why?id=${jobs[0].id}&pushId=${online.id}`,
      "#/send/reach",
      "#/send/push",
    ];
    for (const look of LOOKS) {
      await ann.look(look);
      await ann.open("#/", look.language === "zh" ? "总览" : "Overview");
      for (const hash of all) {
        const name = pictureName(hash.replace(/^#\/?/, "").split("?")[0]!.replaceAll("/", "-") || "overview", look);
        await ann.turn(hash);
        await ann.page.until(`document.querySelector("main h1") && !document.querySelector("main .loading")`);
        t.same(await ann.barriers(hash === all[0] ? "body" : "main", look !== LOOKS[0]), [], `${name}: axe`);
        t.same(await ann.overflow(), [], `${name}: nothing sticks out`);
        if (look.language === "zh") t.same(await ann.english(WRITTEN), [], `${name}: all of it is Chinese`);
        await ann.picture(t, name);
        await ann.look(look);
      }
    }
    t.same([ann.complaints(), ann.strangers()], [[], []], "no error, nothing forbidden, nothing from elsewhere");
  });
}
