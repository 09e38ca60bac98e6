// What is due at which second.
import t from "tap";
import { Agenda, Entry } from "../../src/core/agenda.ts";

/** All that is due by then, in order. */
function due<T>(agenda: Agenda<T>, to: number): T[] {
  const found: T[] = [];
  for (let goes = true; goes; ) {
    goes = agenda.advance(to);
    for (let item = agenda.take(); item !== undefined; item = agenda.take()) found.push(item);
  }
  return found;
}

t.test("each comes at its second, in the order in which it was put there", async (t) => {
  const agenda = new Agenda<string>(100);
  for (const [name, second] of [
    ["late", 130],
    ["b", 110],
    ["c", 110],
    ["past", 50],
    ["a", 105],
  ] as const)
    agenda.put(new Entry(name), second);
  t.same(due(agenda, 100), [], "what is past is due with the next second");
  t.same(due(agenda, 104), ["past"]);
  t.same(due(agenda, 120), ["a", "b", "c"]);
  t.same(due(agenda, 129), []);
  t.same(due(agenda, 10_000), ["late"]);
});

t.test("what is moved or removed does not come where it was, not even when it was due already", async (t) => {
  const agenda = new Agenda<string>(0);
  const [a, b, c] = ["a", "b", "c"].map((name) => new Entry(name)) as [Entry<string>, Entry<string>, Entry<string>];
  for (const entry of [a, b, c]) agenda.put(entry, 5);
  agenda.put(b, 9);
  agenda.remove(c);
  agenda.remove(c);
  agenda.advance(4);
  while (agenda.advance(5));
  agenda.put(a, 7);
  t.equal(agenda.take(), undefined);
  t.same(due(agenda, 20), ["a", "b"]);
});

t.test("random orders, against a list that is sorted", async (t) => {
  for (let seed = 1; seed <= 300; seed++) {
    let state = seed;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const agenda = new Agenda<number>(0);
    const entries = Array.from({ length: 20 }, (_, n) => new Entry(n));
    const model = new Map<number, number>();
    let now = 0;
    for (let step = 0; step < 60; step++) {
      const n = random(20);
      if (random(3) === 0) {
        agenda.remove(entries[n]!);
        model.delete(n);
      } else {
        const second = random(100);
        agenda.put(entries[n]!, second);
        model.set(n, Math.max(second, now + 1));
      }
      if (random(4) > 0) continue;
      now += random(10);
      const expected = [...model].filter(([, second]) => second <= now).map(([item]) => item);
      for (const item of expected) model.delete(item);
      t.same(due(agenda, now).sort(), expected.sort(), `seed ${seed}`);
    }
  }
});
