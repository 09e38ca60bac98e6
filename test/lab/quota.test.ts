// A vendor whose quota for the day is spent: after its first word of that, a lane asks nothing more of it until its day ends, at
// midnight UTC+8, and then everything that waited is delivered. The clock stands shortly before midnight.
import { EventEmitter, once } from "node:events";
import t, { type Test } from "tap";
import type { PushId } from "../../src/core/device.ts";
import { Traits } from "../../src/core/traits.ts";
import { LaneRunner } from "../../src/delivery/lane.ts";
import { Turns } from "../../src/delivery/turns.ts";
import type { FakeVendor } from "../../src/lab/fake.ts";
import { isLogin } from "../../src/lab/oauth.ts";
import { serve } from "../../src/lab/server.ts";
import { fakeHarmony, fakeHuawei } from "../../src/lab/vendors/huawei.ts";
import { fakeMeizu } from "../../src/lab/vendors/meizu.ts";
import { fakeOppo } from "../../src/lab/vendors/oppo.ts";
import { fakeVivo } from "../../src/lab/vendors/vivo.ts";
import { fakeXiaomi } from "../../src/lab/vendors/xiaomi.ts";
import { createVendor } from "../../src/vendors/client.ts";
import type { CommonApp, Dialect } from "../../src/vendors/dialect.ts";
import { harmony, huawei } from "../../src/vendors/huawei.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { meizu } from "../../src/vendors/meizu.ts";
import { oppo } from "../../src/vendors/oppo.ts";
import { vivo } from "../../src/vendors/vivo.ts";
import { xiaomi } from "../../src/vendors/xiaomi.ts";
import { openTestEngine } from "../support/engine.ts";
import { authority, configured, NOW } from "../vendors/conformance.ts";
import { certificate } from "../vendors/plain.ts";

const traits = new Traits(TRAITS);

/** NOW's day in China ends then. */
const MIDNIGHT = Date.UTC(2027, 0, 15, 16);
const BEFORE = 4000;
/** For requests that were on their way when the vendor first said it. */
const FLIGHT = 700;
const DEVICES = 150;

let skew = MIDNIGHT - 10 * 60_000 - Date.now();
const clock = () => Date.now() + skew;

/** Resolves with what is to be done shortly before midnight. */
async function waiting<App extends CommonApp>(
  t: Test,
  dialect: Dialect<App>,
  fake: FakeVendor,
): Promise<() => Promise<void>> {
  const { name } = dialect;
  const asked: number[] = [];
  const events = new EventEmitter();
  const server = await serve(fake, {
    certificate,
    now: clock,
    onRequest(request) {
      if (!isLogin(request)) asked.push(clock());
      events.emit("asked");
    },
  });
  t.teardown(() => server.close());
  const own = createVendor(dialect, [configured(dialect, fake, server.url)], { ca: authority.ca });
  t.teardown(() => own.close());
  const app = own.apps[0]!;
  const lane = { vendor: name, app };
  const { outbox } = await openTestEngine(t);
  const content = { id: "note", android: { title: "Ann", message: "Hello, Bob", payload: {} } };
  const devices = Array.from({ length: DEVICES }, (_, n) => ({
    pushId: `device-${n}` as PushId,
    via: { lane, type: name, token: `token-${n}` },
  }));
  const pushIds = devices.map(({ pushId }) => pushId);
  const note = { id: "note", content, timeToLive: 3_600_000, type: "pushMany", acceptedAt: clock(), callerAddress: "" };
  await outbox.accept(note, { kind: "pushIds", pushIds });
  const [job] = await outbox.jobs({ id: "note" }, 1, clock());
  const routes = { [name]: DEVICES };
  await outbox.expand(
    job?.job ?? 0,
    undefined,
    { parcels: [], devices, counts: {}, seen: DEVICES, skipped: 0, routes },
    clock(),
  );

  server.misbehave({ fault: { kind: "own", failure: "quota" }, times: Number.POSITIVE_INFINITY, until: MIDNIGHT });
  return async () => {
    const paused = once(events, "paused");
    const runner = new LaneRunner(lane, own, {
      outbox,
      traits,
      turns: new Turns(),
      now: clock,
      elapsed: clock,
      count: () => {},
      changed: (_lane, what) => void events.emit(what),
      failed: (error) => void events.emit("error", error),
    });
    t.teardown(() => runner.close());
    await paused;
    const since = clock();
    t.ok(since < MIDNIGHT - FLIGHT, `${name} has said so in time for this test`);
    t.match(runner.status(undefined, 0), { state: "paused", until: MIDNIGHT }, name);
    while (fake.shown.length < DEVICES) await once(events, "asked");
    t.same(
      asked.filter((at) => at > since + FLIGHT && at < MIDNIGHT),
      [],
      `${name} is asked nothing while its quota is spent`,
    );
    t.ok(asked.length <= 2 * DEVICES, `${name}: ${asked.length} requests`);
    t.equal(new Set(fake.shown.map(({ token }) => token)).size, DEVICES, `${name}: all arrive, each once`);
    t.equal(fake.shown.length, DEVICES);
  };
}

t.test("a spent quota is left alone until midnight in China, and nothing is lost", async (t) => {
  t.ok(NOW < MIDNIGHT);
  const vendors = await Promise.all([
    waiting(t, harmony, fakeHarmony()),
    waiting(t, huawei, fakeHuawei()),
    waiting(t, meizu, fakeMeizu()),
    waiting(t, oppo, fakeOppo()),
    waiting(t, vivo, fakeVivo()),
    waiting(t, xiaomi, fakeXiaomi()),
  ]);
  skew = MIDNIGHT - BEFORE - Date.now();
  await Promise.all(vendors.map((begin) => begin()));
});
