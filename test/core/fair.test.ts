// What goes when there is more than may: in simulated time, so every run is the same.
import t, { type Test } from "tap";
import { FairShare } from "../../src/core/fair.ts";

interface Topic {
  readonly clients: number;
  /** Pushes per second. */
  readonly rate: number;
}

/**
 * What each topic had, as parts of what was pushed to it, after the first two seconds; and packets to clients per second.
 * @param still whether nothing is pushed in this millisecond
 */
function run(
  perSecond: number,
  topics: readonly Topic[],
  { seconds = 20, others = 0, still = (_ms: number): boolean => false } = {},
) {
  const fair = new FairShare(perSecond);
  const due = topics.map(() => 0);
  const sent = topics.map(() => 0);
  const pushed = topics.map(() => 0);
  let written = 0;
  let before = 0;
  for (let ms = 0; ms < 1000 * seconds; ms++) {
    written += others / 1000;
    if (ms === 2000) before = written;
    if (still(ms)) continue;
    for (const [i, { clients, rate }] of topics.entries())
      for (due[i]! += rate / 1000; due[i]! >= 1; due[i]!--) {
        const went = fair.admits(`topic${i}`, clients, written, ms);
        if (went) written += clients;
        if (ms < 2000) continue;
        pushed[i]!++;
        if (went) sent[i]!++;
      }
  }
  const part = (i: number): number => sent[i]! / pushed[i]!;
  return {
    part,
    clientsOf: (i: number) => (sent[i]! * topics[i]!.clients) / (seconds - 2),
    total: (written - before) / (seconds - 2),
  };
}

const near = (t: Test, found: number, wanted: number, what: string): boolean =>
  t.ok(found > 0.9 * wanted && found < 1.1 * wanted, `${what}: ${Math.round(found)}, about ${wanted}`);

t.test("integration 16: what fits goes, all of it", (t) => {
  const { part, total } = run(10_000, [
    { clients: 100, rate: 90 },
    { clients: 1, rate: 500 },
  ]);
  t.equal(part(0), 1);
  t.equal(part(1), 1);
  near(t, total, 9500, "written");
  t.end();
});

t.test("integration 16: a busy topic leaves out its own packets, small ones lose none", (t) => {
  const small = Array.from({ length: 20 }, () => ({ clients: 5, rate: 20 }));
  const { part, total, clientsOf } = run(10_000, [{ clients: 100, rate: 500 }, ...small]);
  for (const i of small.keys()) t.equal(part(i + 1), 1);
  near(t, total, 10_000, "written");
  near(t, clientsOf(0), 8000, "of the busy one");
  t.end();
});

t.test("integration 16: after a pause, busy topics do not take the place of the small ones", (t) => {
  const still = (ms: number): boolean => ms % 550 > 50;
  const busy = Array.from({ length: 4 }, () => ({ clients: 20, rate: 800 }));
  const small = Array.from({ length: 10 }, () => ({ clients: 1, rate: 20 }));
  const { part, total } = run(2000, [...busy, ...small], { still });
  for (const i of small.keys()) t.equal(part(busy.length + i), 1, `small ${i}`);
  for (const i of busy.keys()) t.ok(part(i) > 0 && part(i) < 0.5, `busy ${i}: ${part(i)}`);
  t.ok(total < 2000, `${total} written`);
  t.end();
});

t.test("integration 16: topics that all want more get as much as one another, whatever their size", (t) => {
  const { clientsOf, total } = run(10_000, [
    { clients: 100, rate: 500 },
    { clients: 10, rate: 2000 },
    { clients: 500, rate: 100 },
  ]);
  near(t, total, 10_000, "written");
  for (const i of [0, 1, 2]) t.ok(clientsOf(i) > 2600 && clientsOf(i) < 4000, `${i}: ${Math.round(clientsOf(i))}`);
  t.end();
});

t.test("integration 16: a topic with more clients than may be written to in a second is served now and then", (t) => {
  const { clientsOf, part } = run(
    1000,
    [
      { clients: 5000, rate: 2 },
      { clients: 10, rate: 500 },
    ],
    { seconds: 60 },
  );
  t.ok(clientsOf(0) > 250, `${clientsOf(0)}`);
  t.ok(part(1) > 0.05);
  t.end();
});

t.test("integration 16: what must go in any case goes before, and topics share the rest", (t) => {
  const { clientsOf, total } = run(10_000, [{ clients: 100, rate: 500 }], { others: 8000 });
  near(t, total, 10_000, "written");
  near(t, clientsOf(0), 2000, "of the topic");
  const { clientsOf: ofNothing } = run(10_000, [{ clients: 100, rate: 500 }], { others: 20_000 });
  t.ok(ofNothing(0) < 200);
  t.end();
});

t.test("integration 16: when it is over everything goes again", (t) => {
  const fair = new FairShare(1000);
  let written = 0;
  for (let ms = 0; ms < 5000; ms++) if (fair.admits("busy", 100, written, ms)) written += 100;
  t.ok(written < 8000, `${written} of 500,000 while there was too much`);
  for (let ms = 5000; ms < 20_000; ms += 200) {
    const went = fair.admits("busy", 20, written, ms);
    if (went) written += 20;
    if (ms > 8000) t.ok(went, `${ms}`);
  }
  t.end();
});
