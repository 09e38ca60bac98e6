// A full disk: what must be stored is refused and says so, the rest works, and room heals it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { startTestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { RawClient } from "../support/clients.ts";
import { free, kill, messages, type Server, serve, start } from "../support/process.ts";
import { startReceiver } from "../support/receiver.ts";
import { eventually } from "../support/until.ts";

const keep = (server: Server, json: string) => server.call("push", { topic: "kept", json, timeToLive: "600000" });

/** A file system of 6 MB of its own, where this user may mount one. */
function smallDisk(t: Test): string | undefined {
  const disk = mkdtempSync(join(tmpdir(), "pushbox-test-"));
  t.teardown(() => rmSync(disk, { recursive: true, force: true }));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m", "pushbox-test", disk], { stdio: "ignore" });
  if (mounted.status !== 0) return undefined;
  t.teardown(() => spawnSync("umount", ["--lazy", disk], { stdio: "ignore" }));
  return disk;
}

/** It looks once a second whether there is room. */
const keptAgain = (server: Server) =>
  eventually(
    () => keep(server, "again"),
    ({ status }) => status === 200,
  );

/** Keeps messages until one is refused. */
async function untilFull(server: Server): Promise<{ readonly status: number; readonly text: string }> {
  const json = "x".repeat(100_000);
  for (let i = 0; i < 200; i++) {
    const answer = await server.call("push", { topic: `full${i}`, json, timeToLive: "600000" });
    if (answer.status !== 200) return answer;
  }
  throw new Error("20 MB were taken");
}

t.test(
  "no room left while it runs: what must be stored is refused and says so, the rest works, and room heals it",
  async (t) => {
    const disk = smallDisk(t);
    const directory = disk ?? t.testdir({});
    // Without a file system of its own, the size of its files is limited (in KiB).
    const server = await serve(t, directory, [], disk === undefined ? { limit: "-f 6000" } : {});
    const first = await keep(server, "stored");
    t.equal(first.status, 200);
    const refused = await untilFull(server);
    t.equal(refused.status, 503);
    t.match(refused.text, /pushbox\.db: free some disk space|could not be read or written.*check the disk/);
    t.match(refused.text, /until then only reading works/);
    t.equal((await server.call("push", { topic: "t", json: "1" })).status, 200, "nothing to store");
    t.equal((await server.call("stats/base", {})).status, 200);
    if (disk !== undefined) {
      spawnSync("mount", ["-o", "remount,size=40m", disk]);
      t.equal((await keep(server, "again")).status, 200, "there is room again");
    }
    const { code, err } = await server.stop();
    t.equal(code, 0);
    t.equal(err, "");
    await (await startTestApp(t, { data: join(directory, "pushbox-data") })).stop(); // no repair is needed
  },
);

/** The next hello of its devices has something to write. */
function longAgo(file: string): void {
  const db = new Database(file);
  db.exec("UPDATE devices SET update_time = 0");
  db.close();
}

function fill(disk: string): void {
  try {
    writeFileSync(join(disk, "ballast"), Buffer.alloc(8_000_000));
  } catch (error) {
    t.match(error, { code: "ENOSPC" });
  }
}

