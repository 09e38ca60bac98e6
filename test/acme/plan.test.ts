// When an authority is asked: renewals in time, pauses that grow, and never too often whatever happens here.
import t from "tap";
import {
  advised,
  allowedAt,
  begun,
  concern,
  described,
  failed,
  soon,
  succeeded,
  wantedAt,
} from "../../src/acme/plan.ts";
import { NEVER_TRIED, type Tried } from "../../src/acme/store.ts";
import { DAY, HOUR, MINUTE } from "../../src/core/time.ts";

const HERE = "https://authority.test/directory";
const now = 1_800_000_000_000;
const certificate = { from: now, until: now + 90 * DAY, dice: 0.5 };

t.test(
  "acme: a certificate is renewed when two thirds of its lifetime are over, not all at the same moment",
  async (t) => {
    const tried = succeeded(begun(NEVER_TRIED, HERE, now, 0), now);
    const at = (dice: number) => (wantedAt({ ...certificate, dice }, tried, HERE, now) - now) / DAY;
    t.equal(at(0), 60);
    t.equal(at(1), 57);
    t.equal(
      (wantedAt({ from: now, until: now + 6 * DAY, dice: 0 }, tried, HERE, now) - now) / DAY,
      4,
      "short ones too",
    );
    t.equal(wantedAt(undefined, tried, HERE, now), 0);
    t.equal(
      wantedAt(certificate, tried, "https://other.test/directory", now),
      0,
      "that of another authority is replaced",
    );
    t.ok(wantedAt(certificate, NEVER_TRIED, HERE, now) > now, "one that came with the data is used");
  },
);

t.test("acme: pauses grow to a day, also when the process ends in each try", async (t) => {
  let tried = NEVER_TRIED;
  let clock = now;
  const pauses: string[] = [];
  for (let count = 0; count < 10; count++) {
    tried = begun(tried, HERE, clock, 0.5);
    const next = allowedAt(tried, clock, false);
    pauses.push(soon(next - clock));
    clock = next;
  }
  t.same(pauses, [
    "in 2 min",
    "in 10 min",
    "in 30 min",
    "in 60 min",
    "in 3 h",
    "in 6 h",
    "in 12 h",
    "in 24 h",
    "in 24 h",
    "in 24 h",
  ]);
});

t.test("acme: whoever wants it now gets four tries an hour", async (t) => {
  let tried: Tried = NEVER_TRIED;
  for (let count = 0; count < 4; count++) {
    t.equal(allowedAt(tried, now + count, true), 0);
    tried = begun(tried, HERE, now + count, 0.5);
  }
  t.equal(allowedAt(tried, now + MINUTE, true), now + HOUR);
  t.equal(allowedAt(tried, now + HOUR, true), 0);
  t.equal(allowedAt(tried, now - DAY, true), 0, "a clock that was set back");
  t.equal(allowedAt({ ...tried, tries: [] }, now - 365 * DAY, false), now - 358 * DAY);
  t.equal(allowedAt(failed(begun(NEVER_TRIED, HERE, now, 0), "why", 5 * HOUR, now), now, false), now + 5 * HOUR);
  t.equal(allowedAt(succeeded(tried, now), now, false), now + HOUR, "nor at once after a success");
});

t.test("acme: another authority begins anew, and an order is only of the one it was made with", async (t) => {
  const tried = {
    ...begun(NEVER_TRIED, HERE, now, 0),
    pending: { order: "https://authority.test/1", key: "k" },
    failures: 5,
  };
  t.match(begun(tried, HERE, now, 0), { pending: tried.pending, failures: 6 });
  const other = begun(tried, "https://other.test/", now, 0);
  t.equal(other.failures, 1);
  t.notOk("pending" in other);
});

t.test("acme: what a person is told", async (t) => {
  const tried = { ...begun(NEVER_TRIED, HERE, now, 0.5), reason: advised("it said no", "dns") };
  t.equal(
    described("a.test", undefined, tried, now),
    "a.test has no certificate yet; it said no (the domain needs an A or AAAA record that leads to this machine); next try in 2 min",
  );
  t.equal(concern(undefined, NEVER_TRIED, now), "outage");
  t.equal(concern(certificate, tried, now), "none", "one failed renewal is nothing");
  t.equal(concern(certificate, { ...tried, failures: 2 }, now), "renewal");
  t.equal(concern(certificate, tried, certificate.until), "outage");
  t.match(
    described("a.test", certificate, NEVER_TRIED, certificate.until),
    /^the certificate of a\.test expired on \d{4}-/,
  );
  t.equal(soon(-5), "within a minute");
});
