// The command `token`: what it prints logs a client in.
import { jwtVerify } from "jose";
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { cli } from "../support/cli.ts";
import { SocketClient } from "../support/clients.ts";
import { fresh } from "../support/devices.ts";
import { AUDIENCE, auth, ISSUER, SECRET } from "../support/tokens.ts";

const token = (...args: string[]) => cli(["token", ...args], { PUSHBOX_CLIENT_AUTH_KEYS: `1:HS256:${SECRET}` });

t.test("integration 11: pushbox token makes a token that a client gets in with", async (t) => {
  const made = await token("--uid", "ann", "--allow", "room:*", "--allow", "news", "--join", "room:7", "--ttl", "2h");
  t.match(made, { code: 0, err: "", out: /^[\w-]+\.[\w-]+\.[\w-]+\n$/ });
  const { payload } = await jwtVerify(made.out.trim(), Buffer.from(SECRET));
  t.match(payload, { sub: "ann", jti: String, pushbox: { allow: ["room:*", "news"], join: ["room:7"] } });
  t.equal(payload.exp! - payload.iat!, 7200);
  const at = await startTestApp(t, { client: { auth: auth({ required: true }) } });
  const one = new SocketClient(4, at.clientUrl, ["websocket"], { auth: { token: made.out.trim() } });
  t.teardown(() => one.close());
  t.match(await one.hello({ id: fresh("device") }), { uid: "ann" });
  t.equal((await at.ok("push", { topic: "room:7", json: 1 }))["online"], 1);
});

t.test("integration 11: the token has the issuer and audience of the configuration", async (t) => {
  const made = await token("--uid", "ann", "--client-auth-issuer", ISSUER, "--client-auth-audience", AUDIENCE);
  const { payload } = await jwtVerify(made.out.trim(), Buffer.from(SECRET), { issuer: ISSUER, audience: AUDIENCE });
  t.equal(payload["pushbox"], undefined);
});

t.test("integration 11: pushbox token says what it lacks", async (t) => {
  const wrong: [string[], RegExp][] = [
    [[], /--uid is missing/],
    [["--uid", "ann", "--ttl", "soon"], /--ttl: soon is no time; write 30s/],
    [["--uid", "ann", "--ttl", "500d"], /more than client\.auth\.max_lifetime/],
    [["--uid", "ann", "--key", "9"], /none of client\.auth\.keys has the id 9/],
    [["--uid", "ann", "--nope"], /--nope: unknown flag/],
  ];
  for (const [args, err] of wrong) {
    const made = await token(...args);
    t.match(made, { code: 2, out: "", err }, args.join(" "));
    t.notMatch(made.err, SECRET);
  }
});
