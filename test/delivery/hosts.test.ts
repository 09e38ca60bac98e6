// Which of the hosts that devices chose have a lane of their own.
import t from "tap";
import { laneName } from "../../src/core/delivery.ts";
import { HostLanes } from "../../src/delivery/hosts.ts";

const SHARED = { vendor: "webpush", app: "a" };
const T = 1_800_000_000_000;
const HOUR = 3_600_000;

function stage() {
  const spoilt = new Set<string>();
  const left: number[] = [];
  const hosts = new HostLanes({ spoilt: (lane) => spoilt.has(laneName(lane)), left: () => void left.push(1) });
  const of = (name: string, now = T, known = false) => hosts.of(SHARED, { name, known }, now);
  return { spoilt, left, hosts, of };
}

t.test("F1: each host has a lane of its own, the same each time; what has no host shares one", async (t) => {
  const { hosts, of } = stage();
  t.same(of("one.example"), { ...SHARED, host: "one.example" });
  t.equal(of("one.example"), of("one.example"));
  t.not(of("one.example"), of("two.example"));
  t.equal(hosts.of(SHARED, undefined, T), SHARED);
});

t.test("F1b: devices that name hosts without end get no lanes without end; the large services always do", async (t) => {
  const { of } = stage();
  const lanes = new Set(Array.from({ length: 5000 }, (_, n) => of(`host-${n}.example`)));
  t.equal(lanes.size, 257, "256 and the one that all others share");
  t.equal(of("late.example"), SHARED);
  t.same(of("fcm.googleapis.com", T, true), { ...SHARED, host: "fcm.googleapis.com" });
});

t.test(
  "F1b: a host in trouble that never accepted anything makes room, and one that was not used for an hour",
  async (t) => {
    const { of, spoilt, left } = stage();
    for (let n = 0; n < 256; n++) of(`host-${n}`, T + n);
    t.equal(of("good", T + 1000), SHARED);
    spoilt.add("webpush a host-7");
    t.equal(of("good", T + 1001), SHARED, "it is not looked for with each device");
    t.same(of("good", T + 2000), { ...SHARED, host: "good" });
    t.equal(left.length, 1);
    t.equal(of("host-7", T + 2001), SHARED);
    t.same(of("later", T + HOUR), { ...SHARED, host: "later" }, "instead of the first");
    t.equal(of("host-0", T + HOUR), SHARED);
  },
);
