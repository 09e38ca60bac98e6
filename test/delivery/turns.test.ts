import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { concurrency, INITIAL_CONCURRENCY, Turns } from "../../src/delivery/turns.ts";

t.test("lanes write one request each in rotation, so one with a million does not hold up one with two", async (t) => {
  const turns = new Turns();
  const written: string[] = [];
  const step = (name: string, count: number) => () => written.push(name) > 0 && --count > 0;
  turns.add(step("many", 100));
  turns.add(step("few", 2));
  while (written.length < 4) await turn();
  t.same(written.slice(0, 4), ["many", "few", "many", "few"]);
});

t.test("a turn writes for a millisecond and goes on in the next, so that sockets are served in between", async (t) => {
  const turns = new Turns();
  let written = 0;
  turns.add(() => {
    const begun = performance.now();
    while (performance.now() - begun < 0.4);
    return ++written < 20;
  });
  const seen: number[] = [];
  while (written < 20) {
    await turn();
    seen.push(written);
  }
  t.ok(seen.length >= 6, `20 requests of 0.4 ms took ${seen.length} turns`);
});

t.test("a lane that was taken out writes nothing more", async (t) => {
  const turns = new Turns();
  let written = 0;
  const step = () => ++written > 0;
  turns.add(step);
  turns.remove(step);
  await turn();
  t.equal(written, 0);
});

t.test("a turn is crowded after more answers than it should handle, and the next one begins anew", async (t) => {
  const turns = new Turns();
  const crowded = Array.from({ length: 100 }, () => turns.answered());
  t.equal(crowded[0], false);
  t.equal(crowded.at(-1), true);
  await turn();
  t.equal(turns.answered(), false);
});

t.test("there are more places while all are taken, and fewer when answers come in crowds", async (t) => {
  t.equal(concurrency(100, false, true, 1000), 100.25);
  t.equal(concurrency(100, false, false, 1000), 100, "they are not needed");
  t.equal(concurrency(1000, false, true, 1000), 1000);
  t.equal(concurrency(100, true, true, 1000), 99);
  t.equal(concurrency(INITIAL_CONCURRENCY, true, true, 1000), INITIAL_CONCURRENCY, "never fewer than at first");
  t.equal(concurrency(16, true, true, 16), 16, "or than the vendor takes");
});
