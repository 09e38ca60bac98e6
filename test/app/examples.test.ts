// What the page of examples asks: bounded, whoever asks.
import t from "tap";
import { createExamples } from "../../src/app/examples.ts";
import type { PushId } from "../../src/core/device.ts";

const me = "0123456789" as PushId;

function examples(online = 2) {
  const pushed: { topic: unknown; body: Record<string, unknown>; kept: boolean }[] = [];
  let seconds = 0;
  const ask = createExamples({
    live: { count: async () => online },
    push: (target, { body, timeToLive }) =>
      pushed.push({
        topic: target.kind === "topic" ? target.topic : target,
        body: JSON.parse(body) as Record<string, unknown>,
        kept: timeToLive > 0,
      }),
    notify: async () => {},
    elapsed: () => 1000 * seconds,
  });
  return {
    ask,
    pushed,
    pass() {
      seconds++;
    },
  };
}

t.test("only paths of examples are answered, and only known ones do something", async (t) => {
  const { ask, pushed } = examples();
  t.equal(ask(me, "/shop/buy", {}), undefined);
  t.match(await ask(me, "/examples/none", {}), { error: String });
  t.same(await ask(me, "/examples/online", undefined), { online: 2 });
  t.same(pushed, []);
});

t.test("what is said is cut short, and goes to the two topics of examples only, whatever was sent", async (t) => {
  const { ask, pushed } = examples();
  await ask(me, "/examples/say", { text: "x".repeat(10_000), from: "y".repeat(100), topic: "news" });
  await ask(me, "/examples/draw", { line: ["1", {}, 3, 4, 5, 6], color: "red", topic: "news" });
  await ask(me, "/examples/say", null);
  const odd = { toString: 1, valueOf: 1 };
  await ask(me, "/examples/say", { text: odd, from: [odd] });
  await ask(me, "/examples/draw", { line: [odd, [odd]], color: odd });
  t.match(pushed, [
    { topic: "examples:chat", body: { text: "x".repeat(500), from: "y".repeat(24), online: 2 }, kept: true },
    { topic: "examples:drawing", body: { line: [1, 0, 3, 4], color: 0 }, kept: false },
    { topic: "examples:chat", body: { text: "", from: "" } },
    { topic: "examples:chat", body: { text: "", from: "" } },
    { topic: "examples:drawing", body: { line: [0, 0], color: 0 } },
  ]);
});

t.test("more than 60 in a second, or more than 100 in the room: nobody is heard", async (t) => {
  const busy = examples();
  const answers = await Promise.all(Array.from({ length: 61 }, () => busy.ask(me, "/examples/say", { text: "a" })));
  t.equal(busy.pushed.length, 60);
  t.match(answers.at(-1), { error: /too many/ });
  busy.pass();
  await busy.ask(me, "/examples/say", { text: "a" });
  t.equal(busy.pushed.length, 61);
  const full = examples(101);
  t.match(await full.ask(me, "/examples/say", { text: "a" }), { error: /too many/ });
  t.same(full.pushed, []);
});
