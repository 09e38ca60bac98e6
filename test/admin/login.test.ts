// The console's door: the setup link, logins, who guesses, what a login may do. Numbers are those of src/admin/README.md.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { Browser, PASSWORD, secretOf, startConsole } from "../support/console.ts";

t.test("console: the setup link makes the first operator, once", async (t) => {
  const app = await startTestApp(t, { admin: { enabled: true } });
  const browser = new Browser(app.consoleUrl);
  t.match(await browser.get("/admin/session"), { status: 401, body: { code: "error", setup: true } });
  t.match(await browser.login("admin", "admin"), { status: 401 }, "there is no default password");
  const link = secretOf(app.app.setupLink);
  const setup = (fields: object) => browser.post("/admin/setup", { link, name: "ann", password: PASSWORD, ...fields });
  t.match(await setup({ link: `${link.slice(0, -1)}_` }), { status: 403, body: { message: /admin reset/ } });
  t.match(await setup({ password: "short" }), { status: 400, body: { message: /10 characters/ } });
  t.match(await setup({ name: " " }), { status: 400, body: { message: /name/ } });
  t.match(await setup({}), { status: 200, body: { code: "success", name: "ann", role: "operator" } });
  t.match(await setup({}), { status: 403 }, "used up");
  t.match(await browser.get("/admin/session"), { status: 200, body: { name: "ann", version: String, node: String } });
  t.match(await browser.get("/api/stats/base"), { status: 200 });
  t.match(await browser.post("/admin/logout"), { status: 200 });
  t.match(await browser.get("/admin/session"), { status: 401, body: { setup: false } });
  t.match(await browser.login("ann", "not this one"), { status: 401 });
  t.match(await browser.login("ann", PASSWORD), { status: 200, body: { role: "operator" } });
});

t.test("console: what reaches far needs the password again", async (t) => {
  const { ann } = await startConsole(t);
  const all = { pushAll: true, notification: { android: { title: "hi" } } };
  t.match(await ann.post("/api/notification", { ...all, dryRun: true }), { status: 200 });
  t.match(await ann.post("/api/notification", all), { status: 403, body: { confirm: true } });
  t.match(await ann.post("/admin/confirm", { password: "not this one" }), { status: 401 });
  t.match(await ann.post("/api/notification", all), { status: 403, body: { confirm: true } });
  t.match(await ann.post("/admin/confirm", { password: PASSWORD }), { body: { confirmedUntil: Number } });
  t.match(await ann.post("/api/notification", all), { status: 200 });
});
