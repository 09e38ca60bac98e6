// A certificate by naming a domain, from the real pebble.
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { Agent } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import t, { type Test } from "tap";
import { Authority } from "../../src/acme/authority.ts";
import { Challenges } from "../../src/acme/challenges.ts";
import { obtain, type Pending } from "../../src/acme/obtain.ts";
import { certificateIn } from "../../src/acme/store.ts";
import { storedCertificates } from "../../src/acme/stored.ts";
import { createServer as createHttp } from "../../src/http/server.ts";
import { createAuthority } from "../../src/lab/authority.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { SocketClient } from "../support/clients.ts";
import { hasPebble, ISSUED, ORDERED, openPebble, type Pebble } from "../support/pebble.ts";
import { serve } from "../support/process.ts";
import { eventually } from "../support/until.ts";

const DOMAIN = "push.test";

const LIMITS = { maxBody: 1, bodyTimeout: 1000, trustedProxies: [] };

const settings = (pebble: Pebble) => ({
  acceptTerms: true,
  directory: pebble.directory,
  caFile: pebble.caFile,
  port: pebble.httpPort,
});

const start = (t: Test, pebble: Pebble, data: string, domain = DOMAIN): Promise<TestApp> =>
  startTestApp(t, { data, client: { domain }, acme: settings(pebble) });

/** A real client that knows who signed. */
async function client(t: Test, app: TestApp, id: string, ca: string): Promise<SocketClient> {
  const agent = new Agent({
    ca,
    lookup: (_name, options, done) =>
      options.all === true ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
  });
  const one = new SocketClient(4, app.clientUrl, ["websocket"], { agent });
  t.teardown(() => one.socket.disconnect());
  await one.next("connect");
  one.socket.emit("pushId", { id, topics: ["news"] });
  await one.next("pushId");
  return one;
}

/** Who signed what a new connection gets; the error's code where there is none. */
const issuer = (port: number): Promise<string> =>
  new Promise((done) => {
    const socket = connect({ port, host: "127.0.0.1", servername: DOMAIN, rejectUnauthorized: false }, () => {
      done(String(socket.getPeerCertificate().issuer.CN));
      socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => done(String(error.code)));
  });

const isPebbles = (port: number): Promise<string> =>
  eventually(
    () => issuer(port),
    (name) => /^Pebble/.test(name),
  );

async function reasons({ apiUrl }: TestApp): Promise<readonly string[]> {
  const answer = await fetch(`${apiUrl}/readyz`);
  return ((await answer.json()) as { reasons?: readonly string[] }).reasons ?? [];
}

const reasonOnce = (app: TestApp, pattern: RegExp): Promise<readonly string[]> =>
  eventually(
    () => reasons(app),
    (all) => all.some((reason) => pattern.test(reason)),
  );

const metric = async ({ apiUrl }: TestApp, name: string): Promise<number> => {
  const lines = (await (await fetch(`${apiUrl}/metrics`)).text()).split("\n");
  return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length));
};

/** A minute may have gone by. */
const why = (text = ""): string => text.replace(/; next try in \d min$/, "");

const asks = (app: TestApp): number => app.log.filter((line) => line.includes("asking ")).length;

t.test("acme: the first certificate comes once the authority is there, and a restart uses it", async (t) => {
  if (!hasPebble(t)) return;
  const pebble = await openPebble(t);
  const data = t.testdir();
  const app = await start(t, pebble, data);
  t.equal(app.clientUrl, `https://${DOMAIN}:${app.clientPort}`);
  const [reason] = await reasonOnce(app, /nobody listens/);
  t.match(
    reason,
    /^push\.test has no certificate yet; 127\.0\.0\.1:\d+ cannot be asked: nobody listens there .*next try in [23] min$/,
  );
  t.equal(await issuer(app.clientPort), "ECONNREFUSED", "nothing answers clients before");
  t.equal((await app.post("push", { topic: "news", json: "1" })).status, 200, "the API works");
  // It is told once it is on disk: `readyz` knows before.
  await eventually(
    async () => app.log,
    (log) => log.some((line) => line.startsWith("error: push.test has no certificate yet; ")),
  );
  t.equal(await metric(app, `pushbox_certificate_orders_total{domain="${DOMAIN}",result="failed"}`), 1);
  const [stored] = await storedCertificates(data, [DOMAIN], Date.now());
  t.match(stored, { concern: "outage", text: why(reason) }, "check says the same");

  await pebble.start();
  await app.app.reload(app.config); // whoever repaired something does not wait for the next try
  await isPebbles(app.clientPort);
  const root = await pebble.root();
  const one = await client(t, app, "the-first-client", root);
  await app.ok("push", { topic: "news", json: '"encrypted"' });
  t.equal((await one.next("p"))[0], "encrypted");
  // What was asked less than a second ago is answered as it was then.
  await eventually(
    () => reasons(app),
    (all) => all.length === 0,
  );
  const expiry = await metric(app, 'pushbox_certificate_expiry_timestamp_seconds{port="client"}');
  t.ok(expiry * 1000 > Date.now() + 80 * 86_400_000 && expiry * 1000 < Date.now() + 91 * 86_400_000);
  t.equal(pebble.logged(ORDERED), 1);
  // One more while something is being noted.
  const files = readdirSync(join(data, "certificates")).filter((file) => !file.endsWith(".part"));
  t.match(files.sort(), [/^account-\w{16}\.pem$/, `${DOMAIN}.json`, `${DOMAIN}.pem`]);
  for (const file of files) t.equal(statSync(join(data, "certificates", file)).mode & 0o777, 0o600, file);

  await app.stop();
  const second = await start(t, pebble, data);
  await client(t, second, "the-second-client", root);
  t.equal(asks(second), 0, "nobody was asked again");
  t.equal(pebble.logged(ORDERED), 1);
  t.match(await storedCertificates(data, [DOMAIN], Date.now()), [{ concern: "none", text: /is valid until \d{4}-/ }]);
});

