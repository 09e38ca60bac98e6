// What operators do in the console beside the API: users who are looked after, and copies of the data.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { checkBackup } from "../../src/engine/backup.ts";
import { startTestApp } from "../support/app.ts";
import { Browser, PASSWORD, startConsole } from "../support/console.ts";
import type { Fields } from "../support/devices.ts";
import { eventually } from "../support/until.ts";

const PATHS = [
  ...["user/list", "user/invite", "user/role", "user/disable", "user/enable", "user/remove", "user/end"],
  ...["backup/list", "backup/start", "backup/check", "backup/restore", "backup/cancel", "backup/remove"],
  "backup/download",
];

t.test(
  "console: operators invite, change, disable and remove users; each is noted, and none has them by a key",
  async (t) => {
    const { ann, vic, app, consoleUrl, apiUrl } = await startConsole(t);
    const confirm = { status: 403, body: { confirm: true } };
    const bob = { name: "bob", role: "viewer" };
    t.match(await ann.post("/admin/user/invite", bob), confirm);
    await ann.post("/admin/confirm", { password: PASSWORD });
    const { body } = await ann.post("/admin/user/invite", bob);
    t.match(body, { code: "success", name: "bob", role: "viewer", secret: /^[\w-]{43}$/, until: Number });
    t.match((await vic.post("/admin/user/list")).body, {
      people: [{ name: "ann", sessions: 1 }, { name: "vic" }],
      invited: [{ name: "bob", role: "viewer" }],
    });
    const browser = new Browser(consoleUrl);
    t.match(await browser.post("/admin/setup", { link: body["secret"], password: PASSWORD }), {
      body: { name: "bob" },
    });

    t.match(await ann.post("/admin/user/end", { name: "bob" }), { body: { ended: 1 } });
    t.equal((await browser.get("/admin/session")).status, 401);
    await browser.login("bob", PASSWORD);
    t.match(await ann.post("/admin/user/role", { name: "bob", role: "operator" }), { status: 200 });
    t.match(await browser.get("/admin/session"), { body: { role: "operator" } });
    t.match(await ann.post("/admin/user/disable", { name: "bob" }), { status: 200 });
    t.equal((await browser.get("/admin/session")).status, 401);
    t.match(await browser.login("bob", "not this one"), { status: 401 }, "not told to whoever guesses");
    t.match(await browser.login("bob", PASSWORD), { status: 403, body: { message: /bob may not log in at present/ } });
    t.match(await ann.post("/admin/user/enable", { name: "bob" }), { status: 200 });
    t.match(await browser.login("bob", PASSWORD), { status: 200 });

    for (const path of ["role", "disable", "remove"])
      t.match(await ann.post(`/admin/user/${path}`, { name: "ann", role: "viewer" }), { status: 400 }, "oneself");
    t.match(await ann.post("/admin/user/remove", { name: "eve" }), {
      status: 404,
      body: { message: "eve is no user" },
    });
    t.match(await ann.post("/admin/user/invite", { name: "x", role: "king" }), {
      status: 400,
      body: { message: "role must be operator or viewer" },
    });
    t.match(await ann.post("/admin/user/remove", { name: "bob" }), { status: 200 });
    t.equal((await browser.get("/admin/session")).status, 401);

    for (const path of PATHS) {
      const { status } = await vic.post(`/admin/${path}`, { name: "ann" });
      t.equal(status, path.endsWith("/list") ? 200 : 403, `a viewer: ${path}`);
      t.equal((await browser.post(`/admin/${path}`)).status, 401, `nobody: ${path}`);
      t.equal((await fetch(`${apiUrl}/admin/${path}`, { method: "POST" })).status, 404, `by the API: ${path}`);
    }
    await app.settled();
    const { entries } = (await ann.get("/api/audit/list?limit=100")).body as { entries: readonly Fields[] };
    const noted = entries.map(({ who, action, status }) => `${String(who)} ${String(action)} ${String(status)}`);
    for (const line of [
      ...["ann (console) /admin/user/invite 403", "ann (console) /admin/user/invite 200"],
      ...["ann (console) /admin/user/remove 404", "vic (console) /admin/backup/restore 403"],
    ])
      t.ok(noted.includes(line), line);
    t.notOk(JSON.stringify(entries).includes(String(body["secret"])));
  },
);

