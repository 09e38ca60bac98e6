// What every engine must do with users of the web console.
import type { Admins } from "../../src/core/admin.ts";
import { MOST_USERS, SESSIONS_PER_USER } from "../../src/core/admin.ts";
import { type Define, HOUR, T } from "./steps.ts";

const FOREVER = { begunAfter: 0, usedAfter: 0 };

/** As the first user comes in, and every other whose link has no name. */
async function enter(admins: Admins, name: string, now = T): Promise<boolean> {
  await admins.openSetup({ id: `link of ${name}`, until: now + HOUR, role: "operator" });
  return await admins.useLink(`link of ${name}`, { name, password: `hash of ${name}`, since: now });
}

export async function adminTests(test: Define): Promise<void> {
  await test("console: a link is used once, in its time, and ends the logins of whom it is of", async (t, {
    engine,
  }) => {
    const { admins } = engine;
    t.same(await admins.users(), []);
    await admins.openSetup({ id: "first", until: T + 10, role: "operator" });
    await admins.openSetup({ id: "second", until: T + 10, role: "operator" });
    t.equal(await admins.link("first", T), undefined, "another took its place");
    t.same(await admins.link("second", T), { id: "second", until: T + 10, role: "operator" });
    t.equal(await admins.link("second", T + 10), undefined);
    const user = { name: "ann", password: "hash", since: T };
    t.equal(await admins.useLink("second", { ...user, since: T + 10 }), false, "too old");
    t.equal(await admins.useLink("second", user), true);
    t.equal(await admins.useLink("second", user), false, "used up");
    t.same(await admins.users(), [{ name: "ann", role: "operator", since: T }]);
    t.same(await admins.user("ann"), { ...user, role: "operator" });
    t.equal(await admins.user("bob"), undefined);

    t.equal(await admins.begin("s1", "ann", T, FOREVER), true);
    await admins.openSetup({ id: "third", until: T + 10, role: "operator" });
    t.equal(await admins.useLink("third", { name: "ann", password: "new", since: T }), true);
    t.match(await admins.user("ann"), { password: "new", since: T });
    t.equal(await admins.session("s1", FOREVER), undefined);
  });

  await test("cluster: the setup links of several nodes hold until one of them is used", async (t, { engine }) => {
    const { admins } = engine;
    await admins.openSetup({ id: "of a", until: T + 10, role: "operator" }, true);
    await admins.openSetup({ id: "of b", until: T + 10, role: "operator" }, true);
    t.same(await admins.link("of a", T), { id: "of a", until: T + 10, role: "operator" });
    t.equal(await admins.useLink("of b", { name: "ann", password: "hash", since: T }), true);
    t.equal(await admins.link("of a", T), undefined, "somebody may log in now");
  });

  await test("console: sessions are of users who are there, end by their times, and are so many", async (t, {
    engine,
  }) => {
    const { admins } = engine;
    await enter(admins, "ann");
    t.equal(await admins.begin("s0", "bob", T, FOREVER), false);
    t.equal(await admins.begin("s1", "ann", T, FOREVER), true);
    t.same(await admins.session("s1", FOREVER), { name: "ann", role: "operator", began: T, used: T, confirmed: 0 });
    t.equal(await admins.session("s1", { begunAfter: T, usedAfter: 0 }), undefined);
    t.equal(await admins.session("s1", { begunAfter: 0, usedAfter: T }), undefined);
    await admins.touch("s1", T + 60);
    await admins.touch("s1", T + 50);
    await admins.confirm("s1", T + 100);
    t.match(await admins.session("s1", { begunAfter: T - 1, usedAfter: T + 59 }), { used: T + 60, confirmed: T + 100 });
    await admins.end("s1");
    await admins.end("s1");
    t.equal(await admins.session("s1", FOREVER), undefined);

    for (let n = 0; n <= SESSIONS_PER_USER; n++) await admins.begin(`n${n}`, "ann", T + n, FOREVER);
    t.equal(await admins.session("n0", FOREVER), undefined, "the one used longest ago has made room");
    t.match(await admins.session("n1", FOREVER), { name: "ann" });
    await admins.begin("last", "ann", T + 50, { begunAfter: T + 10, usedAfter: 0 });
    t.equal(await admins.session("n9", FOREVER), undefined, "what has ended is forgotten with the next login");
    t.match(await admins.session("n11", FOREVER), { name: "ann" });
  });

  await test("console: a changed password ends the user's other sessions, and a restart ends none", async (t, subject) => {
    const { engine, reopen } = subject;
    const { admins } = engine;
    for (const name of ["ann", "bob"]) await enter(admins, name);
    for (const id of ["a1", "a2"]) await admins.begin(id, "ann", T, FOREVER);
    await admins.begin("b1", "bob", T, FOREVER);
    await admins.setPassword("ann", "changed", "a1");
    const alive = async (of: Admins) =>
      (await Promise.all(["a1", "a2", "b1"].map((id) => of.session(id, FOREVER)))).map((one) => one?.name);
    t.same(await alive(admins), ["ann", undefined, "bob"]);
    if (reopen === undefined) return;
    const next = await reopen(T + 20);
    t.same(await alive(next.admins), ["ann", undefined, "bob"]);
    t.match(await next.admins.user("ann"), { password: "changed" });
  });

  await test("console: there are so many users and no more", async (t, { engine }) => {
    for (let n = 0; n < MOST_USERS; n++) await enter(engine.admins, `user ${n}`);
    await t.rejects(enter(engine.admins, "one more"), { code: "invalid", message: /100 users/ });
    t.equal(await enter(engine.admins, "user 7"), true, "who is there may set a password again");
    t.equal((await engine.admins.users()).length, MOST_USERS);
  });
}
