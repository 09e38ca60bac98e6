// Clients that log in with a token, over every way that a token can come, with real clients of old and new.
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { client, type Generation, RawClient, type SocketClient, type TRANSPORTS } from "../support/clients.ts";
import { moveElapsed, takeClock } from "../support/clock.ts";
import { argument, device, fresh } from "../support/devices.ts";
import { metricsOf } from "../support/metrics.ts";
import { AUDIENCE, auth, hs256, ISSUER, keyPair, SECRET, seconds, startIssuer } from "../support/tokens.ts";
import { eventually } from "../support/until.ts";

type Auth = Partial<Parameters<typeof auth>[0]>;
const start = (t: Test, more: Auth = {}, rest: Parameters<typeof startTestApp>[1] = {}): Promise<TestApp> =>
  startTestApp(t, { ...rest, client: { ...rest.client, auth: auth(more) } });

/** How a client of that generation gives a token. Where the clock is moved it is 3.x: 4.x takes that for a silent server. */
const giving = (generation: Generation, token: string): object =>
  generation >= 3 ? { auth: { token } } : { query: { token } };

async function raw(t: Test, at: TestApp, query = "EIO=3&transport=websocket"): Promise<RawClient> {
  const made = await RawClient.open(at.clientPort, query);
  t.teardown(() => made.close());
  return made;
}
const refusal = async (from: RawClient) => argument(await from.next('42["refused"'));
const uidOf = async (at: TestApp, pushId: string) => (await at.ok("device/get", { pushId }))["uid"];

t.test("integration 11: whoever has a token is bound to its user, whichever way the token came", async (t) => {
  const at = await start(t, { required: true });
  const token = await hs256({ sub: "ann" });
  const bearer = { extraHeaders: { Authorization: `Bearer ${token}` } };
  const ways: [string, Generation, object, keyof typeof TRANSPORTS][] = [
    ["auth.token", 4, { auth: { token } }, "websocket"],
    ["auth.token on polling", 4, { auth: { token } }, "upgrade"],
    ["the query", 4, { query: { token } }, "websocket"],
    ["the header", 4, bearer, "websocket"],
    ["the query, revision 3", 2, { query: { token } }, "websocket"],
    ["the query, revision 3 on polling", 2, { query: { token } }, "upgrade"],
    ["the header, revision 3", 2, bearer, "polling"],
    ["the query, 1.x", 1, { query: `token=${token}` }, "websocket"],
  ];
  for (const [name, generation, options, transport] of ways) {
    const one = client(t, at, generation, options, transport);
    const id = fresh("device");
    t.match(await one.hello({ id }), { id, uid: "ann" }, name);
    t.equal(await uidOf(at, id), "ann", `${name}: the device is bound`);
  }
  for (const frames of [["40"], []]) {
    const late = await raw(t, at, frames.length === 0 ? undefined : "EIO=3&transport=websocket");
    late.emit("authorize", { token });
    t.match(argument(await late.next('42["authorized"')), { uid: "ann", expires: Number });
    t.match(await late.hello({ id: fresh("device") }), { uid: "ann" }, "the event authorize");
  }
  const { body } = await at.post("push", { uid: "ann", json: "for ann" });
  t.equal(body["online"], ways.length + 2);
});

