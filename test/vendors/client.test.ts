// What the client does whatever the vendor: bounds, proxies, trust, credentials. The dialects' own behaviour is in conformance.ts.

import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect as connectTo, createServer, type Socket } from "node:net";
import { mock } from "node:test";
import t, { type Test } from "tap";
import { isPrivateHost, isPublic, publicLookup } from "../../src/http/public.ts";
import { createAuthority } from "../../src/lab/authority.ts";
import { serve } from "../../src/lab/server.ts";
import { fakeApns } from "../../src/lab/vendors/apns.ts";
import { fakeFcm } from "../../src/lab/vendors/fcm.ts";
import { apns } from "../../src/vendors/apns.ts";
import { createVendor } from "../../src/vendors/client.ts";
import { Credentials } from "../../src/vendors/credentials.ts";
import { type CommonApp, type Credential, Denied, type Dialect } from "../../src/vendors/dialect.ts";
import { fcm } from "../../src/vendors/fcm.ts";
import { freePort } from "../support/ports.ts";
import { authority, configured, NOW, notification } from "./conformance.ts";
import { appAt, kinds, plain, providing, recipients, serving, silent } from "./plain.ts";

t.test("an app whose requests hang leaves the others of its account their share", async (t) => {
  const server = await serving(t);
  const own = providing(t, plain({ streams: 20, timeout: 4000 }), [appAt(server.url, "a"), appAt(server.url, "b")]);
  await own.send("a", notification(), recipients(1), NOW);
  server.misbehave({ match: ({ query }) => query.get("app") === "a", times: 1000, fault: { kind: "never" } });
  const hanging = own.send("a", notification(), recipients(100), NOW);
  t.same(kinds(await own.send("b", notification(), recipients(10), NOW)), Array(10).fill("accepted"));
  t.ok((await hanging).every(({ kind }) => kind === "retry"));
  t.ok(server.requests.length < 40, "those that found no place were not sent after all");
});

t.test("what is in flight is bounded, and all of it arrives", async (t) => {
  const server = await serving(t);
  const own = providing(t, plain({ connections: 2, streams: 10, timeout: 60_000 }), [appAt(server.url)]);
  t.ok((await own.send("a", notification(), recipients(500), NOW)).every(({ kind }) => kind === "accepted"));
  t.ok(server.peak <= 20, `${server.peak} at once`);
  t.ok(server.connections <= 2);
});

t.test("accounts share no connection", async (t) => {
  const server = await serving(t);
  const own = providing(t, plain(), [appAt(server.url, "a", "one"), appAt(server.url, "b", "two")]);
  await own.send("a", notification(), recipients(5), NOW);
  await own.send("b", notification(), recipients(5), NOW);
  await own.send("a", notification(), recipients(5), NOW);
  t.equal(server.connections, 2);
});

t.test("what no request can be made of is refused at once, and costs the others of its batch nothing", async (t) => {
  const server = await serving(t);
  const simple = plain();
  const dialect: Dialect<CommonApp> = {
    ...simple,
    batch: 10,
    encode(...args) {
      if (args[2].some(({ token }) => token === "t1")) throw new TypeError("not a point on the curve");
      return simple.encode(...args);
    },
  };
  const own = providing(t, dialect, [appAt(server.url)]);
  const reason = "plain: not a point on the curve";
  t.same(await own.send("a", notification(), recipients(1, 1), NOW), [{ kind: "refused", reason }]);
  t.same(
    await own.send("a", notification(), recipients(3), NOW),
    Array(3).fill({ kind: "retry", reason, alone: true, scope: "token" }),
    "each in a request of its own",
  );
  t.equal(server.requests.length, 0);
});

