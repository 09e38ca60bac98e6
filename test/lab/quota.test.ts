// A vendor whose quota for the day is spent: after its first word of that, a lane asks nothing more of it until its day ends, at
// midnight UTC+8, and then everything that waited is delivered. The clock stands shortly before midnight until all of them rest.
import { EventEmitter, once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
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
import { eventually } from "../support/until.ts";
import { authority, configured, NOW } from "../vendors/conformance.ts";
import { certificate } from "../vendors/plain.ts";

const traits = new Traits(TRAITS);

/** NOW's day in China ends then. */
const MIDNIGHT = Date.UTC(2027, 0, 15, 16);
/** A lane that rests looks at the clock so often then, milliseconds. */
const BEFORE = 200;
const DEVICES = 150;

let began: number | undefined;
/** Real time goes by from midnight on. */
const clock = () => (began === undefined ? MIDNIGHT - BEFORE : MIDNIGHT + Math.round(performance.now() - began));

interface Scene {
  /** Begins to send; resolves once the lane rests. */
  begin(): Promise<void>;
  /** Nothing has been asked since. */
  quiet(): void;
  /** Resolves once all has arrived. */
  end(): Promise<void>;
}

async function scene<App extends CommonApp>(t: Test, dialect: Dialect<App>, fake: FakeVendor): Promise<Scene> {
  const { name } = dialect;
  let asked = 0;
  let before = 0;
  const events = new EventEmitter();
  const server = await serve(fake, {
    certificate,
    now: clock,
    onRequest(request) {
      if (!isLogin(request)) asked++;
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
  const runner = () =>
    new LaneRunner(lane, own, {
      outbox,
      traits,
      turns: new Turns(),
      now: clock,
      elapsed: clock,
      count: () => {},
      changed: (_lane, what) => void events.emit(what),
      failed: (error) => void events.emit("error", error),
    });
  return {
    async begin() {
      const paused = once(events, "paused");
      const sending = runner();
      t.teardown(() => sending.close());
      await paused;
      const status = await eventually(
        async () => sending.status(undefined, 0),
        ({ inFlight }) => inFlight === 0,
      );
      t.match(status, { state: "paused", until: MIDNIGHT }, name);
      before = asked;
      t.ok(before < DEVICES, `${name} has said so ${before} times`);
    },
    quiet: () => t.equal(asked, before, `${name} is asked nothing while its quota is spent`),
    async end() {
      while (fake.shown.length < DEVICES) await once(events, "asked");
      t.ok(asked <= 2 * DEVICES, `${name}: ${asked} requests`);
      t.equal(new Set(fake.shown.map(({ token }) => token)).size, DEVICES, `${name}: all arrive, each once`);
      t.equal(fake.shown.length, DEVICES);
    },
  };
}

t.test("a spent quota is left alone until midnight in China, and nothing is lost", async (t) => {
  t.ok(NOW < MIDNIGHT);
  const scenes = await Promise.all([
    scene(t, harmony, fakeHarmony()),
    scene(t, huawei, fakeHuawei()),
    scene(t, meizu, fakeMeizu()),
    scene(t, oppo, fakeOppo()),
    scene(t, vivo, fakeVivo()),
    scene(t, xiaomi, fakeXiaomi()),
  ]);
  await Promise.all(scenes.map(({ begin }) => begin()));
  await pause(4 * BEFORE); // they look at the clock
  for (const { quiet } of scenes) quiet();
  began = performance.now();
  await Promise.all(scenes.map(({ end }) => end()));
});
