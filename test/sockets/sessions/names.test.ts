// The list of topics, and who is held out of one.
import t from "tap";
import type { PushId, Uid } from "../../../src/core/device.ts";
import { Holds } from "../../../src/sockets/sessions/holds.ts";
import { Lingering } from "../../../src/sockets/sessions/lingering.ts";
import { Names } from "../../../src/sockets/sessions/names.ts";
import { choices } from "../../support/choices.ts";

t.test("page after page gives every topic once and in order, however many there are", async (t) => {
  const { upTo } = choices(7);
  const all = Array.from({ length: 200 }, () => Array.from({ length: 40 }, () => `t${upTo(5000)}`));
  const names = new Names(
    () => all,
    () => 0,
  );
  const wanted = [...new Set(all.flat())].filter((name) => name.startsWith("t1")).sort();
  const found: string[] = [];
  for (let more = true; more; ) {
    const page = [...(await names.list("t1", found.at(-1) ?? ""))].slice(0, 77);
    found.push(...page);
    more = page.length === 77;
  }
  t.same(found, wanted);
});

t.test(
  "who begins anew sees what came since, who reads on is not confused by it, and an old list is forgotten",
  async (t) => {
    let now = 0;
    const all = [["a", "c"]];
    const names = new Names(
      () => all,
      () => now,
    );
    t.same([...(await names.list("", ""))], ["a", "c"]);
    all.push(["b"]);
    now = 2000;
    t.same([...(await names.list("", "a"))], ["c"]);
    t.same([...(await names.list("", ""))], ["a", "b", "c"]);
    all.push(["d"]);
    now = 70_000;
    names.tick();
    t.same([...(await names.list("", "b"))], ["c", "d"]);
  },
);

t.test("a hold lasts its time, and no more are kept than there is room for", (t) => {
  let now = 0;
  const holds = new Holds(() => now);
  holds.holdDevice("room", "d1" as PushId, 1000);
  holds.holdUser("room", "u1" as Uid, 2000);
  t.ok(holds.has("room", "d1" as PushId, undefined));
  t.ok(holds.has("room", "d2" as PushId, "u1" as Uid));
  t.notOk(holds.has("other", "d1" as PushId, "u1" as Uid));
  t.notOk(holds.has("room", "u1" as PushId, "d1" as Uid), "a device is no user");
  t.ok(holds.takes(99_998));
  t.notOk(holds.takes(99_999));
  now = 1000;
  t.notOk(holds.has("room", "d1" as PushId, undefined));
  t.ok(holds.has("room", undefined, "u1" as Uid));
  holds.holdUser("room", "u1" as Uid, 0);
  t.ok(holds.isEmpty);
  for (let i = 0; i < 3000; i++) holds.holdDevice("room", `d${i}` as PushId, i % 2 === 0 ? 10 : 10_000);
  now += 10;
  for (let i = 0; i < 3; i++) holds.tick();
  t.ok(holds.takes(98_500), "those that are over have gone");
  t.notOk(holds.takes(98_501));
  t.end();
});

t.test("a device that has just gone is the user's whose it is now", (t) => {
  const lingering = new Lingering();
  const [a, b] = ["ann" as Uid, "bob" as Uid];
  lingering.set("d1" as PushId, { reason: "r", until: 10, uid: a, since: 1 });
  lingering.set("d2" as PushId, { reason: "r", until: 20, uid: a, since: 1 });
  t.same([...lingering.of(a)], ["d1", "d2"]);
  lingering.rebind("d1" as PushId, b);
  t.same([[...lingering.of(a)], [...lingering.of(b)]], [["d2"], ["d1"]]);
  lingering.rebind("d1" as PushId, undefined);
  t.same([...lingering.of(b)], []);
  t.match(lingering.over(10, 5), [["d1", { reason: "r" }]]);
  lingering.delete("d2" as PushId);
  t.same([[...lingering.of(a)], lingering.over(99, 5)], [[], []]);
  t.end();
});
