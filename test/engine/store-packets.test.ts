// Packets in the store: what is kept, what a reader is told, and what is forgotten. The thread's loop, here without its thread.
import { join } from "node:path";
import t from "tap";
import type { Page } from "../../src/core/packet.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import type { Call } from "../../src/engine/sqlite/thread.ts";
import { T } from "./steps.ts";
import { append, backlog, idsOf, numbered, openStore, storeOn } from "./store-steps.ts";

t.test("of a channel that gets many packets in one transaction only what it keeps is written (holds 3)", async (t) => {
  const { db, opened } = openStore(t);
  const rows = (): unknown =>
    db.prepare("SELECT count(*) AS n, min(place) AS oldest, max(place) AS newest FROM packets").get();
  opened.run([append("t:room", T + 1, ...numbered(0, 5))]);
  opened.run(numbered(5, 30).map((id) => append("t:room", T + 1, id)));
  t.same(rows(), { n: 10, oldest: 21, newest: 30 });
  const [found] = opened.run([backlog("t:room")]).results;
  t.same(idsOf(found), numbered(20, 30));
});

t.test("a reader sees the packets that came before it in the same transaction, and no later ones", async (t) => {
  const { opened } = openStore(t);
  const { results } = opened.run([
    append("t:room", T + 1, ...numbered(0, 15)),
    backlog("t:room"),
    append("t:room", T + 1, "p15"),
    backlog("t:room"),
    append("d:a", T + 1, "x"),
    ["deleteDevices", [["a"]]],
    append("d:a", T + 1, "y"),
    backlog("d:a"),
    append("t:gone", T, "z"),
    ["sweepPackets", [T, 10]],
    backlog("t:gone"),
  ]);
  t.same(idsOf(results[1]), numbered(5, 15));
  t.same(idsOf(results[3]), numbered(6, 16));
  t.same(idsOf(results[7]), ["y"], "what was dropped with its device does not come back");
  t.same(idsOf(results[10]), []);
});

t.test("a packet that cannot be stored takes none of its transaction's others with it", async (t) => {
  const { opened } = openStore(t);
  const withoutTime = append("t:room", Number.NaN, "wrong");
  const withoutBody: Call = ["append", ["t:room", "wrong", "p", null, T + 1]]; // noticed only when it is written
  for (const [i, wrong] of [withoutTime, withoutBody].entries()) {
    const [a, b] = [`a${i}`, `b${i}`];
    const reply = opened.run([append("t:room", T + 1, a), wrong, append("t:room", T + 1, b), backlog("t:room")]);
    t.same(
      reply.failures.map(([index]) => index),
      [1],
    );
    t.same(idsOf(reply.results[3]).slice(-2), [a, b]);
    t.ok((reply.results[2] as number) > (reply.results[0] as number));
  }
  t.same(idsOf(opened.run([backlog("t:room")]).results[0]), ["a0", "b0", "a1", "b1"]);
});

t.test("packets that found the disk full were refused, and leave nothing behind", async (t) => {
  const { db, opened } = openStore(t);
  opened.run([append("t:room", T + 1, "a")]);
  db.pragma(`max_page_count = ${Number(db.pragma("page_count", { simple: true }))}`);
  const body = "x".repeat(1_000_000);
  const big = (id: string): Call => ["append", ["t:room", id, "p", body, T + 1]];
  const reply = opened.run([big("b"), backlog("t:room"), big("c")]);
  t.same(
    reply.failures.map(([index, { code }]) => [index, code]),
    [
      [0, "unavailable"],
      [2, "unavailable"],
    ],
  );
  t.same(idsOf(reply.results[1]), ["a"], "reading goes on");
  db.pragma("max_page_count = 1000000");
  t.same(opened.run([append("t:room", T + 1, "d")]).failures, []);
  t.same(idsOf(opened.run([backlog("t:room")]).results[0]), ["a", "d"]);
});

t.test(
  "integration 17: a client is told whether all that it missed is still there, whatever was dropped meanwhile",
  async (t) => {
    let state = 4711; // the same in every run
    const random = (n: number): number => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((state / 2 ** 31) * n);
    };
    const { opened } = openStore(t);
    let time = T;
    let made = 0;
    interface Reader {
      readonly channel: string;
      position: { after: string } | { since: number } | "newest";
      /** What came on the channel since it was here. */
      missed: string[];
    }
    const page = (reader: Reader, epoch: string): Page =>
      opened.run([["backlog", [reader.channel, reader.position, 1e9, time, epoch]]]).results[0] as Page;
    const readers: Reader[] = ["t:a", "t:a", "t:b", "t:quiet", "d:c"].map((channel) => ({
      channel,
      position: "newest",
      missed: [],
    }));
    let epoch = "";
    for (const reader of readers) {
      const first = page(reader, "");
      t.same(first.packets, []);
      reader.position = { since: first.standing?.at ?? -1 };
      epoch = first.epoch;
    }
    const outcomes = { recovered: 0, lost: 0, quiet: 0 };
    for (let round = 0; round < 3000; round++) {
      const reader = readers[random(readers.length)]!;
      switch (random(6)) {
        case 0: {
          const { packets, standing } = page(reader, epoch);
          const ids = packets.map(({ id }) => id);
          const whole = ids.join() === reader.missed.join();
          // With exactly as many as are kept the packet of the position itself has gone: it is not sure then.
          const unsure = whole && "after" in Object(reader.position) && ids.length === 10;
          if (standing?.recovered !== whole && !unsure)
            t.fail(`round ${round}: ${standing?.recovered}, missed ${reader.missed}, got ${ids}`);
          t.same(
            ids,
            reader.missed.filter((id) => ids.includes(id)),
            "in order, and nothing else",
          );
          outcomes[reader.missed.length === 0 ? "quiet" : whole ? "recovered" : "lost"]++;
          // It may have been cut off at once, or in the middle, or have got all of it.
          const got = random(ids.length + 1);
          reader.position = got === 0 ? { since: standing?.at ?? -1 } : { after: ids[got - 1]! };
          const from = ids[Math.max(0, got - 1)];
          reader.missed =
            from === undefined ? [] : reader.missed.slice(reader.missed.indexOf(from) + (got === 0 ? 0 : 1));
          break;
        }
        case 1:
          time += random(8);
          opened.run([["sweepPackets", [time, 1 + random(20)]]]);
          break;
        default: {
          const channel = ["t:a", "t:b", "d:c", "t:other"][random(4)]!;
          const ids = Array.from({ length: 1 + random(3) }, () => `p${made++}`);
          opened.run([append(channel, time + 1 + random(30), ...ids)]);
          for (const one of readers) if (one.channel === channel) one.missed.push(...ids);
        }
      }
    }
    for (const [what, count] of Object.entries(outcomes)) t.ok(count > 20, `${what}: ${count}`);
  },
);

