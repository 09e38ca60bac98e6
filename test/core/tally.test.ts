import { mock } from "node:test";
import t from "tap";
import { Tally } from "../../src/core/tally.ts";

const MINUTE = 60_000;

t.test("D1: the first of a kind is told at once, the others once a minute, as how many they were", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  let now = 1;
  const pass = (time: number): void => {
    now += time;
    mock.timers.tick(time);
  };
  const told: unknown[] = [];
  const tally = new Tally<string, number>(
    (...what) => told.push(what),
    () => now,
  );

  tally.add("slow", 1);
  tally.add("slow", 2);
  tally.add("big", 3);
  t.same(told.splice(0), [
    ["slow", 1, 1],
    ["big", 1, 3],
  ]);
  tally.add("slow", 4);
  pass(MINUTE - 1);
  t.same(told.splice(0), []);
  pass(1);
  t.same(told.splice(0), [["slow", 2, 4]], "without another one that brings it up");
  pass(MINUTE);
  tally.add("slow", 5);
  t.same(told.splice(0), [["slow", 1, 5]]);
});
