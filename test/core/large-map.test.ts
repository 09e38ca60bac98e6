import { test } from "tap";
import { LargeMap } from "../../src/core/large-map.ts";

test("a large map is a map", async (t) => {
  const large = new LargeMap<string, number>();
  const plain = new Map<string, number>();
  let seed = 5;
  for (let round = 0; round < 20_000; round++) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    const key = (seed % 3000).toString(36);
    if (seed % 3 === 0) {
      const deleted = plain.delete(key);
      if (large.delete(key) !== deleted) t.fail(`delete ${key}`);
    } else {
      plain.set(key, seed);
      large.set(key, seed);
    }
    if (large.get(key) !== plain.get(key) || large.has(key) !== plain.has(key)) t.fail(`get ${key}`);
  }
  large.set("", 1);
  plain.set("", 1);
  t.equal(large.size, plain.size);
  t.same([...large.keys()].sort(), [...plain.keys()].sort());
  t.same([...large.values()].sort(), [...plain.values()].sort());
  large.clear();
  t.same([large.size, [...large.keys()]], [0, []]);
});
