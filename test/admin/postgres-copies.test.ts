// The page of copies where PostgreSQL has the data: what it says to do is done, to a real one.
import { execFileSync } from "node:child_process";
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { chromium, startChromium } from "../support/chromium.ts";
import { Browser, PASSWORD, secretOf } from "../support/console.ts";
import { postgres, programs } from "../support/postgres.ts";
import { Person } from "./person.ts";

const needed = ["initdb", "postgres", "pg_dump", "pg_restore", "psql"];
const server = programs(needed) === undefined ? undefined : await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer with its programs on this machine");
else if (chromium === undefined) t.pass("left out: no chromium is installed");
else {
  t.test("console: the lines for a copy in PostgreSQL make one and put it back, as a restore would", async (t) => {
    const url = await server.database();
    const start = () =>
      startTestApp(t, {
        ...{ engine: "postgres", data: t.testdir({}), postgres: { url, schema: "mine" } },
        admin: { enabled: true },
      });
    const app = await start();
    const browser = new Browser(app.consoleUrl);
    const link = secretOf(app.app.setupLink);
    t.equal((await browser.post("/admin/setup", { name: "ann", password: PASSWORD, link })).status, 200);
    t.match(await browser.post("/admin/backup/list", {}), { body: { elsewhere: /pg_dump/, schema: "mine" } });
    for (const what of ["start", "check", "restore", "remove", "download"])
      t.match(await browser.post(`/admin/backup/${what}`, { name: "x" }), { status: /^40[39]$/ }, what);
    t.match(await browser.post("/admin/backup/start", {}), { status: 409, body: { message: /pg_dump makes a copy/ } });

    const chrome = await startChromium(t, chromium!);
    const ann = new Person(await chrome.open(`${app.consoleUrl}/`, true), app.consoleUrl);
    await ann.look({});
    await ann.enter("ann", PASSWORD);
    await ann.open("#/backups", "The data is in PostgreSQL");
    const lines = await ann.page.run<string[]>(
      '[...document.querySelectorAll("main .card .command pre")].map((one) => one.innerText)',
    );
    t.match(lines, [/^pg_dump .*--schema=mine /, /^pg_restore /, /^psql /]);
    t.same(await ann.barriers(), []);
    t.same(ann.complaints(), []);
    const [dump, restore, renew] = lines as [string, string, string];
    const cwd = t.testdir({});
    const run = (line: string): string =>
      execFileSync("sh", ["-c", line], {
        cwd,
        encoding: "utf8",
        env: { PATH: `${server.programs}:${process.env["PATH"]}`, PUSHBOX_POSTGRES_URL: url },
      });
    const epoch = (): string =>
      run('psql "$PUSHBOX_POSTGRES_URL" --tuples-only --command "SELECT epoch FROM mine.meta"');

    const before = { id: "device-before" };
    await app.ok("uid/bind", { pushId: before.id, uid: "bob" });
    await app.ok("push", { pushId: before.id, json: "1", timeToLive: "1h" });
    run(dump);
    const after = { id: "device-after" };
    await app.ok("uid/bind", { pushId: after.id, uid: "bob" });
    await app.stop();
    const former = epoch();
    run(restore);
    t.equal(epoch(), former, "as it was");
    run(renew);
    t.not(epoch(), former);

    const again = await start();
    t.match(await again.ok("device/get", { pushId: before.id }), { _id: before.id });
    const unknown = await again.ok("device/get", { pushId: after.id });
    t.equal(unknown["_id"], undefined, "what came after the copy is not in it");
    await again.ok("push", { pushId: before.id, json: "2", timeToLive: "1h" });
    const returned = new Browser(again.consoleUrl);
    t.equal((await returned.login("ann", PASSWORD)).status, 200, "people are in it");
    t.match(
      run('psql "$PUSHBOX_POSTGRES_URL" --tuples-only --command "SELECT count(*) FROM mine.admin_sessions"'),
      /^\s*1\s*$/,
      "of the logins only the one after it is left",
    );
  });
}
