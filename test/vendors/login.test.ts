// Vendors that issue a credential first: a token endpoint in trouble, one that is slow, tokens that live short or are revoked.
import t, { type Test } from "tap";
import type { Outcome } from "../../src/core/vendor.ts";
import type { FakeVendor } from "../../src/lab/fake.ts";
import { isLogin } from "../../src/lab/oauth.ts";
import { fakeFcm } from "../../src/lab/vendors/fcm.ts";
import { fakeHonor } from "../../src/lab/vendors/honor.ts";
import { fakeHuawei } from "../../src/lab/vendors/huawei.ts";
import { fakeOppo } from "../../src/lab/vendors/oppo.ts";
import { fakeVivo } from "../../src/lab/vendors/vivo.ts";
import { createVendor } from "../../src/vendors/client.ts";
import type { CommonApp, Dialect } from "../../src/vendors/dialect.ts";
import { fcm } from "../../src/vendors/fcm.ts";
import { honor } from "../../src/vendors/honor.ts";
import { huawei } from "../../src/vendors/huawei.ts";
import { oppo } from "../../src/vendors/oppo.ts";
import { vivo } from "../../src/vendors/vivo.ts";
import { authority, configured, NOW, notification } from "./conformance.ts";
import { kinds, recipients, serving } from "./plain.ts";

const SECOND = 1000;
const always = { times: Number.POSITIVE_INFINITY, match: isLogin };

async function stage<App extends CommonApp>(t: Test, dialect: Dialect<App>, fake: FakeVendor, timeout = 20_000) {
  let now = NOW;
  const server = await serving(t, fake, { interposed: true, now: () => now });
  const hasty = { ...dialect, transport: { ...dialect.transport, timeout } };
  const own = createVendor(hasty, [configured(dialect, fake, server.url)], { ca: authority.ca });
  t.teardown(() => own.close());
  return {
    server,
    wait: (milliseconds: number) => {
      now += milliseconds;
    },
    send: (count = 1, from = 0): Promise<readonly Outcome[]> =>
      own.send(own.apps[0]!, notification({}, { acceptedAt: now }), recipients(count, from), now),
    logins: () => server.requests.filter(isLogin).length,
    sent: () => server.requests.filter((request) => !isLogin(request)).length,
  };
}

/** Each is a `stage` of its own; the types of the dialects differ. */
const vendors: Readonly<Record<string, (t: Test, timeout?: number) => ReturnType<typeof stage>>> = {
  fcm: (t, timeout) => stage(t, fcm, fakeFcm(), timeout),
  honor: (t, timeout) => stage(t, honor, fakeHonor(), timeout),
  huawei: (t, timeout) => stage(t, huawei, fakeHuawei(), timeout),
  oppo: (t, timeout) => stage(t, oppo, fakeOppo(), timeout),
  vivo: (t, timeout) => stage(t, vivo, fakeVivo(), timeout),
};

for (const [name, begin] of Object.entries(vendors)) {
  t.test(
    `${name}: a token endpoint in trouble is asked again after a while, and nothing is sent meanwhile`,
    async (t) => {
      const { server, send, wait, logins, sent } = await begin(t);
      server.misbehave({ ...always, fault: { kind: "reply", reply: { status: 503, body: "<html>busy</html>" } } });
      t.same(kinds(await send(3)), ["retry", "retry", "retry"]);
      t.same(kinds(await send()), ["retry"]);
      t.equal(logins(), 1, "it is not hammered");
      wait(10 * SECOND);
      t.same(kinds(await send()), ["retry"]);
      t.equal(logins(), 2);
      t.equal(sent(), 0);
      server.behave();
      wait(10 * SECOND);
      t.same(kinds(await send()), ["accepted"]);
      t.equal(logins(), 3);
    },
  );

  t.test(`${name}: many wait for one slow login together`, async (t) => {
    const { server, send, logins } = await begin(t);
    server.misbehave({ ...always, fault: { kind: "slow", milliseconds: 150 } });
    const many = await Promise.all(Array.from({ length: 20 }, (_, n) => send(1, n)));
    t.same(kinds(many.flat()), Array(20).fill("accepted"));
    t.equal(logins(), 1);
  });

  t.test(`${name}: a login that is never answered, or in a black hole, ends in time`, async (t) => {
    const { server, send, wait } = await begin(t, 300);
    for (const kind of ["never", "black-hole", "torn", "no-tls"] as const) {
      server.misbehave({ ...always, fault: { kind } });
      t.same(kinds(await send(2)), ["retry", "retry"], kind);
      server.behave();
      wait(10 * SECOND);
    }
    // On a busy machine a new connection may take longer than it is given here, more than once.
    for (const late = performance.now() + 60_000; kinds(await send())[0] !== "accepted"; ) {
      t.ok(performance.now() < late, "it comes to be accepted again");
      wait(10 * SECOND);
    }
  });

  t.test(`${name}: credentials that are revoked are replaced once, and the request is not lost`, async (t) => {
    const { server, send, wait, logins } = await begin(t);
    t.same(kinds(await send()), ["accepted"]);
    wait(60 * SECOND);
    server.misbehave({ match: (request) => !isLogin(request), fault: { kind: "revoked" } });
    t.same(kinds(await send(1, 1)), ["accepted"]);
    t.equal(logins(), 2);
    t.same(kinds(await send(1, 2)), ["accepted"]);
    t.equal(logins(), 2, "the new one is good");
    wait(60 * SECOND);
    server.misbehave({
      match: (request) => !isLogin(request),
      times: Number.POSITIVE_INFINITY,
      fault: { kind: "revoked" },
    });
    t.same(kinds(await send(1, 3)), ["denied"]);
    t.equal(logins(), 3, "one new one was tried");
  });
}

for (const name of ["fcm", "honor", "huawei"]) {
  t.test(`${name}: tokens that live a minute are renewed ahead, and none is shown that has expired`, async (t) => {
    const { server, send, wait, logins } = await vendors[name]!(t);
    const login = server.vendor.login!;
    login.lifetime = 60;
    t.same(kinds(await send()), ["accepted"]);
    wait(20 * SECOND);
    t.same(kinds(await send(1, 1)), ["accepted"]);
    t.equal(login.issued, 1);
    wait(15 * SECOND);
    t.same(kinds(await send(1, 2)), ["accepted"], "with the old one, while a new one is fetched");
    while (login.issued < 2) await send(1, 3);
    wait(90 * SECOND);
    const before = server.requests.length;
    t.same(kinds(await send(1, 4)), ["accepted"], "long expired: a new one first");
    t.equal(login.issued, 3);
    t.equal(server.requests.length, before + 2, "a login and the request, which was not denied");
    t.equal(logins(), 3);
  });
}
