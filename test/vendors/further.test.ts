// A further vendor is one file and one line: nothing else knows its name, and everything works with it.
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pino } from "pino";
import t from "tap";
import { createNotifications } from "../../src/app/notifications.ts";
import { readConfig } from "../../src/config/index.ts";
import type { PushId } from "../../src/core/device.ts";
import { Traits } from "../../src/core/traits.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { services, startLab } from "../../src/lab/index.ts";
import { type Command, parseEvent } from "../../src/sockets/sessions/events.ts";
import { define, openVendors, VENDORS } from "../../src/vendors/index.ts";
import { fakePigeon, pigeon } from "./pigeon.ts";

const DEFINITIONS = [...VENDORS, define(pigeon)]; // the line in the list of vendors
const fake = fakePigeon();
const service = { fake, platform: "android", type: "loft", token: () => "a b" } as const;
const SERVICES = [...services().slice(0, 1), service]; // the line in the lab's

const LIMITS = { topics: 10, topicBytes: 999, topicLength: 99, tags: 9, tagLength: 99, idLength: 99 };
const SECRET = "a-secret-of-16-letters";
const APP = "com.example.lab";

t.test(
  "a vendor of one file and one line: token, lane, statistics, receipts, clicks, death, and its fake",
  async (t) => {
    const shown: string[] = [];
    const directory = t.testdir();
    const lab = await startLab({
      directory: resolve(directory, "lab"),
      faults: [],
      services: SERVICES,
      now: Date.now,
      tell: (line) => void shown.push(line),
    });
    t.teardown(() => lab.close());
    const reading = readConfig({ file: lab.config, env: {}, flags: new Map() });
    if (reading.problems !== undefined) throw new Error(reading.problems.join("\n"));
    const { entries, directory: beside, caFile } = reading.config.vendors;
    const read = (file: string): string => readFileSync(resolve(beside, file), "utf8");
    const withSecret = entries.map((entry) =>
      entry.vendor === "pigeon" ? { ...entry, value: { ...(entry.value as object), receipt_secret: SECRET } } : entry,
    );
    const vendors = openVendors(withSecret, read, Date.now(), { ca: readFileSync(caFile, "utf8") }, DEFINITIONS);
    t.same(vendors.problems, []);

    const traits = DEFINITIONS.map((definition) => definition.traits);
    const engine = await openLocalEngine({
      dataDir: ":memory:",
      synchronous: "FULL",
      keep: { default: 10, prefixes: [] },
      arrivalDays: 30,
      vendors: traits,
      onFatal: (error) => t.error(error),
    });
    t.teardown(() => engine.close());
    const settled = new EventEmitter();
    const settle: typeof engine.outbox.settle = async (...args) => {
      await engine.outbox.settle(...args);
      settled.emit("settled");
    };
    const notifications = createNotifications({
      engine: { devices: engine.devices, outbox: { ...engine.outbox, settle }, events: engine.events },
      live: { count: async () => 0, reached: async () => [], areAwake: async () => [] },
      report: { count: () => {} },
      vendors,
      traits,
      log: pino({ level: "silent" }),
      now: Date.now,
      elapsed: () => performance.now(),
    });
    t.teardown(() => notifications.stop());
    await notifications.start();

    const parse = (name: string, value: object): Command | undefined =>
      parseEvent(name, [value], LIMITS, [], new Traits(traits));
    const pushId = "device" as PushId;
    const hello = parse("token", { token: "a b", type: "loft", package_name: APP });
    if (hello?.kind !== "token") throw new Error("no token");
    await engine.devices.connect({ pushId, token: hello.token }, Date.now());
    t.match(await engine.devices.get([pushId], Date.now()), [{ type: "loft", token: "ab" }], "without its noise");

    const notify = (id: string) =>
      notifications.actions.notify(
        { android: { title: "Coo", payload: {} } },
        { id, target: { kind: "pushIds", pushIds: [pushId] }, timeToLive: 60_000, callerAddress: "" },
        "request",
      );
    const counts = async (id: string) => (await engine.counters.arrivals({ id }, 1))[0]?.counts;

    const first = once(settled, "settled");
    await notify("n1");
    await first;
    t.match(shown[0], /vendor=pigeon .*Coo/, "the lab tells what its phone shows");
    const expected = { target_bird: 1, target_android: 1, accepted_bird: 1, arrive_bird: 1 };
    t.match(await counts("n1"), expected, "counted under its name; what it accepts has arrived; it is connected too");
    t.match(await notifications.lanes.list(), [{ vendor: "apns" }, { vendor: "pigeon", app: APP, accepted: 1 }]);

    const click = parse("notificationClick", { id: "n1", type: "loft" });
    t.match(click, { counter: "click_android" }, "its SDK is connected: clicks count with the connection");
    t.match(await notifications.actions.receiver("pigeon", SECRET)?.({ headers: {}, query: "", body: "feather-1" }), {
      coo: true,
    });

    fake.tokens.set("ab", "dead");
    const second = once(settled, "settled");
    // One has been accepted before, so this death is believed.
    await notify("n2");
    await second;
    t.match(await counts("n2"), { failed_bird: 1 });
    t.match(await engine.devices.get([pushId], Date.now()), [{ type: "noLoft" }]);
  },
);