t.test(
  "integration 11: a client with no token or a bad one is refused once, with a code, and does not get in",
  async (t) => {
    const at = await start(t, { required: true });
    const bad: [code: string, token: string | undefined][] = [
      ["token_missing", undefined],
      ["token_invalid", "nonsense"],
      ["token_invalid", await hs256({ sub: "ann" }, "1", `${SECRET}!`)],
      ["token_expired", await hs256({ sub: "ann", exp: seconds(-100) })],
    ];
    for (const [code, token] of bad) {
      const four = client(t, at, 4, token === undefined ? {} : { auth: { token } });
      const [error] = (await four.next("connect_error")) as [Error & { data: unknown }];
      t.match(error.data, { code, message: String }, `4: ${code}`);
      t.equal(error.message, (error.data as { message: string }).message);

      const two = client(t, at, 2, token === undefined ? {} : { query: { token } });
      if (token === undefined) two.socket.emit("pushId", { id: fresh("device") });
      t.match(await two.next("refused"), [{ code, message: String }], `2: ${code}`);
      await two.next("disconnect");
      t.same([two.rest("refused"), two.rest("pushId")], [[], []], "told once");
    }
    t.equal((await at.ok("stats/base", {}))["totalCount"] ?? 0, 0, "nobody is connected");
    const metrics = await metricsOf(at);
    t.match(metrics, /pushbox_logins_total\{result="token_missing"\} 2/);
    t.match(metrics, /pushbox_logins_total\{result="token_invalid"\} 4/);
    t.match(metrics, /pushbox_logins_total\{result="token_expired"\} 2/);
    t.match(at.log.join("\n"), /warn: refused to a client: the token is not valid \(the signature is wrong\)/);
    t.match(at.log.join("\n"), /warn: refused to a client: the token is not valid \(it is no JWT of three parts\)/);
  },
);

t.test(
  "integration 11: an event before the token of an old client ends its connection, and so does silence",
  async (t) => {
    const at = await start(t, { required: true }, { client: { connectTimeout: 3000 } });
    const hasty = await raw(t, at);
    hasty.emit("subscribeTopic", { topic: "news" });
    t.match(await refusal(hasty), { code: "token_missing" });
    await hasty.closed;
    t.equal((await at.ok("push", { topic: "news", json: 1 }))["online"], 0);
    const silent = await raw(t, at);
    await silent.closed;
    t.match(at.log.join("\n"), /refused to a client: .* \(none came within client\.connect_timeout\)/);
  },
);

t.test("integration 11: off by default, a token is nobody's business and nothing changes", async (t) => {
  const at = await startTestApp(t);
  const one = client(t, at, 4, { auth: { token: "nonsense" }, query: { token: "nonsense" } });
  t.match(await one.hello({ id: fresh("device") }), { uid: undefined });
  one.socket.emit("authorize", { token: "nonsense" });
  one.socket.emit("bindUid", { uid: "bob" });
  t.match(await one.next("refused"), [{ code: "uid_not_trusted" }], "authorize is an unknown event");
  t.match(await at.post("auth/revoke", { uid: "ann" }), { status: 400, body: { message: /client.auth/ } });
});

t.test(
  "integration 11: without required, a client without a token comes in and one with a bad one does not",
  async (t) => {
    const at = await start(t, { requiredTopics: ["private:"] });
    const plain = client(t, at, 4);
    t.match(await plain.hello({ id: fresh("device"), topics: ["news", "private:1"] }), { uid: undefined });
    t.match(await plain.next("refused"), [{ code: "token_missing" }], "private topics need one");
    t.equal((await at.ok("push", { topic: "news", json: 1 }))["online"], 1);
    t.equal((await at.ok("push", { topic: "private:1", json: 1 }))["online"], 0);
    const wrong = client(t, at, 4, { auth: { token: "nonsense" } });
    t.match(await wrong.next("connect_error"), [{ data: { code: "token_invalid" } }]);
    plain.socket.emit("authorize", { token: await hs256({ sub: "ann", pushbox: { allow: ["private:*"] } }) });
    t.match(await plain.next("authorized"), [{ uid: "ann" }]);
    plain.socket.emit("subscribeTopic", { topic: "private:1" });
    await plain.hello({ id: fresh("device") });
    t.equal((await at.ok("push", { topic: "private:1", json: 1 }))["online"], 1);
  },
);