t.test(
  "console: data is copied, checked, downloaded and prepared to be restored, which the next start does",
  async (t) => {
    const data = t.testdir({});
    const { ann, vic, app, stop, ok } = await startConsole(t, { data });
    await ok("uid/bind", { pushId: "a-device-0123456789", uid: "u" });
    const look = async (): Promise<Fields> => (await vic.post("/admin/backup/list")).body;
    const done = (): Promise<Fields> =>
      eventually(look, ({ work }) => (work as Fields | undefined)?.["ended"] !== undefined);
    t.match(await look(), { folder: join(data, "backups"), copies: [], size: Number, free: Number });
    t.match(await ann.post("/admin/backup/start"), { status: 200, body: { work: { task: "backup", who: "ann" } } });
    const { copies } = (await done()) as { copies: readonly [{ name: string; bytes: number }] };
    const [{ name, bytes }] = copies;

    t.match(await ann.post("/admin/backup/check", { name }), { status: 200 });
    t.match(await done(), { work: { task: "check", content: { devices: 1 } } });
    const file = `/admin/backup/file?name=${name}`;
    t.match(await ann.post("/admin/backup/download", { name }), { status: 403, body: { confirm: true } });
    t.match(await ann.get(file), { status: 403, body: { confirm: true } });
    t.match(await vic.get(file), { status: 403 });
    await ann.post("/admin/confirm", { password: PASSWORD });
    t.match(await ann.post("/admin/backup/download", { name }), { body: { bytes } });
    const answer = await fetch(`${ann.url}${file}`, { headers: { cookie: ann.cookie } });
    t.match(answer.headers.get("content-disposition"), `attachment; filename="${name}"`);
    const here = join(data, "downloaded.db");
    writeFileSync(here, Buffer.from(await answer.arrayBuffer()));
    t.match(checkBackup(here), { bytes });
    for (const other of ["../pushbox.db", "none.db", "%2e%2e%2fpushbox.db"])
      t.match(await ann.get(`/admin/backup/file?name=${other}`), { status: 400 });

    t.match(await ann.post("/admin/backup/cancel"), { status: 409 });
    t.match(await ann.post("/admin/backup/restore", { name }), { status: 200 });
    t.match(await done(), { work: { task: "restore", error: undefined }, staged: { name, who: "ann" } });
    await app.settled();
    t.match((await ann.get("/api/audit/list?action=/admin/backup/restore/done")).body["entries"], [
      { who: "ann (console)", what: { name }, status: 200 },
    ]);
    await stop();

    const next = await startAgain(t, data);
    t.match(next.log, [/^warn: pushbox-\S+\.db was restored, as ann asked for .* kept as \S+pushbox\.db\.replaced$/]);
    t.match((await next.vic.post("/admin/backup/list")).body, { copies: [{ name: "pushbox.db.replaced" }, { name }] });
    await next.app.settled();
    t.match((await next.vic.get("/api/audit/list?action=/admin/backup/restored")).body["entries"], [
      { what: { name } },
    ]);
    await next.ann.post("/admin/confirm", { password: PASSWORD });
    t.match(await next.ann.post("/admin/backup/remove", { name }), { status: 200 });
  },
);

async function startAgain(t: Parameters<typeof startConsole>[0], data: string) {
  const app = await startTestApp(t, { data, logLevel: "warn", admin: { enabled: true } });
  const enter = async (name: string): Promise<Browser> => {
    const browser = new Browser(app.consoleUrl);
    t.match(await browser.login(name, PASSWORD), { status: 200 });
    return browser;
  };
  return { ...app, ann: await enter("ann"), vic: await enter("vic") };
}

t.test("console: what a page's own script asks for is refused without an error in the browser's log", async (t) => {
  const { ann, consoleUrl } = await startConsole(t);
  const quiet = { "x-quiet": "1" };
  t.match(await ann.post("/api/device/delete", { pushId: "a-device-1234" }, quiet), {
    status: 200,
    headers: { "x-status": "403" },
    body: { code: "error", confirm: true },
  });
  t.match(await ann.post("/api/job/get", {}, quiet), { status: 200, headers: { "x-status": "400" } });
  const { headers } = await ann.post("/api/stats/base", {}, quiet);
  t.equal(headers["x-status"], undefined);
  t.match(await new Browser(consoleUrl).get("/admin/session", quiet), {
    status: 200,
    headers: { "x-status": "401" },
    body: { setup: false },
  });
});
