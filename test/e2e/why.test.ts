// "Why did it not arrive?": for each cause that an operator meets, notification/why names it and says what to do.
import t, { type Test } from "tap";
import { en } from "../../src/admin/console/words/en.ts";
import { inChinese } from "../../src/admin/console/words/said.ts";
import { zh } from "../../src/admin/console/words/zh.ts";
import { Person } from "../admin/person.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { chromium, startChromium } from "../support/chromium.ts";
import { cli } from "../support/cli.ts";
import { takeClock } from "../support/clock.ts";
import { PASSWORD, startConsole } from "../support/console.ts";
import { absent, deliveriesOf, device, type Fields, fresh, jobIn, notis, phone } from "../support/devices.ts";
import { onPostgres } from "../support/shared-store.ts";
import { eventually } from "../support/until.ts";
import { startVendors, type VendorName } from "../support/vendors.ts";

const notification = { android: { title: "T", message: "hello you" }, apn: { alert: "T" } };

async function stage(t: Test, ...names: VendorName[]) {
  const vendors = await startVendors(t, names);
  return { vendors, server: await startTestApp(t, { vendors: vendors.config() }) };
}

const send = async (server: TestApp, to: Fields, more: Fields = {}) =>
  String((await server.ok("notification", { notification, ...to, ...more }))["id"]);

async function ask(server: TestApp, id: string, pushId: string): Promise<Fields> {
  const answer = await server.ok("notification/why", { id, pushId });
  const steps = answer["steps"] as readonly { step: string; text: string }[];
  // A vendor's own words are not translated.
  const ours = steps.filter(({ step }) => step !== "vendor").map((one) => one.text);
  for (const text of [String(answer["text"]), ...ours]) if (!/[\u4e00-\u9fff]/.test(inChinese(text))) english.add(text);
  return answer;
}

/** What a Chinese page would show as it is. */
const english = new Set<string>();

/** By their cause: what was answered, for the page to show. */
const answers = new Map<string, Fields>();

/** Once it says so: most causes take a moment to come about. The command line says the same, in both languages. */
async function because(server: TestApp, id: string, pushId: string, cause: string): Promise<Fields> {
  const answer = await eventually(
    () => ask(server, id, pushId),
    (one) => one["cause"] === cause,
  );
  answers.set(cause, answer);
  const { text, remedy } = answer;
  const line = ["notification", "why", id, pushId, "--url", server.apiUrl];
  const said = await cli(line);
  const helps = remedy === undefined ? "" : `what helps: ${remedy}\n`;
  if (said.code !== 0 || !said.out.endsWith(`\n${cause}: ${text}\n${helps}`))
    throw new Error(`notification why says ${JSON.stringify(said)}, not ${cause}: ${text} ${helps}`);
  return answer;
}

const stepsOf = (answer: Fields) =>
  Object.fromEntries((answer["steps"] as { step: string; text: string }[]).map((one) => [one.step, one]));

/** A phone that said who it is and went. */
async function gone(t: Test, server: TestApp, more: Fields = {}): Promise<string> {
  const { client, id } = await device(t, server, more);
  await client.close();
  return id;
}

