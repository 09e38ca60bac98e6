import t from "tap";
import { FULL_WINDOW, narrower, type Window, wider } from "../../src/delivery/window.ts";

const T = 1_800_000_000_000;
const fail = (window: Window, times: number, now = T, after = 0): Window =>
  Array.from({ length: times }).reduce<Window>((last) => narrower(last, now, after), window);

t.test("each failure takes a tenth away, each answer gives it back, up to everything", async (t) => {
  t.equal(narrower(FULL_WINDOW, T, 0).share, 0.9);
  t.ok(fail(FULL_WINDOW, 100).share < 0.0002, "a vendor that is down is asked one by one");
  t.equal(wider(narrower(FULL_WINDOW, T, 0)).share, 1);
  t.equal(wider(fail(FULL_WINDOW, 30)).failures, 0);
});

t.test(
  "after 20 failures in a row the lane rests, and after each one more, longer and longer, at most a minute",
  async (t) => {
    t.equal(fail(FULL_WINDOW, 19).until, 0);
    let window = fail(FULL_WINDOW, 20);
    t.equal(window.until, T + 1000);
    for (const rest of [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      const then = window.until;
      window = narrower(window, then, 0);
      t.equal(window.until, then + rest);
    }
    t.equal(wider(window).until, 0, "an answer ends it");
    t.equal(fail(wider(window), 20).until, T + 1000, "and the next trouble begins anew");
  },
);

t.test("a thousand requests that fail in one moment are one trouble", async (t) => {
  t.equal(fail(FULL_WINDOW, 1000).until, T + 1000);
  t.equal(fail(fail(FULL_WINDOW, 20), 1000, T + 999).until, T + 1000);
});

t.test("a vendor that asks for a longer rest gets it, within reason", async (t) => {
  t.equal(fail(FULL_WINDOW, 20, T, 30_000).until, T + 30_000);
  t.equal(fail(FULL_WINDOW, 20, T, 86_400_000).until, T + 300_000);
});
