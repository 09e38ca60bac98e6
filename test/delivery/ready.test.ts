import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import type { Delivery } from "../../src/core/delivery.ts";
import type { PushId } from "../../src/core/device.ts";
import type { Notification } from "../../src/core/notification.ts";
import { Ready } from "../../src/delivery/ready.ts";

const delivery = (job: number, number: number): Delivery => ({
  delivery: number,
  job,
  lane: { vendor: "huawei", app: "com.example" },
  pushId: `device-${number}` as PushId,
  type: "huawei",
  token: `token-${number}`,
  attempts: 0,
  lease: { name: 1, until: 0 },
});
const note = (id: string): Notification => ({
  id,
  content: { android: { title: "T", payload: {} } },
  timeToLive: 60_000,
  type: "pushMany",
  acceptedAt: 0,
  callerAddress: "",
});
const notes = new Map([
  [1, note("one")],
  [2, note("two")],
]);
const NONE: ReadonlySet<number> = new Set();

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

t.test("jobs take turns, and a request carries one notification to at most so many", async (t) => {
  const ready = new Ready();
  ready.add([delivery(1, 11), delivery(1, 12), delivery(1, 13), delivery(2, 21)], notes);
  ready.add([delivery(2, 22), delivery(1, 14)], notes);
  const taken: string[] = [];
  for (let batch = ready.take(2, NONE); batch !== undefined; batch = ready.take(2, NONE))
    taken.push(`${batch.note?.id} ${batch.to.map(({ delivery }) => delivery).join(" ")}`);
  t.same(taken, ["one 11 12", "two 21 22", "one 13 14"]);
  t.equal(ready.length, 0);
});

t.test("one that must go alone does, and those around it together", async (t) => {
  const ready = new Ready();
  ready.add([delivery(1, 11), delivery(1, 12), delivery(1, 13), delivery(1, 14)], notes);
  const alone = new Set([13]);
  const taken: number[][] = [];
  for (let batch = ready.take(10, alone); batch !== undefined; batch = ready.take(10, alone))
    taken.push(batch.to.map(({ delivery }) => delivery));
  t.same(taken, [[11, 12], [13], [14]]);
});

t.test("what is left can be taken back, each once", async (t) => {
  const ready = new Ready();
  ready.add([delivery(1, 11), delivery(1, 12), delivery(2, 21)], notes);
  ready.take(1, NONE);
  t.equal(ready.length, 2);
  t.same(
    ready
      .clear()
      .map(({ delivery }) => delivery)
      .sort(),
    [12, 21],
  );
  t.equal(ready.length, 0);
  t.equal(ready.take(1, NONE), undefined);
});

t.test("the notification of a job that the store does not know is undefined", async (t) => {
  const ready = new Ready();
  ready.add([delivery(9, 91)], notes);
  t.match(ready.take(1, NONE), { note: undefined, to: [{ delivery: 91 }] });
});

t.test("what is taken of a long job is let go of although there is always more of it", async (t) => {
  const ready = new Ready();
  const taken: WeakRef<Delivery>[] = [];
  for (let number = 0; number < 10_000; number += 2) {
    ready.add([delivery(1, number), delivery(1, number + 1)], notes);
    const batch = ready.take(number === 0 ? 1 : 2, NONE);
    if (number < 1000) taken.push(new WeakRef(batch!.to[0]!));
  }
  await new Promise(setImmediate); // what a WeakRef gave lives to the end of the turn
  collect();
  t.equal(taken.filter((ref) => ref.deref() !== undefined).length, 0);
  t.equal(ready.length, 1);
});