t.test(
  "integration 17: a position of another epoch, or of nowhere, brings all that is alive and is not called recovered",
  async (t) => {
    const { opened } = openStore(t);
    opened.run([append("t:room", T + 1, "a", "b")]);
    const ask = (position: object, epoch: string): Page =>
      opened.run([["backlog", ["t:room", position, 1e9, T, epoch]]]).results[0] as Page;
    const { epoch, standing } = ask({ after: "a" }, "");
    t.equal(standing?.recovered, false);
    for (const [position, its] of [
      [{ after: "a" }, "another"],
      [{ since: 1 }, "another"],
      [{ since: 1e9 }, epoch],
      [{ after: "x" }, epoch],
    ] as const)
      t.match(ask(position, its).standing, { recovered: false }, JSON.stringify(position));
    t.same(idsOf(ask({ since: 1 }, "another")), ["a", "b"]);
    t.match(ask({ after: "a" }, epoch), { packets: [{ id: "b" }], standing: { recovered: true } });
    t.notOk("standing" in (opened.run([backlog("t:room")]).results[0] as Page), "who has no epoch is told nothing");
  },
);

t.test("calls in one transaction do what they would do each in its own", async (t) => {
  let state = 12345; // the same calls in every run
  const random = (n: number): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * n);
  };
  const together = openStore(t).opened;
  const apart = openStore(t).opened;
  let made = 0;
  const any = (): Call => {
    const channel = ["t:a", "t:b", "d:c"][random(3)] ?? "";
    switch (random(12)) {
      case 0:
        return ["deleteDevices", [["c"]]];
      case 1:
        return ["sweepPackets", [T + random(20), 1 + random(5)]];
      case 2:
        return append(channel, Number.NaN, `wrong${made++}`);
      case 3:
      case 4:
        return ["backlog", [channel, { after: `p${made - random(12)}` }, 1e9, T + random(10)]];
      default:
        return append(channel, T + random(20), ...Array.from({ length: 1 + random(4) }, () => `p${made++}`));
    }
  };
  const shown = (result: unknown): unknown =>
    typeof result === "object" && result !== null && "packets" in result ? idsOf(result) : typeof result;
  for (let round = 0; round < 200; round++) {
    const calls = Array.from({ length: 1 + random(30) }, any);
    const reply = together.run(calls);
    const single = calls.map((call) => apart.run([call]));
    t.same(
      reply.failures.map(([index]) => index),
      single.flatMap(({ failures }, index) => (failures.length > 0 ? [index] : [])),
    );
    const what = (result: unknown, index: number): unknown =>
      calls[index]?.[0] === "sweepPackets" ? result : shown(result);
    t.same(
      calls.map((_, index) => what(reply.results[index], index)),
      single.map(({ results }, index) => what(results[0], index)),
    );
  }
});

t.test("seqs and bindings stay in order over crashes, though not every number is stored", async (t) => {
  const file = join(t.testdir(), "pushbox.db");
  let last = 0;
  for (let run = 0; run < 3; run++) {
    const db = openDatabase(file, "FULL");
    const opened = storeOn(db);
    for (let i = 0; i < 3; i++) {
      const wrong: Call = ["append", ["t:room", "wrong", "p", "{}", Number.NaN]];
      const { results } = opened.run(
        i === 1 ? [wrong, append("t:room", T + 1, "a")] : [append("t:room", T + 1, "a", "b")],
      );
      const seq = results.at(-1) as number;
      t.ok(seq > last);
      last = i === 1 ? seq : seq + 1;
    }
    db.close(); // without a word to the store: what it had in memory is gone
  }
});

t.test("expired packets are forgotten a piece at a time, oldest first", async (t) => {
  const { db, opened } = openStore(t);
  const flat = Array.from({ length: 5 }, (_, i) => [
    "t:room",
    `p${i}`,
    "p",
    "{}",
    i === 0 ? T + 50 : T + 10 + i,
  ]).flat();
  opened.run([["append", flat]]);
  const left = (): unknown => db.prepare("SELECT count(*) FROM packets").pluck().get();
  t.same(opened.run([["sweepPackets", [T + 20, 3]]]).results, [false]);
  t.equal(left(), 5, "a cursor stays while an older packet of its channel is alive");
  t.same(opened.run([["sweepPackets", [T + 50, 3]]]).results, [true]);
  t.equal(left(), 2);
  t.same(opened.run([["sweepPackets", [T + 50, 3]]]).results, [false]);
  t.equal(left(), 0);
});