for (const generation of [2, 4] as const)
  t.test(`integration 11: a token says which topics its client may subscribe to, ${generation}.x`, async (t) => {
    const at = await start(t, { required: true, requiredTopics: ["private:"] });
    const pushbox = { allow: ["room:*", "private:ann"], join: ["room:7"] };
    const one = client(t, at, generation, giving(generation, await hs256({ sub: "ann", pushbox })));
    await one.hello({ id: fresh("device"), topics: ["room:1", "private:ann", "private:bob", "other", "noti"] });
    t.match(await one.next("refused"), [{ code: "not_allowed" }]);
    one.socket.emit("subscribeTopic", { topic: "private:bob" });
    t.match(await one.next("refused"), [{ code: "not_allowed" }]);
    const online = async (topic: string) => (await at.ok("push", { topic, json: topic }))["online"];
    const topics = ["room:1", "room:7", "private:ann", "private:bob", "other", "noti"];
    t.same(await Promise.all(topics.map(online)), [1, 1, 1, 0, 0, 1]);

    const free = client(t, at, generation, giving(generation, await hs256({ sub: "bob" })));
    await free.hello({ id: fresh("device"), topics: ["other", "private:bob"] });
    t.match(await free.next("refused"), [{ code: "not_allowed" }]);
    t.same(
      await Promise.all(["other", "private:bob"].map(online)),
      [1, 0],
      "a token that lists none closes none but these",
    );
  });

t.test("integration 11: a topic that the token joins is replayed from the client's position, once", async (t) => {
  const at = await start(t, { required: true });
  const send = async (n: number) =>
    String((await at.ok("push", { topic: "room:7", json: n, timeToLive: 60_000 }))["id"]);
  const position = await send(1);
  await send(2);
  const one = client(t, at, 4, { auth: { token: await hs256({ sub: "ann", pushbox: { join: ["room:7"] } }) } });
  await one.hello({ id: fresh("device"), topics: ["room:7"], lastPacketIds: { "room:7": position } });
  await send(3);
  t.same([(await one.next("p"))[0], (await one.next("p"))[0]], [2, 3]);
});

t.test("integration 11: a token for one device is of no use to another", async (t) => {
  const at = await start(t, { required: true });
  const own = fresh("device");
  const token = await hs256({ sub: "ann", pushbox: { pushId: own } });
  const thief = client(t, at, 4, { auth: { token } });
  await thief.next("connect");
  thief.socket.emit("pushId", { id: fresh("device") });
  t.match(await thief.next("refused"), [{ code: "not_allowed" }]);
  t.match(await thief.hello({ id: own }), { uid: "ann" });
});

t.test(
  "integration 11: what a client says while its token is being checked waits, in order, and the rest of the server does not",
  async (t) => {
    const rsa = await keyPair("RS256");
    const issuer = await startIssuer(t, [{ ...rsa.jwk, kid: "a" }]);
    issuer.trouble = "silent";
    const asked = issuer.next();
    const at = await start(t, {
      required: true,
      keys: [{ id: "1", alg: "HS256", secret: SECRET }],
      jwksUrl: issuer.url,
      issuer: ISSUER,
      audience: AUDIENCE,
    });
    const token = await rsa.sign({ sub: "ann", iss: ISSUER, aud: AUDIENCE }, { kid: "a" });
    const four = await raw(t, at, "EIO=4&transport=websocket");
    const id = fresh("device");
    four.send(`40${JSON.stringify({ token })}`, `42["pushId",{"id":"${id}"}]`, '42["subscribeTopic",{"topic":"a"}]');
    const three = await raw(t, at, `EIO=3&transport=websocket&token=${token}`);
    three.emit("pushId", { id: fresh("device"), topics: ["a"] });
    await asked;
    const other = await raw(
      t,
      at,
      `EIO=3&transport=websocket&token=${await hs256({ sub: "bob", iss: ISSUER, aud: AUDIENCE })}`,
    );
    t.match(await other.hello({ id: fresh("device") }), { uid: "bob" }, "others get in meanwhile");
    await Promise.all([four.closed, three.closed]);
    t.match(at.log.join("\n"), /could not be checked, its connection is closed so that it tries again/);
    t.match(at.log.join("\n"), /jwks_url: the keys could not be fetched/);

    issuer.trouble = undefined;
    const later = await start(t, { required: true, keys: [], jwksUrl: issuer.url, issuer: ISSUER, audience: AUDIENCE });
    const again = await raw(t, later, "EIO=4&transport=websocket");
    again.send(`40${JSON.stringify({ token })}`, `42["pushId",{"id":"${id}"}]`, '42["subscribeTopic",{"topic":"a"}]');
    t.match(await again.until('42["pushId"'), [/^0/, /^40/, /"uid":"ann"/]);
    t.equal((await later.ok("push", { topic: "a", json: 1 }))["online"], 1);
    const old = await raw(t, later, `EIO=3&transport=websocket&token=${token}`);
    t.match(await old.hello({ id: fresh("device"), topics: ["a"] }), { uid: "ann" });
    const metrics = await metricsOf(later);
    t.match(metrics, /pushbox_login_key_fetches_total\{result="fetched"\} 1/);
  },
);