t.test("no token: a phone whose app is closed and that no vendor reaches", async (t) => {
  const server = await startTestApp(t);
  const pushId = await gone(t, server, { platform: "android" });
  for (const timeToLive of [0, 60_000]) {
    const id = await send(server, { pushId }, { timeToLive });
    const answer = await because(server, id, pushId, "no_token");
    t.match(answer, { text: /no vendor's token/, remedy: /register with the vendor/ });
  }
});

t.test("the token died: the vendor's code, in plain words", async (t) => {
  const { server, vendors } = await stage(t, "fcm");
  const one = await phone(t, server, vendors.get("fcm"));
  vendors.get("fcm").fake.tokens.set(one.token, "dead");
  const id = await send(server, { pushId: one.id });
  const answer = await because(server, id, one.id, "token_died");
  t.match(answer, { text: /UNREGISTERED.*removed from the phone/, remedy: /new token when it is opened/ });
  t.match(stepsOf(answer), { vendor: { text: /^gone: .*UNREGISTERED/, at: Number, atIso: /Z$/ } });
  const next = await send(server, { pushId: one.id });
  await jobIn(server, next);
  await one.client.close();
  const late = await send(server, { pushId: one.id });
  t.match(await because(server, late, one.id, "no_token"), { text: /last one went at .*UNREGISTERED/ });
});

t.test("bound to another user, or to none", async (t) => {
  const server = await startTestApp(t);
  const { id: pushId } = await device(t, server);
  const id = await send(server, { uid: "ann" });
  await jobIn(server, id);
  t.match(await because(server, id, pushId, "no_user"), { text: /for ann; .*no user/, remedy: /uid\/bind/ });
  await server.ok("uid/bind", { pushId, uid: "bob" });
  t.match(await because(server, id, pushId, "other_user"), { text: /for ann; .*bound to bob/, remedy: /uid\/bind/ });
});

t.test("expired in the queue, while the vendor had no room", async (t) => {
  const { server, vendors } = await stage(t, "fcm");
  const one = await phone(t, server, vendors.get("fcm"));
  vendors.get("fcm").fake.fail("throttle", 1); // comes again after 30 s
  const id = await send(server, { pushId: one.id }, { timeToLive: 5000 });
  const answer = await because(server, id, one.id, "expired");
  t.match(answer, { text: /time passed.*More was sent than the vendor allows/, remedy: /quota/ });
});

t.test("the lane is stopped: the vendor refuses our credentials", async (t) => {
  const vendors = await startVendors(t, ["xiaomi"]);
  const wrong = { xiaomi: [{ ...vendors.get("xiaomi").entry, app_secret: "wrong" }] };
  const server = await startTestApp(t, { vendors: vendors.config(wrong) });
  const one = await phone(t, server, vendors.get("xiaomi"));
  const id = await send(server, { pushId: one.id }, { timeToLive: 600_000 });
  const answer = await because(server, id, one.id, "lane_stopped");
  t.match(answer, {
    text: /refuses our credentials.*21301/,
    remedy: /reload \(SIGHUP\)/,
    delivery: { state: "queued" },
  });
  t.match(stepsOf(answer), { prepared: { text: /for xiaomi/ }, lane: { text: /stopped now/ } });
});

t.test("the vendor's quota is spent: until when", async (t) => {
  const { server, vendors } = await stage(t, "xiaomi");
  const one = await phone(t, server, vendors.get("xiaomi"));
  vendors.get("xiaomi").fake.fail("quota", 1);
  const id = await send(server, { pushId: one.id }, { timeToLive: "3d" });
  t.match(await because(server, id, one.id, "quota"), {
    text: /goes on at \d{4}-.*Z/,
    remedy: /higher quota|lane\/resume/,
  });
});

t.test("the vendor refused the message", async (t) => {
  const { server, vendors } = await stage(t, "fcm");
  const one = await phone(t, server, vendors.get("fcm"));
  vendors.get("fcm").fake.tokens.set(one.token, "refused");
  const id = await send(server, { pushId: one.id });
  t.match(await because(server, id, one.id, "refused"), { text: /refused it: .*INVALID_ARGUMENT/, remedy: /\w/ });
});

t.test("away, and without timeToLive nothing is kept", async (t) => {
  const server = await startTestApp(t);
  const pushId = await gone(t, server, { platform: "browser" });
  const id = await send(server, { pushId });
  t.match(await because(server, id, pushId, "away"), { text: /was away/, remedy: /timeToLive/ });
  const kept = await send(server, { pushId }, { timeToLive: "1h" });
  t.match(await because(server, kept, pushId, "waiting_for_device"), { text: /kept until \d{4}/, remedy: /connects/ });
  const brief = await send(server, { pushId }, { timeToLive: 3000 });
  t.match(await because(server, brief, pushId, "did_not_return"), { remedy: /longer timeToLive/ });
});

t.test("the tag filter: which tag, and what was wanted; and a tag that the device does not have", async (t) => {
  const server = await startTestApp(t);
  const { id: pushId } = await device(t, server, { tags: ["app_1.2"] });
  const id = await send(server, { pushId }, { tagStart: "app_", tagGreaterThan: "2.0" });
  await jobIn(server, id);
  t.match(await because(server, id, pushId, "tag_filter"), {
    text: /app_ above 2\.0; the device's is app_1\.2/,
    remedy: /filter/,
  });
  const tagged = await send(server, { tag: "beta" });
  await jobIn(server, tagged);
  t.match(await because(server, tagged, pushId, "no_tag"), { text: /does not have the tag beta/ });
});

t.test("quiet hours: until when it waits, and that it does not outlive them", async (t) => {
  const clock = takeClock(t);
  clock.move(Date.parse("2026-12-01T23:00:00Z") - Date.now());
  clock.hold();
  const server = await startTestApp(t, { api: { quietHoursElse: "drop" } });
  const { id: pushId } = await device(t, server);
  const quiet = { quietHours: "22:00-08:00", timeZone: "Europe/Berlin" };
  const id = await send(server, { pushId }, { ...quiet, timeToLive: "12h" });
  t.match(await because(server, id, pushId, "quiet_hours"), { text: /2026-12-02T07:00/, remedy: /quietHours/ });
  const short = await send(server, { pushId }, { ...quiet, timeToLive: "1h" });
  await jobIn(server, short);
  t.match(await ask(server, short, pushId), {
    cause: "quiet_hours",
    text: /within its quiet hours/,
    remedy: /longer timeToLive/,
  });
});

t.test("the app is not configured: a token that no vendor serves", async (t) => {
  const { server, vendors } = await stage(t, "fcm");
  const token = { type: "fcm", token: vendors.get("fcm").token(7), package_name: "com.other" };
  const pushId = await gone(t, server, { token });
  const id = await send(server, { pushId });
  const answer = await because(server, id, pushId, "app_not_configured");
  t.match(answer, { text: /type fcm for com\.other/, remedy: /Configure the vendor/ });
});

t.test(
  "delivered but not shown: the vendor took it and the phone says nothing; then it arrives, and is opened",
  async (t) => {
    const { server, vendors } = await stage(t, "fcm");
    const one = await phone(t, server, vendors.get("fcm"));
    const id = await send(server, { pushId: one.id });
    const answer = await because(server, id, one.id, "not_shown");
    t.match(answer, { text: /The vendor took it/, remedy: /settings for the app/ });
    t.match(stepsOf(answer), { lane: { at: Number }, vendor: { text: /^accepted, its id projects\// } });
    for (const [event, cause] of [
      ["notificationReply", "arrived"],
      ["notificationClick", "clicked"],
    ] as const) {
      one.client.emit(event, { id, type: "fcm" });
      await one.client.settle();
      await server.app.settled();
      t.match(await because(server, id, one.id, cause), { cause });
    }
  },
);

t.test("over the connection: handed over, not addressed, nothing to show, cancelled, unknown, a dry run", async (t) => {
  const server = await startTestApp(t);
  const { client, id: pushId } = await device(t, server);
  const id = await send(server, { pushId });
  t.match(await because(server, id, pushId, "sent"), { text: /handed to the device's connection/ });
  t.match(await notis(client), [{ id }]);
  t.match(await ask(server, id, fresh("other")), { cause: "not_addressed", remedy: /Name this device/ });
  const silent = await send(server, { pushId, notification: { android: { message: "no title" } } });
  t.match(await because(server, silent, pushId, "nothing_to_show"), { text: /android\.title/ });
  const later = await send(server, { pushId }, { sendAt: Date.now() + 3_600_000 });
  t.match(await ask(server, later, pushId), { cause: "scheduled" });
  await server.ok("job/pause", { id: later });
  t.match(await ask(server, later, pushId), { cause: "paused", remedy: /job\/resume/ });
  await server.ok("job/cancel", { id: later });
  t.match(await ask(server, later, pushId), { cause: "cancelled" });
  const dry = await send(server, { pushId }, { dryRun: true });
  t.match(await ask(server, dry, pushId), { cause: "dry_run" });
  const stranger = fresh("stranger");
  const named = await send(server, { pushId: stranger });
  await jobIn(server, named);
  t.match(await ask(server, named, stranger), { cause: "unknown_device" });
  t.match(await server.post("notification/why", { id: "unknown", pushId }), { status: 404 });
  t.match(await server.post("notification/why", { id }), { status: 400, body: { message: /pushId is required/ } });
  const all = await send(server, { pushAll: true });
  await jobIn(server, all);
  t.match(await ask(server, all, pushId), { cause: "not_recorded" });
});

t.test(
  "the same id used twice: the newest call that came to the device counts, and the others are shown",
  async (t) => {
    const { server, vendors } = await stage(t, "fcm");
    const [one] = await absent(server, vendors.get("fcm"), 1);
    const twice = { ...notification, id: "twice" };
    for (let i = 0; i < 2; i++) {
      await send(server, { pushId: one!.id, notification: twice });
      await eventually(
        () => deliveriesOf(server, "twice"),
        (all) => all.length === i + 1 && all.every(({ state }) => state === "accepted"),
      );
    }
    const answer = await ask(server, "twice", one!.id);
    t.equal((answer["deliveries"] as unknown[]).length, 2);
    t.equal((answer["job"] as Fields)["job"], 2);
  },
);

t.test("console: in Chinese each of these causes is told in Chinese, step by step", async (t) => {
  t.same([...english], []);
});

/** Those that an operator meets, each with what to do. */
const TWELVE = [
  ...["no_token", "token_died", "other_user", "expired", "lane_stopped", "quota", "refused", "away", "tag_filter"],
  ...["quiet_hours", "app_not_configured", "not_shown"],
] as const;

t.test("console 2: the page names each of these causes, and what to do, in both languages", async (t) => {
  t.same(
    TWELVE.filter((cause) => answers.get(cause)?.["remedy"] === undefined),
    [],
    "each was met, with what helps",
  );
  if (chromium === undefined || onPostgres) return t.pass("left out: there is no page here");
  const browser = await startChromium(t, chromium);
  const { consoleUrl } = await startConsole(t);
  const person = new Person(await browser.open(`${consoleUrl}/`, true), consoleUrl);
  await person.look({});
  await person.enter("ann", PASSWORD);
  // What the servers above have answered; they are no more.
  await person.page.command("Page.addScriptToEvaluateOnNewDocument", {
    source: `{
      const [answers, ask] = [${JSON.stringify(Object.fromEntries(answers))}, fetch];
      window.fetch = (url, about) => String(url).endsWith("/notification/why")
        ? Promise.resolve(Response.json(answers[JSON.parse(about.body).id])) : ask(url, about);
    }`,
  });
  for (const [language, words] of [
    ["en", en],
    ["zh", zh],
  ] as const) {
    await person.look({ language });
    await person.open("#/why", words["why.emptyDo"]);
    for (const cause of TWELVE) {
      await person.follow(`#/why?id=${cause}&pushId=any`, words[`cause.${cause}` as keyof typeof en]);
      const [name, text = "", remedy = ""] = await person.page.run<readonly string[]>(
        '[...document.querySelectorAll(".verdict p")].map((one) => one.innerText)',
      );
      t.equal(name, words[`cause.${cause}` as keyof typeof en]);
      const helps = remedy.startsWith(words["why.remedy"]) && remedy.length > words["why.remedy"].length + 5;
      t.ok(helps, `${language}, ${cause}: ${remedy}`);
      if (language === "zh")
        t.match(text + remedy.slice(words["why.remedy"].length), /[\u4e00-\u9fff].*[\u4e00-\u9fff]/s);
      else t.equal(remedy, `${words["why.remedy"]} ${answers.get(cause)?.["remedy"]}`);
    }
  }
  t.same([person.complaints(), person.strangers()], [[], []]);
});