t.test("a server whose certificate is another authority's is not spoken to", async (t) => {
  const other = createAuthority(Date.now());
  const server = await serve(silent, { certificate: other.server(["127.0.0.1"]), now: () => NOW });
  t.teardown(() => server.close());
  const own = providing(t, plain(), [appAt(server.url)]);
  t.match(await own.send("a", notification(), recipients(1), NOW), [
    { kind: "retry", reason: /VERIFY|CERT|SIGNATURE/ },
  ]);
  t.equal(server.requests.length, 0);
});

t.test("a server that is not there, or accepts and says nothing, is trouble that passes", async (t) => {
  const sockets = new Set<Socket>();
  const mute = createServer((socket) => sockets.add(socket.on("error", () => undefined)));
  const port = await freePort();
  await new Promise<void>((resolve) => mute.listen(port, "127.0.0.1", resolve));
  const own = providing(t, plain({ timeout: 1500 }), [appAt(`https://127.0.0.1:${port}`)]);
  t.same(kinds(await own.send("a", notification(), recipients(3), NOW)), ["retry", "retry", "retry"]);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => mute.close(resolve));
  t.match(await own.send("a", notification(), recipients(1), NOW), [{ kind: "retry", reason: /ECONNREFUSED/ }]);
});

t.test("closing waits for what is in flight", async (t) => {
  const server = await serving(t);
  const own = createVendor(plain(), [appAt(server.url)], { ca: authority.ca });
  await own.send("a", notification(), recipients(1), NOW);
  server.misbehave({ fault: { kind: "slow", milliseconds: 100 } });
  const flying = own.send("a", notification(), recipients(1), NOW);
  await own.close();
  t.match(await flying, [{ kind: "accepted" }]);
  t.match(await own.send("a", notification(), recipients(1), NOW), [{ kind: "retry", reason: /stopping/ }]);
});

const PUBLIC = "8.8.8.8";