t.test("acme: a renewal drops no connection; what port 80 answers", async (t) => {
  if (!hasPebble(t)) return;
  const pebble = await openPebble(t);
  const data = t.testdir();
  const lab = createAuthority(Date.now());
  const { cert, key } = lab.server([DOMAIN]);
  mkdirSync(join(data, "certificates"));
  writeFileSync(join(data, "certificates", `${DOMAIN}.pem`), key + cert);
  const tried = {
    directory: "https://staging.test",
    issuer: "https://staging.test",
    tries: [],
    failures: 0,
    next: 0,
    reason: "",
  };
  writeFileSync(join(data, "certificates", `${DOMAIN}.json`), JSON.stringify(tried));

  const app = await start(t, pebble, data);
  const old = await client(t, app, "the-old-connection", lab.ca);
  await eventually(
    async () => app.log.join("\n"),
    (log) => /warn: .*; no newer one: /.test(log),
  );
  t.same(await reasons(app), [], "it is ready all the same");
  await pebble.start();
  await app.app.reload(app.config);
  await isPebbles(app.clientPort);
  const fresh = await client(t, app, "the-new-connection", await pebble.root());
  await app.ok("push", { topic: "news", json: '"to both"' });
  for (const one of [old, fresh]) t.equal((await one.next("p"))[0], "to both");
  t.same(old.rest("disconnect"), []);

  const at = async (path: string, method = "GET", host = DOMAIN) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly unknown[]>();
    request({ port: pebble.httpPort, host: "127.0.0.1", path, method, headers: { host } }, (answer) => {
      answer.resume();
      resolve([answer.statusCode, answer.headers.location]);
    })
      .on("error", reject)
      .end();
    return promise;
  };
  t.same(await at("/socket.io/?EIO=4"), [302, `${app.clientUrl}/socket.io/?EIO=4`]);
  t.same(await at("/api/push?topic=news&json=1"), [302, `${app.clientUrl}/api/push?topic=news&json=1`]);
  t.same(await at("/", "POST"), [404, undefined], "what holds secrets is not led on");
  t.same(await at("/", "GET", "other.test"), [404, undefined]);
  t.same(await at("/.well-known/acme-challenge/guess"), [404, undefined]);
});

t.test("acme: a domain that leads elsewhere is told, asked for seldom, and not more often by restarts", async (t) => {
  if (!hasPebble(t)) return;
  const pebble = await openPebble(t);
  await pebble.start();
  const other = createServer((_request, response) => response.end("another server")).listen(
    pebble.httpPort,
    "127.0.0.1",
  );
  t.teardown(() => other.close());
  const data = t.testdir();
  const elsewhere = { ...settings(pebble), port: 0 };
  const begin = () => startTestApp(t, { data, client: { domain: DOMAIN }, acme: elsewhere });
  const app = await begin();
  const [reason] = await reasonOnce(app, /something else answers/);
  t.match(
    reason,
    /could not see at http:\/\/push\.test\/ that it is ours: .*something else answers on port 80.*next try in [23] min$/,
  );
  t.equal(pebble.logged(ORDERED), 1);
  await app.stop();
  const again = await begin();
  t.same((await reasons(again)).map(why), [why(reason)], "why is known over a restart");
  t.equal(asks(again), 0, "a process that ends again and again does not ask again and again");
  for (let count = 2; count <= 4; count++) {
    await again.app.reload(again.config);
    await eventually(
      async () => again.log.filter((line) => line.startsWith("error: ")).length,
      (told) => told === count - 1,
    );
  }
  await again.app.reload(again.config);
  await again.stop();
  const third = await begin();
  await third.app.reload(third.config);
  await third.stop();
  t.equal(pebble.logged(ORDERED), 4, "not even when somebody wants it now, more than four times an hour");
  t.equal(asks(third), 0);
});

