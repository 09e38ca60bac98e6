// What `npm run smoke` does at the console of the executable: every page through its main task in a real browser, by keys alone, in
// English and in Chinese, wide and light or narrow and dark; and what must hold of each page then.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { io, type Socket } from "socket.io-client4";
import { VENDORS } from "../src/vendors/index.ts";
import { Person } from "../test/admin/person.ts";
import { Typist } from "../test/admin/typist.ts";
import { startChromium } from "../test/support/chromium.ts";

/** A server of the lab's configuration, to which the lab's devices have come. */
export interface Served {
  readonly chromium: string;
  /** Of its console, with the link that sets the first password. */
  readonly link: string;
  readonly clients: string;
  /** Its configuration. */
  readonly file: string;
  /** Webhooks that came to the address it names. */
  readonly told: () => number;
  /** For what is downloaded. */
  readonly work: string;
  call(path: string, parameters: Record<string, string>): Promise<Record<string, unknown>>;
}

interface Visit extends Served {
  readonly at: Typist;
  /** Of what belongs to this visit alone. */
  readonly name: string;
  /** A new device, until the visit has ended. */
  device(name: string, says?: Record<string, unknown>): Promise<Socket>;
}

const NAME = "smoke";
const PASSWORD = "a password of a test";
const LOOKS = [
  { language: "en", width: 1440, dark: false },
  { language: "zh", width: 360, dark: true },
] as const;
/** What the test itself has named, where Chinese is expected. */
const WRITTEN = [
  ...["Hello", "World", "ann", "apn", NAME, "backend", "presence", "websocket, Engine.IO 4"],
  ...VENDORS.map(({ name }) => name),
];
const FCM = "lab-device-fcm";
/** The name of a webhook in the configuration. */
export const HOOK = "backend";

const check = (right: unknown, otherwise: string): void => {
  if (!right) throw new Error(otherwise);
};
/** What a server tells a client, within a minute. */
function heard(socket: Socket, name: string): Promise<unknown> {
  const told = new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`no ${name} within a minute`)), 60_000).unref();
    socket.once(name, (value: unknown) => {
      clearTimeout(late);
      done(value);
    });
  });
  told.catch(() => {}); // nobody may come to wait for it
  return told;
}
const text = JSON.stringify;

/** More than FCM takes: refused before it is asked. */
const tooLarge = text({ android: { title: "Hello", payload: { x: "x".repeat(5000) } } });

async function refused({ call }: Visit): Promise<string> {
  const { id } = await call("notification", { pushId: FCM, notification: tooLarge, timeToLive: "1h" });
  while (!text((await call("delivery/list", {}))["deliveries"]).includes(String(id)))
    await new Promise((next) => setTimeout(next, 20));
  return String(id);
}

/** What was saved last, once it is complete. */
async function downloaded({ at, work }: Visit): Promise<readonly [name: string, content: string]> {
  const folder = join(work, "downloads");
  const late = performance.now() + 60_000;
  for (;;) {
    const [name] = readdirSync(folder).filter((one) => !one.endsWith(".crdownload"));
    if (name !== undefined) {
      const content = readFileSync(join(folder, name), "utf8");
      rmSync(join(folder, name));
      return [name, content];
    }
    check(performance.now() < late, "nothing was saved");
    await at.person.page.run("new Promise((done) => requestAnimationFrame(done))");
  }
}

