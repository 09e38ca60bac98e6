// The web console of a server that is a process of its own: the link that it prints, what `pushbox admin` does to it while it runs, and
// what a kill leaves.
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { cli, runHere } from "../support/cli.ts";
import { Browser, PASSWORD, secretOf, startConsole, watch } from "../support/console.ts";
import { free, messages, start } from "../support/process.ts";

const withConsole = ["serve", ...free, "--admin-enabled=true", "--admin-port", "0"];

/** A server with its console, once it is ready. */
async function serve(t: Parameters<typeof watch>[0], directory: string) {
  const server = start(directory, withConsole);
  t.teardown(async () => {
    server.child.kill("SIGKILL");
    await server.ended;
  });
  const log = messages(await server.printed(/try: curl/));
  const consoleUrl = log.find((line) => line.startsWith("console at "))?.slice("console at ".length) ?? "";
  const links = log.filter((line) => line.includes("#setup="));
  return { ...server, consoleUrl, links, log };
}

t.test(
  "console: the first start prints a link; users and logins survive kill -9; admin reset ends all logins",
  async (t) => {
    const directory = t.testdir({});
    const first = await serve(t, directory);
    t.match(first.links, [
      /^nobody may use the console yet; set a password within 30 minutes: http:\/\/127\.0\.0\.1:\d+\/#setup=/,
    ]);
    const place = new URL(first.consoleUrl).port;
    t.ok(first.log.some((line) => line.endsWith(`ssh -L ${place}:127.0.0.1:${place} USER@THIS-SERVER`)));
    const ann = new Browser(first.consoleUrl);
    const link = secretOf(first.links[0]);
    t.match(await ann.post("/admin/setup", { link, name: "ann", password: PASSWORD }), { status: 200 });
    first.child.kill("SIGKILL");
    await first.ended;

    const next = await serve(t, directory);
    t.same(next.links, [], "there is a user");
    const { port } = new URL(next.consoleUrl);
    const again = new Browser(next.consoleUrl, ann.cookie.replace(/-\d+=/, `-${port}=`));
    t.match(await again.get("/admin/session"), { status: 200, body: { name: "ann", role: "operator" } });
    const shown = await watch(t, again, "/admin/live");
    t.ok(await shown.next());

    const data = join(directory, "pushbox-data");
    const reset = await cli(["admin", "reset", "--json", "--admin-port", port, "--data", data]);
    t.match(reset, { code: 0, err: /^all logins have ended; the link is good once, until / });
    const { link: made = "" } = JSON.parse(reset.out) as { link?: string };
    t.ok(made.startsWith(`${next.consoleUrl}/#setup=`), made);
    while ((await shown.next()) !== undefined);
    t.equal((await again.get("/admin/session")).status, 401);
    const fresh = { link: secretOf(made), name: "ann", password: "another horse entirely" };
    t.match(await again.post("/admin/setup", fresh), { status: 200, body: { name: "ann" } });
    t.equal((await again.post("/admin/setup", fresh)).status, 403);
    t.equal((await again.login("ann", PASSWORD)).status, 401, "the old password is none any more");
    t.equal((await next.stop()).code, 0);
  },
);