t.test("acme: an order that the authority rejects is told with its reason", async (t) => {
  if (!hasPebble(t)) return;
  const pebble = await openPebble(t, ["blocked.test"]);
  await pebble.start();
  const app = await start(t, pebble, t.testdir(), "blocked.test");
  const [reason] = await reasonOnce(app, /answers 4\d\d/);
  t.match(reason, /issues nothing for this domain/);
});

t.test(
  "acme: kill -9 while the authority looks: the next start does not ask at once, and gets one when it may",
  async (t) => {
    if (!hasPebble(t)) return;
    const pebble = await openPebble(t);
    await pebble.start();
    const directory = t.testdir({});
    const flags = [
      ...["--client-domain", DOMAIN, "--acme-accept-terms", "--acme-directory", pebble.directory],
      ...["--acme-ca-file", pebble.caFile, "--acme-host", "127.0.0.1", "--acme-port", `${pebble.httpPort}`],
    ];
    const asked = pebble.holdNames();
    const first = await serve(t, directory, flags);
    await asked;
    first.child.kill("SIGKILL");
    await first.ended;
    pebble.releaseNames();
    await eventually(
      async () => pebble.logged(/^Pebble.* order .* set INVALID/),
      (count) => count === 1,
    );
    const second = await serve(t, directory, flags);
    t.match(await second.printed(/no certificate yet/), /pushbox was stopped while it asked; next try in [23] min/);
    t.equal(pebble.logged(ORDERED), 1);
    const port = Number(new URL(second.clientUrl).port);
    second.child.kill("SIGHUP");
    await isPebbles(port);
    t.equal(pebble.logged(ISSUED), 1);
    t.equal((await second.stop()).code, 0);
  },
);

t.test("acme: cut off at any step, an order goes on the next time and none is made twice", async (t) => {
  if (!hasPebble(t)) return;
  const pebble = await openPebble(t);
  await pebble.start();
  const challenges = new Challenges(() => undefined);
  const server = createHttp({ host: "127.0.0.1", port: pebble.httpPort, ...LIMITS }, challenges.site);
  t.teardown(() => server.close());
  await server.listen();
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const open = (): Authority => {
    const authority = new Authority({
      ...{ directory: pebble.directory, ca: readFileSync(pebble.caFile, "utf8"), key, email: "" },
      signal: new AbortController().signal,
    });
    t.teardown(() => authority.close());
    return authority;
  };
  const steps = ["look", "authorization", "begin", "finalize", "download"] as const;
  for (const [at, step] of steps.entries()) {
    let pending: Pending | undefined;
    const job = (authority: Authority) =>
      obtain({
        ...{ authority, challenges, domain: `${step}.test`, pending, signal: new AbortController().signal },
        keep: async (now) => {
          pending = now;
        },
      });
    const cut = open();
    Object.assign(cut, { [step]: () => Promise.reject(new Error("cut off")) });
    await t.rejects(job(cut), { message: "cut off" });
    const { chain, key } = await job(open());
    t.match(certificateIn(key + chain, `${step}.test`), { until: Number });
    t.equal(pebble.logged(ORDERED), at + 1, step);
    t.equal(pebble.logged(ISSUED), at + 1, step);
  }
});

t.test("acme: where nothing can be stored nobody is asked, until it can", async (t) => {
  if (!hasPebble(t)) return;
  const pebble = await openPebble(t);
  await pebble.start();
  const data = t.testdir();
  writeFileSync(join(data, "certificates"), "a file where the directory should be");
  const app = await start(t, pebble, data);
  const [reason] = await reasonOnce(app, /directory/);
  t.match(
    reason,
    /^push\.test has no certificate yet; the directory of certificates cannot be created: a part of its path is a file/,
  );
  t.notMatch(reason, data);
  t.equal(pebble.logged(/POST|HEAD/), 0);
  rmSync(join(data, "certificates"));
  await app.app.reload(app.config);
  await isPebbles(app.clientPort);
  t.match(readFileSync(join(data, "certificates", `${DOMAIN}.pem`), "latin1"), /^-----BEGIN PRIVATE KEY-----/);
});