t.test("after a rotation a token of the withdrawn key is refused at once, and the log says why", async (t) => {
  const [former, next] = await Promise.all([keyPair("ES256"), keyPair("ES256")]);
  const claims = { sub: "ann", iss: ISSUER, aud: AUDIENCE };
  const tokens = [await former.sign(claims, { kid: "a" }), await next.sign(claims, { kid: "b" })];
  const [old = "", fresher = ""] = tokens;
  const issuer = await startIssuer(t, [{ ...former.jwk, kid: "a" }]);
  const at = await start(t, { required: true, keys: [], jwksUrl: issuer.url, issuer: ISSUER, audience: AUDIENCE });
  const login = (generation: Generation, token: string) => client(t, at, generation, giving(generation, token));
  const stays = login(4, old);
  await stays.hello({ id: fresh("device") });
  issuer.keys = [{ ...next.jwk, kid: "b" }];
  moveElapsed(31_000);
  await login(4, fresher).hello({ id: fresh("device") });
  t.match(await login(4, old).next("connect_error"), [{ data: { code: "token_invalid" } }]);
  t.match(await login(2, old).next("refused"), [{ code: "token_invalid" }]);
  t.match(at.log.join("\n"), /refused to a client: the token is not valid \(the issuer has no key of that kid\)/);
  stays.socket.emit("authorize", { token: old });
  t.match(await stays.next("refused"), [{ code: "token_invalid" }]);
  t.same(stays.rest("disconnect"), [], "who was in before stays until the token is over");
});

t.test("a renewal whose key cannot be had leaves a client what it had; it may renew again", async (t) => {
  const [former, next] = await Promise.all([keyPair("ES256"), keyPair("ES256")]);
  const claims = { iss: ISSUER, aud: AUDIENCE };
  const signed = (sub: string) => next.sign({ ...claims, sub }, { kid: "b" });
  const issuer = await startIssuer(t, [{ ...former.jwk, kid: "a" }]);
  const at = await start(t, { required: true, keys: [], jwksUrl: issuer.url, issuer: ISSUER, audience: AUDIENCE });
  const one = client(t, at, 4, { auth: { token: await former.sign({ ...claims, sub: "ann" }, { kid: "a" }) } });
  await one.hello({ id: fresh("device"), topics: ["a"] });
  issuer.keys = [{ ...next.jwk, kid: "b" }]; // the keys were fetched just before
  one.socket.emit("authorize", { token: await signed("ann") });
  await eventually(
    async () => at.log.join("\n"),
    (log) => /could not be checked, it goes on with the one before/.test(log),
  );
  t.equal((await at.ok("push", { topic: "a", json: 1 }))["online"], 1);
  t.same(await one.next("p"), [1]);
  moveElapsed(31_000);
  one.socket.emit("authorize", { token: await signed("ann") });
  t.match(await one.next("authorized"), [{ uid: "ann" }]);
  t.same(one.rest("disconnect"), []);
});

t.test("integration 11: a client that floods while it waits is closed, and no other", async (t) => {
  const rsa = await keyPair("RS256");
  const issuer = await startIssuer(t);
  issuer.trouble = "silent";
  const at = await start(t, { required: true, jwksUrl: issuer.url, issuer: ISSUER, audience: AUDIENCE });
  const token = await rsa.sign({ sub: "ann", iss: ISSUER, aud: AUDIENCE }, { kid: "a" });
  const flood = await raw(t, at, "EIO=4&transport=websocket");
  flood.send(`40${JSON.stringify({ token })}`);
  for (let n = 0; n < 300; n++) flood.send('42["subscribeTopic",{"topic":"a"}]');
  await flood.closed;
  const metrics = await metricsOf(at);
  t.match(metrics, /pushbox_connections_closed_total\{reason="flood"\} 1/);
});