/** An HTTP proxy that opens every tunnel it is asked for; those to the public address end here, too. */
async function proxying(test: Test) {
  const tunnels: string[] = [];
  const proxy = createHttpServer().on("connect", (request, socket: Socket) => {
    tunnels.push(String(request.url));
    const [host, port] = String(request.url).split(":");
    const upstream = connectTo(Number(port), host === PUBLIC ? "127.0.0.1" : host!, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  test.teardown(() => new Promise((resolve) => proxy.close(resolve)));
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, tunnels };
}

for (const http2 of [true, false]) {
  t.test(`vendors can be reached through a proxy, HTTP/${http2 ? 2 : 1}`, async (t) => {
    const server = await serving(t);
    const { url, tunnels } = await proxying(t);
    const own = providing(t, plain({ http2 }), [appAt(server.url)], { ca: authority.ca, proxy: url });
    t.match(await own.send("a", notification(), recipients(3), NOW), Array(3).fill({ kind: "accepted" }));
    t.ok(tunnels.length > 0 && tunnels.every((target) => server.url.endsWith(target)));
    t.equal(server.requests[0]?.http, http2 ? 2 : 1);
  });
}

t.test("a proxy is not asked to reach a host that a device chose in our own network", async (t) => {
  const server = await serving(t);
  const { url, tunnels } = await proxying(t);
  const ours = server.url.replace("127.0.0.1", "localhost");
  const apps = [
    { ...appAt(ours), publicOnly: true },
    { ...appAt(ours, "b"), publicOnly: true, vouched: true },
  ];
  const own = providing(t, plain(), apps, { ca: authority.ca, proxy: url });
  t.match(await own.send("a", notification(), recipients(1), NOW), [
    { kind: "retry", scope: "token", reason: /ENOTPUBLIC/ },
  ]);
  t.same(tunnels, []);
  await own.send("b", notification(), recipients(1), NOW);
  t.equal(tunnels.pop(), ours.replace("https://", ""), "a host that the operator named may be resolved by the proxy");
});

t.test("a proxy reaches a public host by the address that was checked", async (t) => {
  const server = await serve(silent, { certificate: authority.server([PUBLIC]), now: () => NOW });
  t.teardown(() => server.close());
  const { url, tunnels } = await proxying(t);
  const app = { ...appAt(server.url.replace("127.0.0.1", PUBLIC)), publicOnly: true };
  const own = providing(t, plain(), [app], { ca: authority.ca, proxy: url });
  t.match(await own.send("a", notification(), recipients(1), NOW), [{ kind: "accepted" }]);
  t.equal(tunnels[0], app.baseUrl.replace("https://", ""));
});

t.test("behind a proxy too, each new connection to Apple begins with one request", async (t) => {
  const fake = fakeApns();
  let asked: number[] = [];
  const server = await serving(t, {
    ...fake,
    handle(request, now) {
      asked.push(server.requests.length);
      return fake.handle(request, now);
    },
  });
  const { url } = await proxying(t);
  const own = createVendor(apns, [configured(apns, fake, server.url)], { ca: authority.ca, proxy: url });
  t.teardown(() => own.close());
  const tokens = (count: number) => recipients(count).map(({ ref }, n) => ({ ref, token: `${n}`.padStart(64, "0") }));
  const send = (count: number) => own.send(own.apps[0]!, notification(), tokens(count), NOW);
  t.same(kinds(await send(1)), ["accepted"]);
  server.misbehave({ fault: { kind: "goaway", code: 11 } });
  t.same(kinds(await send(1)), ["retry"]);
  const before = server.requests.length;
  asked = [];
  server.misbehave({ fault: { kind: "slow", milliseconds: 100 } });
  t.ok((await send(20)).every(({ kind }) => kind === "accepted"));
  t.equal(asked[0], before + 1, "no other was sent until the first was answered");
});

t.test("a burst needs one request for a credential, and only where there is none", async (t) => {
  const fake = fakeFcm();
  const server = await serving(t, fake);
  const own = createVendor(fcm, [configured(fcm, fake, server.url)], { ca: authority.ca });
  t.teardown(() => own.close());
  const [app] = own.apps;
  t.ok((await own.send(app!, notification(), recipients(50), NOW)).every(({ kind }) => kind === "accepted"));
  await own.send(app!, notification(), recipients(50), NOW + 1000);
  t.equal(server.requests.filter(({ path }) => path === "/token").length, 1);
});

t.test(
  "a login serves all who wait for it, is renewed ahead, and one that is refused is not asked for again at once",
  async (t) => {
    let asked = 0;
    let next: () => Promise<Credential> = async () => ({ value: `c${asked}`, expires: 3_600_000 + asked });
    const dialect: Dialect<CommonApp> = {
      ...plain(),
      credential: () => {
        asked++;
        return next();
      },
    };
    const app = appAt("");
    const credentials = new Credentials(dialect, () => () => Promise.reject(new Error("unused")));

    t.same(await Promise.all([credentials.get(app, 0), credentials.get(app, 0), credentials.get(app, 1)]), [
      "c1",
      "c1",
      "c1",
    ]);
    t.equal(asked, 1, "one request however many wait");
    t.equal(await credentials.renew(app, "c1", 1000), "c2", "a login made elsewhere may have ended a young one");
    t.equal(await credentials.renew(app, "c1", 1000), "c2", "another request has renewed it already");
    t.equal(await credentials.renew(app, "c2", 30_000), undefined, "but two servers do not log in against each other");
    t.equal(asked, 2);
    t.equal(await credentials.renew(app, "c2", 31_001), "c3");
    t.equal(await credentials.renew(app, "c3", 61_000), undefined);

    next = async () => ({ value: "c4", expires: 7_200_000 });
    t.equal(credentials.get(app, 3_400_000), "c3", "renewed ahead, in the background");
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(credentials.get(app, 3_400_000), "c4");

    next = () => Promise.reject(new Denied("wrong secret"));
    asked = 0;
    t.equal(credentials.get(app, 7_000_000), "c4");
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(credentials.get(app, 7_000_001), "c4", "in use for as long as it lasts");
    await t.rejects(Promise.resolve(credentials.get(app, 7_200_000)), { message: "wrong secret" });
    t.equal(asked, 2, "the endpoint is not asked again at once");
    await t.rejects(Promise.resolve(credentials.get(app, 7_200_001)), { message: "wrong secret" });
    t.equal(asked, 2);
    asked = 0;
    for (let i = 0; i < 3; i++) await t.rejects(credentials.renew(app, "c4", 7_200_002), { message: "wrong secret" });
    t.equal(asked, 0, "nor by those whose requests it denies");
  },
);

t.test(
  "B13: the clock is set back an hour: a credential lasts no longer for it, nor does a failure hold",
  async (t) => {
    const HOUR = 3_600_000;
    let passed = 0;
    const { now } = performance;
    t.teardown(() => mock.restoreAll());
    mock.method(performance, "now", () => now.call(performance) + passed);
    let answers: Credential | Error = { value: "first", expires: 2 * HOUR };
    const dialect: Dialect<CommonApp> = {
      ...plain(),
      credential: async () => {
        if (answers instanceof Error) throw answers;
        return answers;
      },
    };
    const app = appAt("");
    const credentials = new Credentials(dialect, () => () => Promise.reject(new Error("unused")));
    t.equal(await credentials.get(app, HOUR), "first");
    passed += HOUR; // and the clock says the same as before
    answers = { value: "second", expires: 2 * HOUR };
    t.equal(await credentials.get(app, HOUR), "second");

    passed += HOUR;
    answers = new Error("down");
    await t.rejects(credentials.get(app, HOUR) as Promise<string>, { message: "down" });
    passed += 10_000;
    answers = { value: "third", expires: 2 * HOUR };
    t.equal(await credentials.get(app, 0), "third");
  },
);

t.test("no more than a thousand credentials are kept, the latest used", async (t) => {
  let asked = 0;
  const dialect = { ...plain(), credential: async () => ({ value: `c${++asked}`, expires: 3_600_000 }) };
  const credentials = new Credentials(dialect, () => () => Promise.reject(new Error("unused")));
  const get = (n: number) => credentials.get(appAt("", "a", `account ${n}`), 0);
  for (let n = 0; n < 1000; n++) await get(n);
  t.equal(await get(0), "c1");
  for (let n = 1000; n < 1500; n++) await get(n);
  t.equal(await get(0), "c1", "in use meanwhile");
  t.equal(asked, 1500);
  t.equal(await get(1), "c1501", "made anew");
});

t.test("only public addresses are public", async (t) => {
  for (const address of ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "223.5.5.5", "100.128.0.1"])
    t.ok(isPublic(address), address);
  const ours = [
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
  ];
  const ours6 = [
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd12::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
  ];
  for (const address of [...ours, ...ours6, "nonsense", ""]) t.notOk(isPublic(address), address);
  t.ok(isPrivateHost("[::1]"));
  t.ok(isPrivateHost("127.0.0.1"));
  t.notOk(isPrivateHost("example.com"));
  await new Promise<void>((resolve) => {
    publicLookup("localhost", { all: true }, (error) => {
      t.match(error, { message: /localhost has no public address/ });
      resolve();
    });
  });
});

t.test("a host that a device chose is not reached in our own network", async (t) => {
  const server = await serving(t);
  const own = providing(t, plain(), [
    { ...appAt(server.url), publicOnly: true },
    { ...appAt(server.url.replace("127.0.0.1", "localhost"), "b"), publicOnly: true },
  ]);
  t.match(await own.send("a", notification(), recipients(1), NOW), [
    { kind: "refused", reason: /not a public address/ },
  ]);
  t.match(await own.send("b", notification(), recipients(1), NOW), [{ kind: "retry" }]);
  t.equal(server.connections, 0);
});
