// What every engine must do with the queues of endpoints (core/hooks.ts): order per key, nothing lost, nothing told twice at once.
import type { Engine } from "../../src/core/engine.ts";
import type { Happening, Wanted } from "../../src/core/events.ts";
import type { HookEvent } from "../../src/core/hooks.ts";
import { type Define, HOUR, pushId, T } from "./steps.ts";

const ALL = 1_000_000;

const wanted = (more: Partial<Wanted> = {}, coalesce = true): Wanted => ({
  hooks: [{ name: "main", events: ["*"], coalesce }],
  log: [],
  topics: [],
  grace: 40_000,
  keep: 72 * HOUR,
  ...more,
});

const packet = (name: string, path: string, at = T): Happening => ({
  kind: "packet",
  pushId: pushId(name),
  path,
  sequenceId: "1",
  at,
});

/** `a/1`: the path of a packet of device a; `a+` and `a-`: it went online, offline. */
const shown = (events: readonly HookEvent[]): string[] =>
  events.map(({ type, key, data }) => {
    const name = key.replace("device:", "").replace("-0123456789", "");
    const { path } = JSON.parse(data) as { path?: string };
    return path === undefined ? `${name}${type.endsWith("online") ? "+" : "-"}` : `${name}/${path}`;
  });

const seqs = (events: readonly HookEvent[]): number[] => events.map(({ seq }) => seq);
const NOTHING = { delivered: [], retry: [], back: [] };

async function claim(engine: Engine, limit = 100, now = T, size = ALL) {
  return engine.hooks.claim("main", limit, size, now);
}

const delivered = (engine: Engine, events: readonly HookEvent[]) =>
  engine.hooks.settle("main", { ...NOTHING, delivered: seqs(events) });

/** Claims and takes until nothing is due. */
async function drain(engine: Engine, now = T): Promise<string[][]> {
  const batches: string[][] = [];
  for (;;) {
    const { events } = await claim(engine, 100, now);
    if (events.length === 0) return batches;
    batches.push(shown(events));
    await delivered(engine, events);
  }
}