t.test(
  "D3, D4: a server that served before starts on a full disk, lets known devices in, and stores again once there is room",
  async (t) => {
    for (const end of ["SIGTERM", "SIGKILL"] as const) {
      const disk = smallDisk(t);
      if (disk === undefined) return t.pass("left out: this user may not mount a file system");
      const data = join(disk, "pushbox-data");
      const bound = { pushId: "device-of-the-full-disk", uid: "ann" };
      if (end === "SIGTERM") {
        const before = await startTestApp(t, { data });
        await before.ok("push", { topic: "kept", json: "before", timeToLive: 600_000 });
        await before.ok("uid/bind", bound);
        await before.stop();
        longAgo(join(data, "pushbox.db"));
      } else {
        const before = await serve(t, disk);
        t.equal((await keep(before, "before")).status, 200);
        await before.call("uid/bind", bound);
        await kill(before.child);
      }
      fill(disk);
      const server = await serve(t, disk);
      t.match(
        await server.printed(/only what needs no disk is served/),
        /no room left to write .*: free some disk space/,
      );
      const client = await RawClient.open(Number(new URL(server.clientUrl).port));
      client.emit("pushId", { id: "device-of-the-full-disk", topics: ["kept"], lastPacketIds: { kept: "0" } });
      t.match(await client.next('42["pushId"'), '"uid":"ann"');
      t.match(await client.next('42["p"'), "before", "what was kept is replayed");
      t.equal((await server.call("push", { topic: "kept", json: "1" })).status, 200, "nothing to store");
      t.equal(await client.next('42["p"'), '42["p",1]');
      t.match(await keep(server, "refused"), {
        status: 503,
        text: /free some disk space; until then only reading works/,
      });
      // Beside what else, once a second has gone by, could not be stored: the statistics.
      const said = (await server.printed(/until then only/))
        .split("\n")
        .filter((line) => /"level":"error"/.test(line) && !line.includes("statistics not stored"));
      t.equal(said.length, 1, `one line a minute: ${said.join("\n")}`);
      t.notMatch(said[0], /"stack"/);
      rmSync(join(disk, "ballast"));
      await keptAgain(server);
      await client.close();
      t.equal((await server.stop()).code, 0);
    }
  },
);

t.test(
  "events on a full disk: none is told twice for it, and with room again the backend learns who is here and who is not",
  async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return t.pass("left out: this user may not mount a file system");
    const receiver = await startReceiver(t);
    const { url, secret } = receiver;
    const hook = JSON.stringify({ name: "backend", url, secret, events: ["device.*"] });
    const server = await serve(t, disk, ["--hooks-tell", hook, "--client-disconnect-delay", "0"]);
    const port = Number(new URL(server.clientUrl).port);
    const come = async (name: string): Promise<RawClient> => {
      const client = await RawClient.open(port);
      await client.hello({ id: `${name}-0123456789` });
      return client;
    };
    const says = (name: string): string | undefined =>
      receiver.taken.findLast(({ key }) => key === `device:${name}-0123456789`)?.type;
    const ann = await come("ann");
    const bob = await come("bob");
    await receiver.takenAre(2);
    t.equal((await untilFull(server)).status, 503);
    await ann.close();
    const cat = await come("cat");
    for (let i = 0; i < 20; i++) await keep(server, "x".repeat(100_000)); // turns of the store, all of them refused
    spawnSync("mount", ["-o", "remount,size=40m", disk]);
    await keptAgain(server);
    while (says("ann") !== "device.offline" || says("cat") !== "device.online")
      await receiver.takenAre(receiver.taken.length + 1);
    t.equal(says("bob"), "device.online");
    t.equal(receiver.forged, 0);
    t.equal(new Set(receiver.taken.map(({ id }) => id)).size, receiver.taken.length, "each once");
    await Promise.all([bob.close(), cat.close()]);
    t.equal((await server.stop()).code, 0);
  },
);

t.test("no room at the first start: which file, and what to do", async (t) => {
  const disk = smallDisk(t);
  const directory = disk ?? t.testdir({});
  if (disk !== undefined) fill(disk);
  const args = ["serve", ...free];
  const { code, err } =
    disk === undefined ? await start(directory, args, { limit: "-f 8" }).ended : await runHere(directory, ...args);
  t.equal(code, 1);
  t.match(
    messages(err).at(-1),
    /no room left to write .*: free some disk space|the disk of .* is full: make room|could not be read or written/,
  );
  t.notMatch(err, /"stack"/);
});

t.test("files that may not grow: the same, for users who may not mount", async (t) => {
  const directory = t.testdir({});
  const server = await serve(t, directory, [], { limit: "-f 6000" });
  t.equal((await keep(server, "stored")).status, 200);
  const refused = await untilFull(server);
  t.equal(refused.status, 503);
  t.match(refused.text, /pushbox\.db.*until then only reading works/);
  t.equal((await server.call("push", { topic: "t", json: "1" })).status, 200);
  t.equal((await server.stop()).code, 0);
  t.same(
    readdirSync(join(directory, "pushbox-data")).filter((name) => name.endsWith(".db")),
    ["pushbox.db"],
  );
  await startTestApp(t, { data: join(directory, "pushbox-data") });
});
