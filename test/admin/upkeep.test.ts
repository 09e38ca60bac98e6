// The console in a real browser, for whoever looks after the server: copies of the data, users of the console, and what is easily
// overlooked elsewhere: lines for a terminal, the last send, certificates, and where the keys go.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { createAuthority } from "../../src/lab/authority.ts";
import { chromium, startChromium } from "../support/chromium.ts";
import { PASSWORD, PATIENT, startConsole } from "../support/console.ts";
import { absent, device, type Fields, jobIn } from "../support/devices.ts";
import { startVendors } from "../support/vendors.ts";
import { Person } from "./person.ts";

const DAY = 86_400_000;

if (chromium === undefined) t.pass("left out: no chromium is installed");
else {
  const browser = await startChromium(t, chromium);
  const vendors = await startVendors(t, ["apns", "fcm"]);
  const fcm = vendors.get("fcm");
  const { bundle_id, base_url, sandbox_url } = vendors.get("apns").entry;
  const { cert, key } = createAuthority(Date.now()).client("lab", Date.now() - DAY, Date.now() + 20 * DAY);
  for (const [name, text] of Object.entries({ "own.crt": cert, "own.key": key }))
    writeFileSync(join(vendors.directory, name), text);
  const byCertificate = { bundle_id, base_url, sandbox_url, cert_file: "own.crt", key_file: "own.key" };
  const server = await startConsole(t, {
    client: PATIENT,
    vendors: vendors.config({ apns: [byCertificate] }),
    data: t.testdir({}),
  });
  const online = await device(t, server, { platform: "android", topics: ["news"] });
  const phones = await absent(server, fcm, 3);
  const ann = new Person(await browser.open(`${server.consoleUrl}/`, true), server.consoleUrl);
  await ann.look({});
  await ann.enter("ann", PASSWORD);
  /** Says yes to what is asked, and gives the password where it is wanted. @param then what is so then: a text, or an expression */
  const agree = async (then: string, isText = true): Promise<void> => {
    await ann.page.until('document.querySelector("dialog[open] form")');
    await ann.page.run('document.querySelector("dialog form").requestSubmit()');
    await ann.becomes(isText ? `document.body.innerText.includes(${JSON.stringify(then)})` : then, PASSWORD);
  };

  t.test("console: a copy is made, checked and prepared to be restored, and that is taken back", async (t) => {
    await ann.open("#/backups", "There is no copy yet");
    t.same(await ann.barriers(), []);
    await ann.press("Back up now");
    await ann.reads("is done.");
    await ann.press("Check");
    await ann.reads("it is whole, with 4 devices");
    await ann.press("Restore");
    await ann.reads("it stays beside it as pushbox.db.replaced");
    t.same(await ann.barriers("dialog"), []);
    await agree("A restore is prepared");
    await ann.reads("the server continues with pushbox-");
    t.same(await ann.barriers(), []);
    await ann.page.run("HTMLAnchorElement.prototype.click = function () { window.gets = this.href; }");
    await ann.press("Download");
    await ann.becomes("window.gets", PASSWORD);
    const got = await ann.page.run<readonly [number, string]>(
      "fetch(window.gets).then(async (answer) => [answer.status, (await answer.text()).slice(0, 15)])",
    );
    t.same(got, [200, "SQLite format 3"]);
    await ann.press("Do not restore");
    await ann.reads("The server keeps its data");
    await ann.press("Delete");
    await agree("There is no copy yet");
  });

  t.test("console: somebody is invited by a link, made an operator, disabled and removed", async (t) => {
    await ann.open("#/people", "Console users");
    await ann.press("Invite somebody");
    await ann.fill("Name", "bob");
    await agree("A link for bob");
    const link = await ann.page.run<string>('document.querySelector("dialog pre").innerText');
    t.ok(link.startsWith(`${server.consoleUrl}/#setup=`));
    await ann.press("Close");
    await ann.reads("Invited");
    t.same(await ann.barriers(), []);

    const bob = new Person(await browser.open(`${server.consoleUrl}/`, true), server.consoleUrl);
    await bob.look({});
    await bob.open(link.slice(server.consoleUrl.length + 1), "Welcome to pushbox");
    await bob.fill("Name", "bob");
    await bob.fill("Password", PASSWORD);
    await bob.fill("The same password again", PASSWORD);
    await bob.page.run('document.querySelector("form").requestSubmit()');
    await bob.reads("Being sent now");
    await bob.open("#/people", "Console users");
    await bob.reads("ann");
    for (const name of ["Invite somebody", "Remove", "Disable"]) t.notOk(await bob.has(name), name);

    await ann.open("#/people", "1 login");
    const row = `[...document.querySelectorAll("main tr")].find((one) => one.innerText.includes("bob"))`;
    await ann.page.until(row);
    const press = (name: string) =>
      ann.page.run(`void [...${row}.querySelectorAll("button")].find((one) => one.innerText === "${name}").click()`);
    await press("Make operator");
    await agree(`${row}.innerText.includes("Operator")`, false);
    await press("Disable");
    await agree(`${row}.innerText.includes("may not log in")`, false);
    await bob.follow("#/", "pushbox admin reset");
    t.same(bob.complaints(), [], "who is logged out sees the door, and no error");
    await bob.leave();
    await press("Remove");
    await agree(`!${row}`, false);
    const { people } = (await ann.page.run(
      "fetch('/admin/user/list', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }).then((one) => one.json())",
    )) as { people: readonly Fields[] };
    t.match(people, [{ name: "ann" }, { name: "vic" }]);
  });

  t.test(
    "console 1: after a search the keys go on in the page that was found, after Escape where they were",
    async (t) => {
      const focused = () =>
        ann.page.run<string>("document.activeElement.tagName + ' ' + document.activeElement.innerText");
      await ann.open("#/audit", "Audit");
      for (let i = 0; i < 2; i++) {
        await ann.key("/");
        await ann.types("news");
        await ann.page.until(`document.querySelector('[role="option"]')`);
        await ann.key("Enter");
        await ann.page.until(`location.hash === "#/topics/news"`);
        await ann.page.until(`document.activeElement.tagName === "H1" && document.activeElement.innerText !== "Audit"`);
        t.equal(await focused(), "H1 news", i === 0 ? "another page" : "the same page");
      }
      await ann.tabTo("Push to it");
      const before = await focused();
      await ann.key("/");
      await ann.types("x");
      await ann.key("Escape");
      await ann.page.until(
        `document.activeElement.tagName + " " + document.activeElement.innerText === ${JSON.stringify(before)}`,
      );
    },
  );

  t.test("console 6: a form is copied as a line for a terminal, which does the same", async (t) => {
    await ann.page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }");
    await ann.follow("#/send?to=pushId", "How it looks");
    await ann.fill("pushIds", online.id);
    await ann.fill("Title", "It's here");
    await ann.press("Copy as curl");
    await ann.page.until("window.copied");
    const line = await ann.page.run<string>("window.copied");
    t.ok(line.startsWith("curl http"), line);
    // The test's port was chosen by the system.
    const here = line.replace(/http:\/\/[^/]+/, server.apiUrl);
    const { stdout } = await promisify(execFile)("sh", ["-c", here.replace("curl ", "curl -s -m 60 ")]);
    const { id } = JSON.parse(stdout) as { id: string };
    t.match(await server.ok("notification/get", { id }), { notification: { android: { title: "It's here" } } });
  });

  t.test("console 4: to an audience that was sent to before, the last send is named", async (t) => {
    const notification = { android: { title: "Sale of last week", message: "m" }, apn: { alert: "Sale of last week" } };
    const { id } = await server.ok("notification", { pushAll: true, notification, timeToLive: "1h" });
    await jobIn(server, id);
    await ann.open("#/send?to=all", "The last one to this audience:");
    await ann.reads("Sale of last week");
    t.ok(await ann.page.run(`document.querySelector('main a[href="#/notifications/${String(id)}"]') !== null`));
  });

  t.test(
    "console 10: a certificate that soon expires is shown; a lane is tested without anybody getting something",
    async (t) => {
      const theirs = () => fcm.fake.shown.filter(({ token }) => phones.some((one) => one.token === token)).length;
      const before = theirs();
      await ann.open("#/vendors", "The certificate is valid until");
      await ann.reads("in 19 days");
      const lane = `[...document.querySelectorAll("section.lane")].find((one) => one.innerText.startsWith("fcm"))`;
      await ann.page.until(lane);
      await ann.page.run(
        `void [...${lane}.querySelectorAll("button")].find((one) => one.innerText === "Test").click()`,
      );
      await ann.reads("It works.");
      t.equal(theirs(), before);
    },
  );

  t.test("console 9: one group of failures alike is retried, and no other", async (t) => {
    const notification = { android: { title: "t", message: "m" } };
    for (const { token } of phones.slice(0, 2)) fcm.fake.tokens.set(token, "refused");
    const { id } = await server.ok("notification", {
      ...{ pushId: phones.map((one) => one.id), notification, timeToLive: "1h" },
    });
    await jobIn(server, id);
    fcm.fake.tokens.clear();
    fcm.fake.tokens.set(phones[2]!.token, "dead");
    const other = await server.ok("notification", { pushId: phones[2]!.id, notification, timeToLive: "1h" });
    await jobIn(server, other["id"]);
    await ann.open("#/failures", "By reason");
    await ann.press("Retry");
    await ann.reads("2 deliveries will be retried");
    await agree("2 deliveries are retried");
    const left = (await server.ok("delivery/list", {})) as { groups: readonly Fields[] };
    t.match(left.groups, [{ state: "gone", count: 1 }]);
    t.same([ann.complaints(), ann.strangers()], [[], []]);
  });
}
