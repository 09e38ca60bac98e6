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
    if (reopen === undefined) return void t.pass("nothing lasts here");
    const next = await reopen(T + 20);
    t.same(await alive(next.admins), ["ann", undefined, "bob"]);
    t.match(await next.admins.user("ann"), { password: "changed" });
  });

  await test("console: users are invited, given roles, disabled and removed; the last operator stays one", async (t, {
    engine,
  }) => {
    const { admins } = engine;
    await enter(admins, "ann");
    await admins.begin("a1", "ann", T, FOREVER);
    await admins.touch("a1", T + 60);
    await admins.invite({ id: "first", until: T + HOUR, role: "viewer" }, "bob");
    await admins.invite({ id: "link", until: T + HOUR, role: "viewer" }, "bob");
    t.equal(await admins.link("first", T), undefined, "another took its place");
    t.same(await admins.people(T, FOREVER), {
      people: [{ name: "ann", role: "operator", since: T, sessions: 1, used: T + 60 }],
      invited: [{ name: "bob", role: "viewer", until: T + HOUR }],
    });
    t.same((await admins.people(T + HOUR, FOREVER)).invited, [], "too old");
    await admins.useLink("link", { name: "bob", password: "hash", since: T });
    await admins.begin("b1", "bob", T, FOREVER);

    for (const act of [
      (): Promise<unknown> => admins.setRole("ann", "viewer"),
      () => admins.setDisabled("ann", true),
      () => admins.remove("ann"),
      () => admins.invite({ id: "none", until: T + HOUR, role: "viewer" }, "ann"),
    ])
      await t.rejects(act(), { code: "invalid", message: /^ann is the only operator/ });
    t.match(await admins.session("a1", FOREVER), { role: "operator" });
    t.equal(await admins.link("none", T), undefined);

    t.equal(await admins.setDisabled("bob", true), true);
    t.equal(await admins.session("b1", FOREVER), undefined);
    t.equal(await admins.begin("b2", "bob", T, FOREVER), false);
    t.match(await admins.user("bob"), { disabled: true, password: "hash" });
    t.match((await admins.people(T, FOREVER)).people[1], { name: "bob", disabled: true, sessions: 0 });
    await t.rejects(admins.invite({ id: "l", until: T + HOUR, role: "viewer" }, "bob"), { message: /enable/ });
    t.equal(await admins.setDisabled("bob", false), true);
    t.equal(await admins.begin("b3", "bob", T, FOREVER), true);
    t.equal(await admins.endAll("bob"), 1);
    t.equal(await admins.session("b3", FOREVER), undefined);

    t.equal(await admins.setRole("bob", "operator"), true);
    t.equal(await admins.setRole("ann", "viewer"), true);
    await t.rejects(admins.remove("bob"), { message: /only operator/ });
    await admins.invite({ id: "again", until: T + HOUR, role: "viewer" }, "ann");
    t.match((await admins.people(T, FOREVER)).people[0], { name: "ann", role: "viewer", link: T + HOUR });
    t.equal(await admins.remove("ann"), true);
    t.equal(await admins.link("again", T), undefined);
    t.equal(await admins.remove("ann"), false);
    t.equal(await admins.setRole("eve", "viewer"), false);
    t.equal(await admins.setDisabled("eve", true), false);
    await admins.invite({ id: "eve", until: T + HOUR, role: "viewer" }, "eve");
    t.equal(await admins.remove("eve"), true, "an invitation is withdrawn");
    t.equal(await admins.link("eve", T), undefined);
  });

  await test("console: there are so many users and no more", async (t, { engine }) => {
    for (let n = 0; n < MOST_USERS; n++) await enter(engine.admins, `user ${n}`);
    await t.rejects(enter(engine.admins, "one more"), { code: "invalid", message: /100 users/ });
    t.equal(await enter(engine.admins, "user 7"), true, "who is there may set a password again");
    t.equal((await engine.admins.users()).length, MOST_USERS);
  });
}
