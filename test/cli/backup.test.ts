// A backup of a server at work, put back somewhere else, and a server on it.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { RawClient } from "../support/clients.ts";
import { main, nodeArguments, run, type Server, serve } from "../support/process.ts";

const port = (server: Server): number => Number(new URL(server.clientUrl).port);

t.test(
  "a backup under load holds what was answered before, restores elsewhere, and a server starts with it",
  async (t) => {
    const directory = t.testdir({});
    const server = await serve(t, directory);
    await server.call("uid/bind", { pushId: "backup-device-1", uid: "somebody" });
    await server.call("push", { topic: "news", json: '"kept"', timeToLive: "600000" });
    let bound = 0;
    let over = false;
    const load = Promise.all(
      Array.from({ length: 8 }, async (_, caller) => {
        for (let i = 0; !over; i++)
          if ((await server.call("uid/bind", { pushId: `backup-load-${caller}-${i}`, uid: "load" })).status === 200)
            bound++;
      }),
    );
    while (bound < 100) await server.call("stats/base", {});
    const before = bound;
    t.same(await run(directory, "backup", "copy.db"), { code: 0, out: "./pushbox-data copied to copy.db\n", err: "" });
    over = true;
    await load;
    t.equal(statSync(join(directory, "copy.db")).mode & 0o777, 0o600);
    t.ok(bound > before, "calls were answered meanwhile");
    t.same(await runHere(directory, "backup", "copy.db"), {
      code: 1,
      out: "",
      err: "no backup was made: copy.db exists: give the backup a name that is free\n",
    });

    t.match(await runHere(directory, "restore", "copy.db"), {
      code: 1,
      err: /^nothing was restored: \.\/pushbox-data is in use by another pushbox \(process \d+ on .*\): stop that one/,
    });
    t.same(await runHere(directory, "restore", "copy.db", "--data", "elsewhere"), {
      code: 0,
      out: "elsewhere now holds copy.db\n",
      err: "",
    });
    t.equal(statSync(join(directory, "elsewhere")).mode & 0o777, 0o700);
    const second = await serve(t, directory, ["--data", "elsewhere"]);
    const devices = JSON.parse((await second.call("device/get", { uid: "load" })).text) as unknown[];
    t.ok(devices.length >= before && devices.length <= bound, `${before} <= ${devices.length} <= ${bound}`);
    const client = await RawClient.open(port(second));
    const greeting = await client.hello({ id: "backup-device-1", topics: ["news"], lastPacketIds: { news: "0" } });
    t.equal(greeting["uid"], "somebody");
    t.match(await client.next('42["p"'), '42["p","kept",["news",');
    await client.close();
    t.equal((await second.stop()).code, 0);
    t.equal((await server.stop()).code, 0);
  },
);

t.test("restore over data needs --force, and keeps what was there beside it", async (t) => {
  const directory = t.testdir({});
  const data = join(directory, "pushbox-data");
  const server = await startTestApp(t, { data });
  await server.ok("uid/bind", { pushId: "backup-device-1", uid: "first" });
  t.equal((await runHere(directory, "backup", "copy.db")).code, 0);
  await server.ok("uid/bind", { pushId: "backup-device-1", uid: "second" });
  await server.stop();
  t.same(await runHere(directory, "restore", "copy.db"), {
    code: 1,
    out: "",
    err: "nothing was restored: ./pushbox-data has data already: restore into an empty directory, or use --force\n",
  });
  t.equal((await runHere(directory, "restore", "copy.db", "--force")).code, 0);
  t.ok(existsSync(join(directory, "pushbox-data/pushbox.db.replaced")));
  const next = await startTestApp(t, { data });
  t.match(await next.ok("device/get", { pushId: "backup-device-1" }), { uid: "first" });
  await next.stop();
  // A stopped server's data can be copied just as well.
  t.equal((await runHere(directory, "backup", "stopped.db")).code, 0);
});

t.test("a backup that is none, and data that is not there", async (t) => {
  const directory = t.testdir({ "text.db": "no database ".repeat(500) });
  t.match(await runHere(directory, "restore", "text.db"), {
    code: 1,
    err: /^nothing was restored: text\.db is damaged or not a pushbox database: name another copy$/m,
  });
  t.notOk(existsSync(join(directory, "pushbox-data/pushbox.db")));
  t.match(await runHere(directory, "restore", "none.db"), { code: 1, err: /^nothing was restored: .*none\.db/ });
  t.match(await runHere(directory, "backup", "copy.db"), {
    code: 1,
    err: /^no backup was made: there is no .*pushbox-data\/pushbox\.db: name the data directory with --data\n$/,
  });
  writeFileSync(join(directory, "p.toml"), 'data = "from-the-file"');
  chmodSync(join(directory, "p.toml"), 0o600);
  t.match(await runHere(directory, "backup", "copy.db", "--config", "p.toml"), {
    code: 1,
    err: /from-the-file\/pushbox\.db/,
  });
});

t.test("D7: backup - writes to standard output, restore - reads from standard input", async (t) => {
  const directory = t.testdir({});
  const server = await startTestApp(t, { data: join(directory, "pushbox-data") });
  await server.ok("uid/bind", { pushId: "backup-device-1", uid: "somebody" });
  await server.stop();
  const pipe = `"$0" "$@" backup - | "$0" "$@" restore - --data other`;
  const done = spawnSync("bash", ["--norc", "-c", pipe, process.execPath, ...nodeArguments, main], {
    cwd: directory,
    env: { PATH: process.env["PATH"] },
    encoding: "utf8",
  });
  t.match(done, {
    status: 0,
    stdout: "other now holds what came on standard input\n",
    stderr: "./pushbox-data copied to standard output\n",
  });
  t.notOk(existsSync(join(directory, "-")));
  t.same(
    readdirSync(join(directory, "pushbox-data")).filter((name) => name.startsWith("backup")),
    [],
  );
  const restored = await startTestApp(t, { data: join(directory, "other") });
  t.match(await restored.ok("device/get", { pushId: "backup-device-1" }), { uid: "somebody" });
});
