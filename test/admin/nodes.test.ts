// The console of two nodes over one PostgreSQL, in a real browser and by the commands: it is one console.
import { setTimeout as pause } from "node:timers/promises";
import t from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { chromium, startChromium } from "../support/chromium.ts";
import { runHere } from "../support/cli.ts";
import { RawClient } from "../support/clients.ts";
import { Browser, PASSWORD, secretOf } from "../support/console.ts";
import { postgres } from "../support/postgres.ts";
import { serve } from "../support/process.ts";
import { eventually } from "../support/until.ts";
import { LOOKS, Person } from "./person.ts";

const server = await postgres(t, { max_connections: "100" });
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else if (chromium === undefined) t.pass("left out: no chromium is installed");
else {
  const url = await server.database();
  const start = (node: string): Promise<TestApp> =>
    startTestApp(t, {
      ...{ engine: "postgres", node, data: t.testdir({ [node]: {} }), postgres: { url, schema: "pushbox" } },
      admin: { enabled: true },
    });
  const a = await start("node-a");
  const b = await start("node-b");
  const browser = await startChromium(t, chromium);

  t.test("cluster: a's setup link holds though b has started since, and what it made holds at b", async (t) => {
    const [atA, atB] = [new Browser(a.consoleUrl), new Browser(b.consoleUrl)];
    const setup = { name: "ann", password: PASSWORD };
    const done = await atA.post("/admin/setup", { ...setup, link: secretOf(a.app.setupLink) });
    t.equal(done.status, 200, done.text);
    t.equal(
      (await atB.post("/admin/setup", { ...setup, link: secretOf(b.app.setupLink) })).status,
      403,
      "one was used",
    );
    t.equal((await atB.login("ann", PASSWORD)).status, 200);
    await Promise.all([a.app.settled(), b.app.settled()]);
    const { entries } = (await atB.get("/api/audit/list")).body as { entries: readonly { readonly action: string }[] };
    // Each node stores its own within a second.
    const actions = entries.map(({ action }) => action);
    t.same(actions.toSorted(), ["/admin/login", "/admin/setup"], "one log of what was done");
  });

  t.test("cluster: wrong passwords at one node make the other wait, too", async (t) => {
    const [atA, atB] = [new Browser(a.consoleUrl), new Browser(b.consoleUrl)];
    for (let tries = 0; tries < 5; tries++) t.equal((await atA.login("ann", "wrong password")).status, 401);
    // The first wait of 5 s may be over by then on a busy machine: the next is twice as long. By itself b would take five.
    const told: number[] = [];
    while (told.length < 4 && told.at(-1) !== 429) told.push((await atB.login("ann", "wrong password")).status);
    t.equal(told.at(-1), 429, `${told}`);
    // A link that is used ends every wait, at all nodes.
    await b.app.settled();
    const link = await runHere(t.testdir({}), "admin", "reset", "--engine", "postgres", "--postgres-url", url);
    const secret = /#setup=([\w-]+)/.exec(link.out)?.[1] ?? link.out;
    t.equal((await atB.post("/admin/setup", { link: secret, name: "ann", password: PASSWORD })).status, 200);
    const status = await eventually(
      () => atA.login("ann", PASSWORD),
      (answer) => answer.status === 200,
    );
    t.equal(status.status, 200);
  });

  t.test("cluster: the overview lists both nodes, and its figures are those of both", async (t) => {
    const clients = await Promise.all([a, b, b].map(({ clientPort }) => RawClient.open(clientPort)));
    for (const [i, client] of clients.entries()) await client.hello({ id: `console-device-${i}` });
    const ann = new Person(await browser.open(`${b.consoleUrl}/`, true), b.consoleUrl);
    await ann.look({});
    await ann.enter("ann", PASSWORD);
    await ann.reads("They share one PostgreSQL");
    await ann.reads("node-a");
    await ann.reads("runs, shows this page");
    const tile = (name: string): string =>
      `[...document.querySelectorAll(".tile")].some((one) => one.innerText.replace(/\\s+/g, " ").trim() === ${JSON.stringify(name)})`;
    await ann.page.until(tile("Connections 3"));
    await ann.page.until(tile("Clients online 3"));
    const rows =
      '[...document.querySelectorAll("main table tbody tr")].map((row) => row.cells[0].innerText + " " + row.cells[5].innerText).join()';
    await ann.page.until(`${rows} === "node-a 1,node-b 2"`);
    for (const look of LOOKS) {
      await ann.look(look);
      await ann.open("#/", look.language === "zh" ? "它们共用一个 PostgreSQL" : "They share one PostgreSQL");
      await ann.reads("node-a");
      t.same(await ann.barriers(), [], JSON.stringify(look));
    }
    await ann.look({});
    // On a busy machine a may be silent for once.
    for (let tries = 0; tries < 50 && !(await ann.sees("console-device-0")); tries++)
      await ann.open("#/connections", "console-device-1");
    await ann.reads("node-a");
    const far = clients[0]!;
    await ann.page.run(
      'void [...document.querySelectorAll("main tbody tr")].find((row) => row.innerText.includes("console-device-0")).querySelector("button").click()',
    );
    await ann.page.until('document.querySelector("dialog[open]")');
    await ann.page.run('document.querySelector("dialog form").requestSubmit()');
    await far.closed;

    const status = await runHere(t.testdir({}), "status", "--url", b.apiUrl);
    t.match(status.out, /node-a +(alive|silent) .*\nnode-b +here /, status.err);
    const top = await runHere(t.testdir({}), "top", "--count", "1", "--json", "--url", b.apiUrl);
    t.match(JSON.parse(top.out), { nodes: [{ name: "node-a" }, { name: "node-b" }] });

    await ann.open("#/configuration", "This is of node-b alone, the process that shows this page.");
    await a.stop();
    await ann.open("#/", "was stopped");
    t.same([ann.complaints(), ann.strangers()], [[], []]);
    for (const client of clients.slice(1)) await client.close();
  });

  t.test("cluster: a page whose answer lacks what a silent node knows says so, and which it is", async (t) => {
    const c = await serve(t, t.testdir({}), ["--engine", "postgres", "--postgres-url", url, "--node", "node-c"]);
    const ann = new Person(await browser.open(`${b.consoleUrl}/`, true), b.consoleUrl);
    await ann.look({});
    await ann.enter("ann", PASSWORD);
    const says = "node-c has not answered: what only it knows is missing here.";
    const pages = ["", "vendors", "connections"];
    for (const page of pages) {
      // After ten seconds without a word it counts as gone, and is missed no more: on a busy machine that may come too soon.
      let seen = false;
      for (let tries = 0; tries < 10 && !seen; tries++) {
        await eventually(
          () => b.ok("node/list", {}),
          ({ nodes }) =>
            (nodes as { name: string; state: string }[]).some((one) => one.name === "node-c" && one.state === "alive"),
        );
        c.child.kill("SIGSTOP");
        try {
          await ann.open(`#/${page}`, "pushbox");
          for (let looks = 0; looks < 40 && !seen; looks++) {
            await pause(100);
            seen = await ann.sees(says);
          }
          if (seen && page === "connections") t.same(await ann.barriers(), [], "it can be read by everybody");
        } finally {
          c.child.kill("SIGCONT");
        }
      }
      t.ok(seen, page === "" ? "overview" : page);
    }
    await ann.open("#/vendors", "pushbox");
    await ann.page.until(`!document.body.innerText.includes(${JSON.stringify(says)})`);
    t.same([ann.complaints(), ann.strangers()], [[], []]);
  });
}