t.test(
  "integration 11: no token is in the log, not even at debug, nor any secret in what is shown of the configuration",
  async (t) => {
    takeClock(t).hold(); // else the good one is over before a busy machine has come to the last
    const at = await start(t, { required: true }, { logLevel: "trace" });
    const good = await hs256({ sub: "ann", exp: seconds(30) });
    const bad = [
      await hs256({ sub: "ann" }, "1", `${SECRET}!`),
      await hs256({ sub: "ann", exp: seconds(-999) }),
      "not-a-token-at-all",
    ];
    for (const token of [good, ...bad]) {
      for (const generation of [2, 4] as const)
        for (const options of [
          giving(generation, token),
          { query: { token } },
          { extraHeaders: { Authorization: `Bearer ${token}` } },
        ]) {
          const one = client(t, at, generation, options, "upgrade");
          if (token === good) await one.hello({ id: fresh("device"), topics: ["a"] });
          else await one.next(generation === 4 ? "connect_error" : "refused");
          one.close();
        }
      const late = client(t, at, 4, { auth: { token: good } });
      await late.hello({ id: fresh("device") });
      late.socket.emit("authorize", { token });
      await late.next(token === good ? "authorized" : "refused");
      await fetch(`${at.clientUrl}/socket.io/?EIO=9&transport=polling&token=${token}`);
      await fetch(`${at.clientUrl}/socket.io/?EIO=4&transport=polling&sid=none&token=${token}`);
    }
    const said = JSON.stringify(at.entries);
    t.ok(
      at.entries.some(({ level }) => level === 20),
      "debug is on",
    );
    for (const token of [good, ...bad])
      for (const piece of token.split(".")) if (!piece.startsWith("eyJhbGci")) t.notMatch(said, piece);
    t.notMatch(said, SECRET);
    t.notMatch(JSON.stringify(await at.ok("config", {})), SECRET);
    t.match(await at.ok("config", {}), { client: { auth: { keys: [{ id: "1", alg: "HS256", secret: "********" }] } } });
  },
);

t.test(
  "integration 11: a reload takes another key and lets tokens of the former go, and never opens the port",
  async (t) => {
    const at = await start(t, { required: true });
    const other = `${SECRET}-of-next-year`;
    const reload = (more: Auth) =>
      at.app.reload({ ...at.config, client: { ...at.config.client, auth: auth({ required: true, ...more }) } });
    const comes = async (token: string) => {
      const one = client(t, at, 4, { auth: { token } });
      return Promise.race([one.next("connect").then(() => true), one.next("connect_error").then(() => false)]);
    };
    await reload({ keys: [{ id: "2", alg: "HS256", secret: other }] });
    t.same(
      [await comes(await hs256({ sub: "ann" })), await comes(await hs256({ sub: "ann" }, "2", other))],
      [false, true],
    );
  },
);

// ---- revocation

t.test(
  "integration 12: a user's tokens are revoked: her sessions end at once, and only a newer token gets in",
  async (t) => {
    const data = t.testdir({});
    const at = await start(t, { required: true }, { data });
    const old = await hs256({ sub: "ann", iat: seconds(-10) });
    const ann = [client(t, at, 2, giving(2, old)), client(t, at, 4, giving(4, old), "polling")];
    for (const one of ann) await one.hello({ id: fresh("device") });
    const bob = client(t, at, 4, { auth: { token: await hs256({ sub: "bob", iat: seconds(-10) }) } });
    await bob.hello({ id: fresh("device") });
    t.match(await at.ok("auth/revoke", { uid: "ann" }), { code: "success", closed: 2 });
    for (const one of ann) {
      t.match(await one.next("refused"), [{ code: "token_revoked" }]);
      await one.next("disconnect");
    }
    const refused = async (app: TestApp, token: string) =>
      ((await client(t, app, 4, { auth: { token } }).next("connect_error")) as [{ data: { code: string } }])[0].data
        .code;
    t.equal(await refused(at, old), "token_revoked");
    t.equal(
      await refused(at, await hs256({ sub: "ann" }, "1", SECRET, {})),
      "token_revoked",
      "one that does not say when it was issued",
    );
    const newer = client(t, at, 4, { auth: { token: await hs256({ sub: "ann", iat: seconds(2) }) } });
    t.match(await newer.hello({ id: fresh("device") }), { uid: "ann" });
    t.same(bob.rest("refused"), []);
    await at.stop();

    const next = await start(t, { required: true }, { data });
    t.equal(await refused(next, old), "token_revoked", "a restart forgets no revocation");
  },
);