export async function hookTests(test: Define): Promise<void> {
  await test("hooks: events of distinct keys are claimed, the next of a key only once that one is settled", async (t, {
    engine,
  }) => {
    await engine.events.want(wanted());
    await engine.events.note([
      packet("a", "1"),
      packet("b", "1"),
      packet("a", "2"),
      packet("a", "3"),
      packet("c", "1"),
    ]);
    const first = await claim(engine);
    t.strictSame(shown(first.events), ["a/1", "b/1", "c/1"]);
    t.strictSame(await claim(engine), { events: [] }, "the rest stands behind");
    await engine.hooks.settle("main", { delivered: [first.events[0]!.seq], retry: [], back: [first.events[1]!.seq] });
    t.strictSame(shown((await claim(engine)).events), ["b/1", "a/2"]);
    await delivered(engine, first.events);
    t.strictSame(
      shown((await claim(engine)).events),
      [],
      "what was claimed again is another's, and a/2 is not settled",
    );
  });

  await test("hooks: a claim is bounded by number and by bytes, but has one event at least", async (t, { engine }) => {
    await engine.events.want(wanted());
    await engine.events.note(["a", "b", "c", "d"].map((name) => packet(name, "x".repeat(500))));
    const one = await claim(engine, 100, T, 10);
    t.equal(one.events.length, 1);
    t.ok((one.next ?? Number.NaN) <= T, "there is more, and it is due");
    t.equal((await claim(engine, 2)).events.length, 2);
    t.equal((await claim(engine, 100, T, 10)).events.length, 1);
    t.equal((await claim(engine)).events.length, 0);
  });

  await test("hooks: what failed comes again when it is due, with the tries it had, and holds up only its own key", async (t, {
    engine,
  }) => {
    await engine.events.want(wanted());
    await engine.events.note([packet("a", "1"), packet("a", "2"), packet("b", "1")]);
    const { events } = await claim(engine, 1);
    await engine.hooks.settle("main", { ...NOTHING, retry: [{ seq: events[0]!.seq, due: T + 1000, reason: "500" }] });
    t.strictSame(await drain(engine), [["b/1"]]);
    const later = await claim(engine);
    t.strictSame(later, { events: [], next: T + 1000 });
    const again = await claim(engine, 100, T + 1000);
    t.strictSame([shown(again.events), again.events[0]?.attempts, again.events[0]?.id], [["a/1"], 1, events[0]?.id]);
    await delivered(engine, again.events);
    t.strictSame(await drain(engine, T + 1000), [["a/2"]]);
  });

  await test("hooks: when the endpoint answers again, what waited for its next try is due", async (t, { engine }) => {
    await engine.events.want(wanted());
    await engine.events.note([packet("a", "1"), packet("a", "2")]);
    const { events } = await claim(engine);
    await engine.hooks.settle("main", { ...NOTHING, retry: [{ seq: events[0]!.seq, due: T + HOUR, reason: "500" }] });
    await engine.hooks.hurry("main");
    t.strictSame(await drain(engine), [["a/1"], ["a/2"]]);
  });

  await test("hooks: a state that waits gives way to a newer one of its subject, what happened never does", async (t, {
    engine,
  }) => {
    for (const coalesce of [true, false]) {
      await engine.events.want(wanted({}, coalesce));
      await engine.devices.connect({ pushId: pushId("a") }, T);
      await engine.events.note([packet("a", "1"), packet("a", "2")]);
      await engine.devices.disconnect([pushId("a")], T + 1);
      await engine.devices.connect({ pushId: pushId("a") }, T + 2);
      await engine.devices.disconnect([pushId("a")], T + 3);
      const all = [["a+"], ["a/1"], ["a/2"], ["a-"], ["a+"], ["a-"]];
      t.strictSame(await drain(engine), coalesce ? [["a/1"], ["a/2"], ["a-"]] : all);
    }
  });

  await test("hooks: a state that was claimed is followed by the newer one, or gives way when it failed", async (t, {
    engine,
  }) => {
    await engine.events.want(wanted());
    for (const outcome of ["delivered", "retry", "back"] as const) {
      await engine.devices.connect({ pushId: pushId("a") }, T);
      const { events } = await claim(engine);
      t.strictSame(shown(events), ["a+"]);
      await engine.devices.disconnect([pushId("a")], T + 1);
      t.strictSame(await claim(engine), { events: [] }, "the key is under way");
      const [seq = 0] = seqs(events);
      const entry = outcome === "retry" ? [{ seq, due: T + HOUR, reason: "500" }] : [seq];
      await engine.hooks.settle("main", { ...NOTHING, [outcome]: entry });
      t.strictSame(await drain(engine), [["a-"]], outcome);
    }
  });

  await test("hooks: each endpoint has its own queue, of what it asked for", async (t, { engine }) => {
    const hooks = [
      { name: "main", events: ["device.*"], coalesce: true },
      { name: "other", events: ["client.packet"], coalesce: true },
    ];
    await engine.events.want(wanted({ hooks }));
    await engine.devices.connect({ pushId: pushId("a") }, T);
    await engine.events.note([packet("b", "1", T + 5)]);
    t.strictSame(
      (await engine.hooks.depths()).map(({ hook, waiting, dead }) => [hook, waiting, dead]),
      [
        ["main", 1, 0],
        ["other", 1, 0],
      ],
    );
    const { events } = await engine.hooks.claim("other", 10, ALL, T);
    t.strictSame(shown(events), ["b/1"]);
    await engine.hooks.settle("other", { ...NOTHING, delivered: seqs(events) });
    t.strictSame(await drain(engine), [["a+"]]);
    t.strictSame(
      (await engine.hooks.depths()).map(({ hook, waiting, oldest }) => [hook, waiting, oldest]),
      [
        ["main", 0, undefined],
        ["other", 0, undefined],
      ],
    );
  });

  await test("integration 8: events of the log are queued once more, in the order of their key, those that wait are left", async (t, {
    engine,
  }) => {
    await engine.events.want(wanted());
    await engine.events.note([packet("a", "1"), packet("a", "2"), packet("b", "1")]);
    await drain(engine);
    await engine.events.note([packet("a", "3"), packet("c", "1")]);
    t.equal(await engine.hooks.replay("main", "log", { key: "device:a-0123456789" }), 2);
    t.strictSame(await drain(engine), [["a/1", "c/1"], ["a/2"], ["a/3"]]);
    t.equal(await engine.hooks.replay("main", "log", { types: ["device.online"] }), 0);
    t.equal(await engine.hooks.replay("main", "log", { from: T - HOUR, to: T - 1 }), 0);
    t.equal(await engine.hooks.replay("main", "log", {}), 5);
    const { events } = await claim(engine);
    t.strictSame(shown(events), ["a/1", "b/1", "c/1"]);
    t.equal(await engine.hooks.replay("main", "log", {}), 0, "all of them wait");
    await engine.hooks.settle("main", { ...NOTHING, back: seqs(events) });
    t.strictSame(await drain(engine), [["a/1", "b/1", "c/1"], ["a/2"], ["a/3"]]);
  });

  await test("integration 8: while an event of a key is under way, older ones that are queued once more wait for it", async (t, {
    engine,
  }) => {
    await engine.events.want(wanted());
    await engine.events.note([packet("a", "1")]);
    await drain(engine);
    await engine.events.note([packet("a", "2")]);
    const { events } = await claim(engine);
    t.equal(await engine.hooks.replay("main", "log", {}), 1);
    t.strictSame(await claim(engine), { events: [] });
    await delivered(engine, events);
    t.strictSame(await drain(engine), [["a/1"]]);
  });

  await test("hooks: what is remembered by name is there, the newest of it", async (t, { engine }) => {
    await engine.hooks.memorize("one", "1");
    await engine.hooks.memorize("two", "2");
    await engine.hooks.memorize("one", "3");
    t.strictSame([...(await engine.hooks.memory())].sort(), [
      ["one", "3"],
      ["two", "2"],
    ]);
  });

  await test("hooks: what a process had claimed when it ended waits for the next one, with what it remembered", async (t, subject) => {
    const { engine, reopen, clock } = subject;
    if (reopen === undefined) return void t.pass("nothing lasts here");
    clock.now = T; // later they would be old at once
    await engine.events.want(wanted());
    await engine.events.note([packet("a", "1"), packet("a", "2"), packet("b", "1")]);
    const { events } = await claim(engine);
    await engine.hooks.memorize("main", "known");
    const next = await reopen(T + 1);
    t.strictSame(await drain(next), [["a/1", "b/1"], ["a/2"]]);
    t.equal((await next.events.list({}, 10)).events[0]?.id, events[0]?.id);
    t.strictSame([...(await next.hooks.memory())], [["main", "known"]]);
  });
}
