import t from "tap";
import { createReport } from "../../src/core/report.ts";
import { hourlySamples, hourlySeries, LIVE_KEY, MINUTES, Rings, SECONDS } from "../../src/core/rings.ts";
import { openLocalEngine } from "../../src/engine/local.ts";

const T = 1_800_000_000_000;
const kinds = { sessions: "level", packets: "rise" } as const;

t.test("each second has the level as it was, and by how much a counter rose", (t) => {
  const rings = new Rings(kinds);
  for (const [i, packets] of [100, 130, 130, 90].entries()) rings.add(T + i * 1000, { sessions: i, packets });
  t.same(rings.seconds(4), {
    step: 1000,
    from: T,
    values: { sessions: [0, 1, 2, 3], packets: [0, 30, 0, 0] },
  });
  t.same(rings.seconds(5).values["sessions"], [null, 0, 1, 2, 3]);
  t.end();
});

t.test("seconds that were missed are empty, and a clock that is set back begins anew", (t) => {
  const rings = new Rings(kinds);
  for (const at of [0, 1, 4]) rings.add(T + at * 1000, { sessions: at, packets: at });
  t.same(rings.seconds(5).values, { sessions: [0, 1, null, null, 4], packets: [0, 1, null, null, 3] });
  rings.add(T - 3_600_000, { sessions: 7, packets: 4 });
  t.same(rings.seconds(3).values["sessions"], [null, null, 7]);
  t.end();
});

t.test("a minute has the mean of a level and the sum of a rise; what is kept has a bound", (t) => {
  const rings = new Rings(kinds);
  for (let i = 0; i < 2 * 86_400; i++) rings.add(T + i * 1000, { sessions: i % 2, packets: 3 * i });
  t.same(rings.minutes(2).values, { sessions: [0.5, 0.5], packets: [180, 180] });
  t.equal(rings.minutes(10_000).values["packets"]?.length, MINUTES);
  t.equal(rings.seconds(10_000).values["packets"]?.length, SECONDS);
  t.notOk(rings.seconds(SECONDS).values["packets"]?.includes(null));
  t.end();
});

t.test(
  "console: an hour has the mean of a level and the sum of a rise, and outlives the buffers in memory",
  async (t) => {
    let now = T - (T % 3_600_000) - 3_600_000;
    const engine = await openLocalEngine({
      dataDir: ":memory:",
      synchronous: "NORMAL",
      keep: { default: 10, prefixes: [] },
      arrivalDays: 30,
      now: () => now,
      onFatal: (error) => t.fail(error.message),
    });
    const stored: Promise<void>[] = [];
    const rings = new Rings(
      kinds,
      (minute, at) => void stored.push(engine.counters.add(hourlySamples(kinds, minute), at)),
    );
    // An hour and a half: 100 sessions in its first hour, 200 then, three packets a second.
    for (let second = 0; second <= 5400; second++, now += 1000)
      rings.add(now, { sessions: second < 3600 ? 100 : 200, packets: 3 * second });
    await Promise.all(stored);
    const report = createReport(
      engine.counters,
      () => now,
      (error) => t.fail(String(error)),
    );
    report.countForClient(`${LIVE_KEY}sessions`, { total: 1, latency: 1_000_000 });
    await report.stop();
    const { values, from, step } = await hourlySeries(kinds, engine.counters.chart, 3, now);
    await engine.close();
    t.equal(step, 3_600_000);
    t.equal(from, now - (now % step) - 2 * step);
    t.same(values["sessions"], [null, 100, 200], "no client's figure is among them");
    t.same(values["packets"], [null, 60 * 180 - 3, 30 * 180]);
  },
);