t.test("integration 12: one token is revoked by its jti, or those issued before a time, and no others", async (t) => {
  const at = await start(t, { required: true });
  const token = (jti: string, iat: number) => hs256({ sub: "ann", jti, iat: seconds(iat) });
  const made = await Promise.all([token("a", -300), token("b", -300), token("c", -100)]);
  const [a, b, c] = made.map((token) => client(t, at, 4, { auth: { token } })) as [
    SocketClient,
    SocketClient,
    SocketClient,
  ];
  for (const one of [a, b, c]) await one.hello({ id: fresh("device") });
  t.match(await at.ok("auth/revoke", { jti: ["a", "nobody-has-it"] }), { closed: 1 });
  t.match(await a.next("refused"), [{ code: "token_revoked" }]);
  t.match(await at.ok("auth/revoke", { uid: "ann", issuedBefore: 1000 * seconds(-200) }), { closed: 1 });
  t.match(await b.next("refused"), [{ code: "token_revoked" }]);
  t.match(
    await at.ok("auth/revoke", { uid: "ann", issuedBefore: 1000 * seconds(-400) }),
    { closed: 0 },
    "an earlier time takes nothing back",
  );
  for (const token of made.slice(0, 2))
    t.match(await client(t, at, 4, { auth: { token } }).next("connect_error"), [{ data: { code: "token_revoked" } }]);
  t.match(await client(t, at, 4, { auth: { token: made[2] } }).hello({ id: fresh("device") }), { uid: "ann" });
  t.same(c.rest("refused"), []);
  const wrong: [object, RegExp][] = [
    [{}, /uid or jti is required/],
    [{ uid: "ann", jti: "a" }, /one of them/],
    [{ jti: "a", issuedBefore: 1893456000000 }, /issuedBefore goes with uid/],
    [{ uid: "ann", issuedBefore: "yesterday" }, /issuedBefore/],
  ];
  for (const [fields, message] of wrong)
    t.match(await at.post("auth/revoke", { ...fields }), { status: 400, body: { message } });
});

// ---- expiry

t.test("integration 13: a client is told a minute before its token expires, renews it, and stays", async (t) => {
  const at = await start(t, { required: true });
  const soon = await hs256({ sub: "ann", exp: seconds(62) });
  const clients = ([2, 3, 4] as const).map((generation) => client(t, at, generation, giving(generation, soon)));
  for (const one of clients) await one.hello({ id: fresh("device") });
  for (const one of clients) {
    const [{ in: within }] = (await one.next("tokenExpires")) as [{ in: number }];
    t.ok(within > 30_000 && within <= 60_000, `${within} ms are left`);
    one.socket.emit("authorize", { token: await hs256({ sub: "bob" }) });
    t.match(await one.next("refused"), [{ code: "not_allowed" }], "another user's token is not taken");
    one.socket.emit("authorize", { token: await hs256({ sub: "ann" }) });
    t.match(await one.next("authorized"), [{ uid: "ann" }]);
  }
});