t.test("console: users are listed, invited, removed and given roles, while the server runs", async (t) => {
  const { ann, vic, consoleUrl, config } = await startConsole(t);
  const admin = (...words: string[]) => cli(["admin", "user", ...words, "--data", config.data]);
  const invited = await admin("add", "bob", "--admin-port", new URL(consoleUrl).port);
  t.match(invited, { code: 0, out: /^http:\S+#setup=[\w-]{43}\n$/, err: /^for bob; the link is good once/ });
  const bob = new Browser(consoleUrl);
  const link = secretOf(invited.out.trim());
  t.match(await bob.post("/admin/setup", { link, name: "eve", password: PASSWORD }), {
    status: 400,
    body: { message: "name: this link is for bob" },
  });
  t.match(await bob.post("/admin/setup", { link, password: PASSWORD }), { body: { name: "bob", role: "viewer" } });
  t.match(await admin("list"), {
    code: 0,
    out: /^name +role +login +since\nann +operator +enabled +.*\nbob +viewer +enabled +.*\nvic +viewer +.*Z\n$/,
  });
  t.match(await admin("role", "ann", "viewer"), { code: 1, out: "", err: /^ann is the only operator/ });
  t.match(await admin("remove", "ann"), { code: 1, err: /^ann is the only operator/ });
  t.match(await admin("role", "vic", "operator"), { code: 0, out: "vic is an operator now\n" });
  t.match(await vic.get("/admin/session"), { body: { role: "operator" } }, "at once");
  t.match(await admin("disable", "bob"), { code: 0, out: "bob may not log in any more\n" });
  t.equal((await bob.get("/admin/session")).status, 401);
  t.match(await bob.login("bob", PASSWORD), { status: 403, body: { message: /may not log in at present/ } });
  t.match(await admin("add", "bob"), { code: 1, err: /enable/ });
  t.match(await admin("enable", "bob"), { code: 0, out: "bob may log in again\n" });
  t.match(await bob.login("bob", PASSWORD), { status: 200 });
  t.match(await admin("role", "vic", "king"), { code: 1, err: "king: write operator or viewer\n" });
  t.match(await admin("remove", "ann", "--json"), { code: 0, out: '{"removed":"ann"}\n' });
  t.equal((await ann.get("/admin/session")).status, 401, "at once too");
  t.match(await admin("remove", "ann"), { code: 1, err: /^ann is no user/ });
  t.match(await admin("remove"), { code: 2, err: /name is missing/ });
  t.match(await admin("add", "x", "--role", "king"), { code: 2, err: "--role king: write operator or viewer\n" });
  t.match(await admin("add", "x".repeat(65)), { code: 1, err: /64 characters/ });
  const { body } = await vic.get("/api/audit/list?who=command%20line");
  t.match((body as { entries: object[] }).entries, [
    { action: "/admin/user/remove", what: { name: "ann" }, address: "local" },
    { action: "/admin/user/enable", what: { name: "bob" } },
    { action: "/admin/user/disable", what: { name: "bob" } },
    { action: "/admin/user/role", what: { name: "vic", role: "operator" } },
    { action: "/admin/user/add", what: { name: "bob", role: "viewer" } },
  ]);
});

t.test("console: its port in use, an address without https, and no data: what to do is said", async (t) => {
  const directory = t.testdir({});
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const { code, err } = await runHere(directory, ...withConsole, "--admin-port", `${port}`);
  t.equal(code, 1);
  t.equal(
    messages(err).at(-1),
    `port ${port} on 127.0.0.1 is in use: stop what uses it (ss -ltnp 'sport = :${port}'), or take another with --admin-port`,
  );
  t.match(await cli(["check", "--admin-host", "0.0.0.0"]), {
    code: 2,
    err: /^--admin-host: admin\.host 0\.0\.0\.0 can be reached by others and there is no certificate; .*--insecure-admin\n/,
  });
  t.match(await cli(["check", "--admin-port", "10001"]), {
    code: 2,
    err: /client\.port and admin\.port are both 10001; give the console a port of its own/,
  });
  const off = await cli(["check", "--admin-enabled=false", "--admin-port", "10001", "--admin-host", "0.0.0.0"]);
  t.equal(off.code, 0, off.err);
  const none = join(directory, "none");
  t.match(await cli(["admin", "reset", "--data", none]), { code: 1, err: `there is no ${none}/pushbox.db: name the` });
  const insecure = start(directory, [...withConsole, "--admin-host", "0.0.0.0", "--insecure-admin"]);
  t.teardown(() => insecure.child.kill("SIGKILL"));
  t.match(await insecure.printed(/try: curl/), /"level":"warn".*INSECURE: the console on 0\.0\.0\.0 has no https/);
  t.equal((await insecure.stop()).code, 0);
});
