// What the authority advises about renewal (RFC 9773): asked for as often as it wants, followed while it makes sense, and no harm
// where it does not come.
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Challenges } from "../../src/acme/challenges.ts";
import { Keeper } from "../../src/acme/keeper.ts";
import { adviceAt, succeeded, wantedAt } from "../../src/acme/plan.ts";
import { type Advice, advisedTime, asking, heard, renewalId, unheard } from "../../src/acme/renewal.ts";
import { NEVER_TRIED } from "../../src/acme/store.ts";
import { DAY, HOUR, MINUTE } from "../../src/core/time.ts";
import { type FakeAcme, startAcme } from "../support/acme.ts";
import { eventually } from "../support/until.ts";

const HERE = "https://authority.test/directory";
const DOMAIN = "push.test";
const now = 1_800_000_000_000;
const certificate = { id: "key.number", from: now, until: now + 90 * DAY, dice: 0.5 };

/** RFC 9773, appendix A. */
const EXAMPLE = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
`;

t.test("acme: a certificate has the name that RFC 9773 gives it", async (t) => {
  t.equal(renewalId(new X509Certificate(EXAMPLE)), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
});

t.test("acme: the moment is drawn once from the window; it holds while the window does", async (t) => {
  const window = { start: now + 20 * DAY, end: now + 24 * DAY };
  const asked = asking(undefined, "key.number", now);
  const first = heard(asked, window, 0, now, 0.25);
  t.match(first, { failures: 0, next: now + 6 * HOUR, window: { at: now + 21 * DAY, heard: now } });
  const second = heard(first, window, 2 * HOUR, now + HOUR, 0.9);
  t.match(second, { next: now + 3 * HOUR, window: { at: now + 21 * DAY, heard: now + HOUR } });
  const moved = heard(second, { start: now, end: now + DAY }, 0, now + HOUR, 0.5);
  t.match(moved, { window: { at: now + DAY / 2 } });
  t.equal(heard(moved, undefined, 0, now, 0.5).window, undefined, "an authority that gives none any more");
  for (const [retryAfter, pause] of [
    [1, MINUTE],
    [30 * DAY, DAY],
    [0, 6 * HOUR],
  ] as const)
    t.equal(heard(asked, window, retryAfter, now, 0).next - now, pause, `${retryAfter}`);
});

t.test(
  "acme: advice that cannot be heard is asked for ever more seldom, and what was heard before is kept",
  async (t) => {
    let advice: Advice | undefined;
    const pauses: number[] = [];
    for (let tries = 0; tries < 6; tries++) {
      advice = asking(advice, "key.number", now);
      pauses.push((advice.next - now) / MINUTE);
    }
    t.same(pauses, [15, 30, 60, 120, 240, 360]);
    t.equal(unheard(advice!, 10 * HOUR, now).next, now + 10 * HOUR);
    t.equal(unheard(advice!, 1000, now).next, advice!.next, "a shorter pause than ours makes it no shorter");
    const known = heard(advice!, { start: now, end: now + DAY }, 0, now, 0.5);
    t.same(asking(known, "key.number", now).window, known.window);
    t.match(asking(known, "key.other", now), { id: "key.other", failures: 1, window: undefined });
  },
);

t.test("acme: advice is followed where it makes sense", async (t) => {
  const at = (window: { start: number; end: number }, dice = 0, later = now) =>
    advisedTime(certificate, heard(asking(undefined, "key.number", now), window, 0, now, dice), later);
  t.equal(at({ start: now + 20 * DAY, end: now + 21 * DAY }, 0.5), now + 20.5 * DAY);
  t.equal(at({ start: now + 80 * DAY, end: now + 81 * DAY }), now + 80 * DAY, "later than we would");
  t.equal(
    at({ start: now - 9 * DAY, end: now - 8 * DAY }),
    now + DAY,
    "not younger than a day: it could come to no rest",
  );
  t.equal(at({ start: now + 89 * DAY, end: now + 90 * DAY }), undefined, "it ends when the certificate does");
  t.equal(at({ start: now + 80 * DAY, end: now + 81 * DAY }, 0, now + 4 * DAY), undefined, "heard too long ago");
  t.equal(
    advisedTime(
      { ...certificate, id: "key.other" },
      heard(asking(undefined, "key.number", now), { start: 0, end: 1 }, 0, now, 0),
      now,
    ),
    undefined,
  );
  const short = { ...certificate, until: now + 6 * HOUR };
  t.equal(
    advisedTime(short, heard(asking(undefined, "key.number", now), { start: now, end: now + 1 }, 0, now, 0), now),
    now + 2 * HOUR,
  );
});

t.test("acme: the plan takes the advice of who issued the certificate, and has its own without", async (t) => {
  const tried = succeeded({ ...NEVER_TRIED, directory: HERE }, now);
  const advice = heard(asking(undefined, "key.number", now), { start: now + 20 * DAY, end: now + 21 * DAY }, 0, now, 0);
  const without = wantedAt(certificate, tried, HERE, now);
  t.equal(wantedAt(certificate, { ...tried, advice }, HERE, now), now + 20 * DAY);
  t.equal(wantedAt({ ...certificate, id: "key.other" }, { ...tried, advice }, HERE, now), without);
  t.equal(wantedAt(certificate, { ...tried, issuer: "", advice }, HERE, now), without, "whose it is is not known");
  t.equal(adviceAt(certificate, tried, HERE, now), 0);
  t.equal(adviceAt(certificate, { ...tried, advice }, HERE, now), now + 6 * HOUR);
  t.equal(adviceAt(certificate, { ...tried, advice }, HERE, now - 365 * DAY), now - 364 * DAY, "a clock set back");
  for (const [what, one, whose] of [
    ["no certificate", undefined, HERE],
    ["without a name", { from: now, until: now + DAY, dice: 0 }, HERE],
    ["of another authority", certificate, "https://other.test/directory"],
    ["expired", { ...certificate, until: now }, HERE],
  ] as const)
    t.equal(adviceAt(one, tried, whose, now), Number.POSITIVE_INFINITY, what);
});

interface Kept {
  /** Lets the clock show this, and the keeper do what is due then. */
  at(time: number): Promise<void>;
  stop(): Promise<void>;
  readonly log: readonly string[];
}

/** A clock for both sides, and a keeper with one domain. */
async function stage(
  t: Test,
): Promise<{ fake: FakeAcme; data: string; clock: { now: number }; keep: () => Promise<Kept> }> {
  const clock = { now };
  const fake = await startAcme(t, () => clock.now);
  const data = join(t.testdirName, "data");
  t.testdir({ "ca.pem": readFileSync(fake.caFile), data: {} });
  return {
    fake,
    data,
    clock,
    async keep() {
      const log: string[] = [];
      let rounds = 0;
      const keeper = new Keeper({
        dataDir: data,
        domains: [DOMAIN],
        directory: fake.directory,
        email: "",
        caFile: fake.caFile,
        challenges: new Challenges(() => undefined),
        open: async () => {
          rounds++;
        },
        use: async () => {},
        now: () => clock.now,
        tell: (level, text) => void log.push(`${level}: ${text}`),
      });
      await keeper.load();
      keeper.start();
      t.teardown(() => keeper.stop());
      const round = async () => {
        const before = rounds;
        keeper.hurry();
        await eventually(
          async () => rounds,
          (count) => count > before,
        );
      };
      return {
        log,
        stop: () => keeper.stop(),
        // A round has ended when the next one begins; what it issued is asked about in the next.
        async at(time) {
          clock.now = time;
          for (let count = 0; count < 3; count++) await round();
        },
      };
    },
  };
}

const window = (start: number, end: number) => ({
  suggestedWindow: { start: new Date(start).toISOString(), end: new Date(end).toISOString() },
});

t.test(
  "acme: renewed in the window, as a successor, asking as often as the authority wants; a restart forgets nothing",
  async (t) => {
    const { fake, data, clock, keep } = await stage(t);
    fake.advise = () => ({
      body: { ...window(now + 20 * DAY, now + 21 * DAY), explanationURL: "https://authority.test/incident" },
      headers: { "retry-after": "7200" },
    });
    const first = await keep();
    await first.at(now);
    t.same(fake.ordered, [undefined], "the first takes nobody's place");
    const id = renewalId(new X509Certificate(readFileSync(join(data, "certificates", `${DOMAIN}.pem`))));
    t.same(fake.asked, [id]);
    t.match(
      first.log.join("\n"),
      /^info: 127\.0\.0\.1:\d+ advises when to renew push\.test: see https:\/\/authority\.test\/incident; renewed in (4[89]|50)\d h$/m,
    );
    await first.at(now + 2 * HOUR - MINUTE);
    t.equal(fake.asked.length, 1, "not before Retry-After");
    await first.at(now + 2 * HOUR);
    t.equal(fake.asked.length, 2);
    t.equal(first.log.filter((line) => line.includes("advises")).length, 1, "the same is told once");
    await first.stop();

    const second = await keep();
    await second.at(clock.now);
    t.equal(fake.asked.length, 2, "what was heard is on disk");
    await second.at(now + 20 * DAY - HOUR);
    t.same(fake.ordered, [undefined]);
    fake.advise = () => ({ status: 500 });
    await second.stop();
    const third = await keep();
    await third.at(now + 21 * DAY);
    t.same(fake.ordered, [undefined, id], "by what was heard before, for the authority is in trouble");
    t.ok(existsSync(join(data, "certificates", `${DOMAIN}.pem`)));
  },
);

t.test("acme: an authority that says at once is believed, once a day at most", async (t) => {
  const { fake, keep } = await stage(t);
  fake.advise = () => ({ body: window(now - 10 * DAY, now - 9 * DAY) });
  const keeper = await keep();
  await keeper.at(now);
  await keeper.at(now + 23 * HOUR);
  t.equal(fake.ordered.length, 1);
  await keeper.at(now + 25 * HOUR);
  t.equal(fake.ordered.length, 2);
  await keeper.at(now + 30 * HOUR);
  t.equal(fake.ordered.length, 2, "the new one is not replaced at once, too");
});

t.test("acme: without advice that can be followed a certificate is renewed as before", async (t) => {
  const cases: Readonly<Record<string, FakeAcme["advise"]>> = {
    "a directory without a place for it": undefined,
    "an unknown certificate": () => ({ status: 404, body: { type: "urn:ietf:params:acme:error:malformed" } }),
    trouble: () => ({ status: 503, headers: { "retry-after": "60" } }),
    nonsense: () => ({ body: "<html>" }),
    "no times": () => ({ body: { suggestedWindow: { start: "soon", end: 7 } } }),
    "the wrong way round": () => ({ body: window(now + 3 * DAY, now + 2 * DAY) }),
    "a window that ends too late": () => ({ body: window(now + 2 * DAY, now + 400 * DAY) }),
  };
  for (const [what, advise] of Object.entries(cases))
    await t.test(what, async (t) => {
      const { fake, keep } = await stage(t);
      fake.advise = advise;
      const keeper = await keep();
      await keeper.at(now);
      await keeper.at(now + 56 * DAY);
      t.equal(fake.ordered.length, 1);
      await keeper.at(now + 61 * DAY);
      t.equal(fake.ordered.length, 2);
      t.notMatch(keeper.log.join("\n"), /warn|error/);
    });
});

t.test("acme: an authority that refuses the successor gets an order like any other", async (t) => {
  const { fake, keep } = await stage(t);
  fake.advise = () => ({ body: window(now + 20 * DAY, now + 21 * DAY) });
  fake.refuses = "alreadyReplaced";
  const keeper = await keep();
  await keeper.at(now);
  await keeper.at(now + 21 * DAY);
  await keeper.at(now + 21 * DAY + 7 * HOUR);
  t.match(fake.ordered, [undefined, /^[\w-]+\.[\w-]+$/, undefined]);
  t.notMatch(keeper.log.join("\n"), /warn|error/);
});