/** By the page's place in the address. */
const TASKS: Readonly<Record<string, (visit: Visit) => Promise<void>>> = {
  "": async ({ at, name }) => {
    await at.reads("overview.well");
    await at.choose("overview.day");
    await at.person.page.until('document.querySelectorAll("main figure canvas").length >= 2');
    await at.person.key("k", "control");
    await at.person.types(name);
    await at.person.page.until(`document.querySelector('[role="option"]')?.innerText.includes(${text(name)})`);
    await at.person.key("Enter");
    await at.person.page.until(`location.hash === ${text(`#/devices/${name}`)}`);
    await at.reads("devices.record");
  },
  send: async ({ at, device, name, call }) => {
    const phone = await device(`${name}-phone`, { topics: ["noti"] });
    await at.choose("send.to.all");
    await at.fill(at.word("send.title"), "Hello");
    await at.fill(at.word("send.message"), "World");
    for (const kind of ["android", "ios", "web"])
      await at.person.page.until(`document.querySelector(".phone.${kind} .bubble").innerText.includes("Hello")`);
    await at.pressWord("send.count");
    await at.reads("send.type.number");
    const number = /\d+/.exec(
      await at.person.page.run<string>('[...document.querySelectorAll("main label")].at(-1).innerText'),
    )?.[0];
    check(Number(number) >= 10, `it reaches ${number}`);
    await at.fill(at.word("send.type.number", { number: number ?? "" }), number ?? "");
    const shown = heard(phone, "noti");
    await at.pressWord("send.toMany", { shown: number ?? "" });
    await at.becomes('location.hash.startsWith("#/notifications/")');
    check(text(await shown)?.includes("World"), "the phone was told something else");
    const id = (await at.person.page.run<string>("location.hash")).split("/").at(-1) ?? "";
    await at.person.page.until(`document.querySelector("main h1 ~ *, main .state") !== null`);
    check((await call("job/get", { id }))["target"] === "all", "it was for others");
  },
  why: async (visit) => {
    const { at } = visit;
    await at.fill(at.word("why.id"), await refused(visit));
    await at.fill(at.word("why.pushId"), FCM);
    await at.pressWord("why.ask");
    await at.reads("cause.refused");
    await at.reads("why.remedy");
    await at.reads("step.vendor");
  },
  devices: async ({ at, device, name, call }) => {
    const id = `${name}-stranger`;
    await device(id);
    await at.fill(at.word("devices.prefix"), id.slice(0, -2));
    await at.pressWord("show");
    await at.shows(id);
    await at.press(id);
    await at.reads("devices.record");
    await at.pressWord("devices.bind");
    await at.fill(at.word("devices.uid"), "bob");
    await at.pressWord("devices.bind");
    await at.shows(at.word("devices.bound", { uid: "bob" }));
    await at.order("devices.delete");
    await at.shows(at.word("devices.deleted"));
    check(text((await call("device/list", { prefix: id }))["devices"]) === "[]", "it is still there");
  },
  users: async ({ at, name, call }) => {
    await call("uid/bind", { pushId: name, uid: "ann" });
    await at.fill(at.word("users.uid"), "ann");
    await at.pressWord("show");
    await at.shows(name);
    await at.order("users.unbind");
    await at.shows(at.word("users.none"));
    check(!("uid" in (await call("device/get", { pushId: name }))), "it is still bound");
  },
  topics: async ({ at, name, call }) => {
    await at.press(name);
    await at.reads("topics.members");
    await at.order("topics.kick");
    await at.shows(at.word("topics.kicked"));
    check((await call("topicOnline", { topic: name }))["count"] === 0, "it is still in the topic");
  },
  notifications: async ({ at, name, call }) => {
    const notification = text({ android: { title: "Hello", message: `${name} later` } });
    const sendAt = String(Date.now() + 3_600_000);
    const { id } = await call("notification", { pushId: name, notification, sendAt, timeToLive: "1d" });
    await at.fill(at.word("notifications.byId"), String(id));
    await at.pressWord("show");
    await at.reads("job.begins");
    await at.shows(`${name} later`);
    await at.pressWord("job.pause");
    await at.shows(at.word("state.paused"));
    await at.pressWord("job.rate");
    await at.fill(at.word("job.rateLabel"), "25");
    await at.pressWord("save");
    await at.shows(at.word("job.perSecond", { rate: "25" }));
    await at.pressWord("job.resume");
    await at.shows(at.word("job.resumed"));
    await at.order("job.cancel");
    await at.shows(at.word("state.cancelled"));
    const { state, rate } = await call("job/get", { id: String(id) });
    check(state === "cancelled" && rate === 25, `${state} ${rate}`);
  },
  // With what `why` has brought about.
  failures: async ({ at }) => {
    await at.reads("failures.groups");
    await at.order("failures.retry");
    await at.reads("failures.retried");
  },
  vendors: async ({ at }) => {
    await at.shows("fcm");
    await at.pressWord("vendors.test");
    await at.reads("vendors.works");
  },
  hooks: async ({ at, told }) => {
    await at.shows(HOOK);
    await at.press(HOOK);
    await at.reads("hooks.attempts");
    const before = told();
    await at.pressWord("hooks.test");
    await at.reads("hooks.tested");
    check(told() > before, "the endpoint heard nothing");
    await at.pressWord("hooks.replayGo");
    await at.reads("hooks.replayed");
  },
  statistics: async (visit) => {
    const { at } = visit;
    await at.choose("stats.span.week");
    await at.reads("stats.key");
    const key = "apn"; // what was sent to everybody went there too
    await at.press(key);
    await at.reads("stats.rate");
    await at.press("CSV");
    const [file, table] = await downloaded(visit);
    check(file.endsWith(".csv") && /^time,key,count/.test(table) && table.includes(`,${key},`), file + table);
  },
  connections: async ({ at, device, name }) => {
    const tablet = await device(`${name}-tablet`, { platform: "tablet" });
    const ended = heard(tablet, "disconnect");
    await at.fill(at.word("devices.platform"), "tablet");
    await at.pressWord("show");
    await at.person.page.until('location.hash.includes("platform=tablet")');
    await at.shows(`${name}-tablet`);
    await at.order("connections.close");
    await ended;
    await at.shows(at.word("connections.none"));
  },
  configuration: async ({ at, file, call }) => {
    const next = at.language === "en" ? "debug" : "info";
    writeFileSync(file, readFileSync(file, "utf8").replace(/^(log_level = ).*$/m, `$1"${next}"`));
    await at.pressWord("config.compare");
    await at.reads("config.changes");
    await at.shows(next);
    await at.order("config.reload");
    await at.shows(at.word("config.reloaded"));
    await at.reads("config.same");
    const { settings } = await call("config/get", {});
    const level = (settings as { name: string; value: unknown }[]).find((one) => one.name === "log_level");
    check(level?.value === next, text(level));
  },
  backups: async ({ at }) => {
    await at.pressWord("backups.start");
    await at.reads("backups.well");
    await at.pressWord("backups.checkIt");
    await at.reads("backups.whole");
    await at.order("backups.remove");
    await at.shows(at.word("backups.none"));
  },
  people: async ({ at }) => {
    await at.pressWord("people.invite");
    await at.fill(at.word("people.name"), "vic");
    await at.pressWord("people.make");
    await at.reads("people.link");
    await at.pressWord("close");
    await at.order("people.withdraw");
    await at.shows(at.word("people.withdrawn"));
  },
  audit: async ({ at }) => {
    await at.fill(at.word("audit.action"), "admin/user/remove");
    await at.person.key("Enter");
    await at.person.page.until(
      `(() => { const rows = [...document.querySelectorAll("tbody tr")]; return rows.length > 0 && rows.every((one) => one.innerText.includes("user/remove")); })()`,
    );
    await at.shows(`${NAME} (console)`);
  },
  trace: async (visit) => {
    const { at, device, name } = visit;
    const talker = await device(`${name}-talker`);
    await at.fill(at.word("trace.whom"), `${name}-talker`);
    await at.pressWord("trace.go");
    await at.reads("trace.stop");
    talker.emit("subscribeTopic", { topic: "followed" });
    await at.shows('42["subscribeTopic",{"topic":"followed"}]');
    await at.pressWord("trace.stop");
    await at.reads("trace.ended");
    await at.pressWord("trace.download");
    const [file, lines] = await downloaded(visit);
    check(file === `trace-${name}-talker.txt` && /\tin\t\S+\t42\["subscribeTopic"/.test(lines), file + lines);
  },
  playground: async ({ at }) => {
    await at.pressWord("play.go");
    await at.reads("play.is");
    await at.pressWord("play.push");
    await at.shows('42["p",{"hello":"world"}]');
    await at.pressWord("play.disconnect");
    await at.reads("play.state.closed");
  },
  reference: async ({ at, name }) => {
    await at.fill(at.word("reference.find"), "presence");
    await at.press("presence");
    await at.reads("reference.takes");
    await at.fill("pushId", name);
    await at.pressWord("reference.go");
    await at.shows('"online": true');
  },
};

/** Every page of the console. @throws what was not as it should be */
export async function smokeAtConsole(served: Served): Promise<void> {
  const endings: (() => unknown)[] = [];
  const sockets: Socket[] = [];
  const wrong: string[] = [];
  const downloads = join(served.work, "downloads");
  rmSync(downloads, { recursive: true, force: true });
  mkdirSync(downloads, { recursive: true });
  try {
    const browser = await startChromium({ teardown: (end) => endings.push(end) }, served.chromium);
    const url = new URL(served.link).origin;
    const page = await browser.open(`${url}/`, true);
    await page.command("Page.setDownloadBehavior", { behavior: "allow", downloadPath: downloads });
    for (const look of LOOKS) {
      const at = new Typist(new Person(page, url), look, PASSWORD);
      const name = `smoke-${look.language}-device`;
      const device = async (pushId: string, says: Record<string, unknown> = {}): Promise<Socket> => {
        const socket = io(served.clients, { transports: ["websocket"], reconnection: false, forceNew: true });
        sockets.push(socket);
        await heard(socket, "connect");
        const greeted = heard(socket, "pushId");
        socket.emit("pushId", { id: pushId, version: 1, platform: "android", ...says });
        await greeted;
        return socket;
      };
      const visit = { ...served, at, name, device };
      await device(name, { topics: [name] });
      await enter(visit);
      const pages = await page.run<readonly string[]>(
        '[...document.querySelectorAll("nav.side a")].map((one) => one.hash)',
      );
      check(pages.length === Object.keys(TASKS).length, `there are ${pages.join(" ")}`);
      for (const hash of pages) {
        const task = TASKS[hash.slice(2)];
        const where = `${hash} ${look.language}`;
        try {
          check(task, "nothing is done there");
          await at.goTo(hash);
          await task?.(visit);
          await at.settled();
          await holds(visit);
        } catch (error) {
          wrong.push(`${where}: ${error instanceof Error ? error.stack : error}`);
          await at.open("#/", "overview.jobs").catch(() => {
            throw new Error(wrong.join("\n"));
          });
        }
      }
      await at.pressWord("logout");
      await at.reads("door.fresh");
      for (const socket of sockets.splice(0)) socket.disconnect();
    }
    check(wrong.length === 0, wrong.join("\n"));
  } finally {
    for (const socket of sockets) socket.disconnect();
    for (const end of endings) await end();
  }
}

/** The first time by the link, then by the password it set. */
async function enter({ at, link }: Visit): Promise<void> {
  const first = at.language === "en";
  await at.open(first ? link.slice(new URL(link).origin.length + 1) : "", first ? "door.setup" : "door.fresh");
  check((await at.person.barriers()).length === 0, "the door shuts somebody out");
  await at.fill(at.word("door.name"), NAME);
  await at.fill(at.word("password"), PASSWORD);
  if (first) await at.fill(at.word("door.again"), PASSWORD);
  await at.person.key("Enter");
  await at.reads("overview.jobs");
}

/** Of every page, with what its task has brought up. */
async function holds({ at, name }: Visit): Promise<void> {
  const { person, language } = at;
  const found: Record<string, readonly string[]> = {
    "shuts somebody out": await person.barriers(),
    "sticks out": await person.overflow(),
    "is English": language === "zh" ? await person.english([...WRITTEN, name, `${name}-talker`, `${name} later`]) : [],
    complaint: person.complaints(),
    "asked elsewhere": person.strangers().filter((one) => !one.startsWith("blob:")),
  };
  for (const [what, these] of Object.entries(found)) check(these.length === 0, `${what}: ${these.join("\n")}`);
}