t.test(
  "integration 13: a renewed token keeps its client beyond the end of the first, and is over in its turn",
  async (t) => {
    const clock = takeClock(t);
    const at = await start(t, { required: true });
    for (const revision of [3, 4] as const) {
      const one = await raw(t, at, `EIO=${revision}&transport=websocket&token=${await hs256({ sub: "ann" })}`);
      if (revision === 4) one.send("40");
      await one.hello({ id: fresh("device") });
      one.emit("authorize", { token: await hs256({ sub: "ann", exp: seconds(7200) }) });
      await one.next('42["authorized"');
      clock.move(3_700_000);
      const other = await raw(
        t,
        at,
        `EIO=3&transport=websocket&token=${await hs256({ sub: "ann", exp: seconds(61) })}`,
      );
      await other.next('42["tokenExpires"'); // the second of the first token's end has been worked off
      await one.hello({ id: fresh("device") });
      clock.move(3_480_000);
      await one.next('42["tokenExpires"');
      clock.move(60_000);
      t.match(await refusal(one), { code: "token_expired" });
      await one.closed;
    }
  },
);

t.test("integration 13: whoever does not renew is closed half a minute after its token has expired", async (t) => {
  const clock = takeClock(t);
  const at = await start(t, { required: true });
  const one = client(t, at, 3, { auth: { token: await hs256({ sub: "ann" }) } });
  const stays = client(t, at, 3, { auth: { token: await hs256({ sub: "bob", exp: seconds(36_000) }) } });
  await one.hello({ id: fresh("device") });
  await stays.hello({ id: fresh("device") });
  clock.move(3_610_000);
  t.match(await one.next("tokenExpires"), [{ in: 0 }]);
  t.same(one.rest("disconnect"), [], "it has half a minute");
  clock.move(31_000);
  t.match(await one.next("refused"), [{ code: "token_expired" }]);
  await one.next("disconnect");
  clock.move(-7_200_000);
  await stays.hello({ id: fresh("device") });
  t.same(stays.rest("disconnect"), []);
});

t.test("integration 13: a token taken although it is over, for clocks differ, has half a minute", async (t) => {
  const clock = takeClock(t);
  const at = await start(t, { required: true });
  const one = client(t, at, 3, { auth: { token: await hs256({ sub: "ann", exp: seconds(-50) }) } });
  await one.hello({ id: fresh("device") });
  t.match(await one.next("tokenExpires"), [{ in: 0 }]);
  t.same(one.rest("disconnect"), []);
  clock.move(31_000);
  t.match(await one.next("refused"), [{ code: "token_expired" }]);
});

t.test("integration 13: a new token that allows less takes the topics away that it does not allow", async (t) => {
  const at = await start(t, { required: true });
  const token = (allow: string[]) => hs256({ sub: "ann", pushbox: { allow } });
  const one = client(t, at, 4, { auth: { token: await token(["room:*"]) } });
  await one.hello({ id: fresh("device"), topics: ["room:1", "room:2"] });
  one.socket.emit("authorize", { token: await token(["room:2"]) });
  t.match(await one.next("refused"), [{ code: "not_allowed" }]);
  t.match(await one.next("authorized"), [{ uid: "ann" }]);
  const online = async (topic: string) => (await at.ok("push", { topic, json: 1 }))["online"];
  t.same([await online("room:1"), await online("room:2")], [0, 1]);
});

t.test(
  "integration 11: a device of another user's becomes the token's user's, before it hears anything of his",
  async (t) => {
    const at = await start(t);
    const { id, client: anonymous } = await device(t, at);
    await at.ok("uid/bind", { pushId: id, uid: "bob" });
    await eventually(
      () => uidOf(at, id),
      (uid) => uid === "bob",
    );
    anonymous.emit("authorize", { token: await hs256({ sub: "ann" }) });
    t.match(argument(await anonymous.next('42["authorized"')), { uid: "ann" });
    await eventually(
      () => uidOf(at, id),
      (uid) => uid === "ann",
    );
    t.equal((await at.ok("push", { uid: "bob", json: 1 }))["online"], 0);
    t.equal((await at.ok("push", { uid: "ann", json: 1 }))["online"], 1);
    anonymous.emit("bindUid", { uid: "carol" });
    t.match(await refusal(anonymous), { code: "uid_not_trusted" });
  },
);
