import t from "tap";
import { FULL_WINDOW, narrower, type Window, wider } from "../../src/outbox/window.ts";

const T = 1_800_000_000_000;
const fail = (window: Window, times: number, now = T, after = 0): Window =>
  Array.from({ length: times }).reduce<Window>((last) => narrower(last, now, now, after), window);

t.test("each failure takes a tenth away, each answer gives it back, up to everything", async (t) => {
  t.equal(narrower(FULL_WINDOW, T, T, 0).share, 0.9);
  t.ok(fail(FULL_WINDOW, 100).share < 0.0002, "a vendor that is down is asked one by one");
  t.equal(wider(narrower(FULL_WINDOW, T, T, 0)).share, 1);
  t.equal(wider(fail(FULL_WINDOW, 30)).failures, 0);
});

t.test("after 20 failures in a row the lane rests, longer and longer, at most a minute", async (t) => {
  t.equal(fail(FULL_WINDOW, 19).until, 0);
  t.equal(fail(FULL_WINDOW, 20).until, T + 1000);
  t.equal(fail(FULL_WINDOW, 40).until, T + 2000);
  t.equal(fail(FULL_WINDOW, 1000).until, T + 60_000);
  t.equal(wider(fail(FULL_WINDOW, 40)).until, 0, "an answer ends it");
});

t.test("a vendor that asks for a longer rest gets it, within reason", async (t) => {
  t.equal(fail(FULL_WINDOW, 20, T, 30_000).until, T + 30_000);
  t.equal(fail(FULL_WINDOW, 20, T, 86_400_000).until, T + 300_000);
});

t.test("a thousand requests that fail together count as one, and are asked again one by one", async (t) => {
  const lost = Array.from({ length: 1000 }).reduce<Window>((last) => narrower(last, T - 100, T, 0), FULL_WINDOW);
  t.equal(lost.failures, 1);
  t.equal(lost.until, 0, "no reason to rest");
  t.ok(lost.share < 0.0002);
  t.equal(narrower(lost, T + 1, T + 2, 0).failures, 2, "what was begun afterwards counts");
});
