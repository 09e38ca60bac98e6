// Copies made while the engine works, and putting them back.
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { CopyWork, Staged } from "../../src/core/copies.ts";
import { topicChannel } from "../../src/core/packet.ts";
import { backupData, checkBackup, restore, stage } from "../../src/engine/backup.ts";
import { openImport } from "../../src/engine/import.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { MIGRATIONS } from "../../src/engine/sqlite/schema.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { missed } from "../support/engine.ts";
import { withoutThread } from "../support/store-thread.ts";
import { packet, pushId } from "./steps.ts";

const T = 1_800_000_000_000;
/** @param quick without a thread */
const open = (dataDir: string, quick = false, onRestored?: (staged: Staged) => void): Promise<LocalEngine> =>
  openLocalEngine({
    dataDir,
    ...(quick ? { startThread: withoutThread } : {}),
    ...(onRestored === undefined ? {} : { onRestored }),
    synchronous: "NORMAL",
    keep: { default: 10, prefixes: [] },
    arrivalDays: 30,
    vendors: TRAITS,
    onFatal(error) {
      throw error;
    },
  });

for (const kind of ["on disk", "in memory"]) {
  t.test(`a backup made under load is one consistent moment (${kind})`, async (t) => {
    const dir = t.testdir();
    const copy = join(dir, "copy.db");
    const engine = await open(kind === "on disk" ? join(dir, "data") : ":memory:");
    await Promise.all(
      Array.from({ length: 3000 }, (_, i) => engine.devices.connect({ pushId: pushId(`d${i}`), tags: ["t"] }, T)),
    );
    let done = false;
    // Each step moves the packet and its mate together: a copy that has one without the other is no moment.
    const work = (async () => {
      for (let i = 0; !done; i++)
        await engine.broker.publish([
          { channel: topicChannel("left"), packet: packet(`p${i}`) },
          { channel: topicChannel("right"), packet: packet(`p${i}`) },
        ]);
    })();
    await engine.backup(copy);
    done = true;
    await work;
    t.match(checkBackup(copy), { file: copy, devices: 3000, format: MIGRATIONS.length, bytes: statSync(copy).size });
    t.equal(statSync(copy).mode & 0o777, 0o600);
    t.same(readdirSync(dir).sort(), kind === "on disk" ? ["copy.db", "data"] : ["copy.db"], "one plain file");
    await t.rejects(engine.backup(copy), { code: "invalid", message: /exists/ });
    await t.rejects(engine.backup(join(dir, "none", "copy.db")), { message: /none/ });
    await engine.close();

    restore(copy, join(dir, "restored"));
    const restored = await open(join(dir, "restored"));
    t.equal(await restored.devices.count(), 3000);
    const ids = async (topic: string): Promise<string[]> =>
      (await missed(restored, topicChannel(topic), { after: "0" }, T)).map(({ id }) => id);
    t.same(await ids("left"), await ids("right"));
    await restored.close();
  });
}

t.test("console: a login that was ended since does not come back with a backup; its user does", async (t) => {
  const dir = t.testdir();
  const [copy, dataDir] = [join(dir, "copy.db"), join(dir, "data")];
  const engine = await open(dataDir);
  const always = { begunAfter: 0, usedAfter: 0 };
  await engine.admins.openSetup({ id: "link", until: T + 1, role: "operator" });
  await engine.admins.useLink("link", { name: "ann", password: "hash", since: T });
  await engine.admins.begin("session", "ann", T, always);
  await engine.admins.openSetup({ id: "other", until: T + 1, role: "operator" });
  await engine.backup(copy);
  await engine.close();
  restore(copy, join(dir, "restored"));
  const { admins, close } = await open(join(dir, "restored"));
  t.match(await admins.user("ann"), { password: "hash" });
  t.equal(await admins.session("session", always), undefined);
  t.equal(await admins.link("other", T), undefined);
  await close();
});

t.test("restore does not touch a directory that has data or is in use, unless it is told to", async (t) => {
  const dir = t.testdir();
  const copy = join(dir, "copy.db");
  const dataDir = join(dir, "data");
  const engine = await open(dataDir);
  await engine.devices.connect({ pushId: pushId("before") }, T);
  await engine.backup(copy);
  await engine.devices.connect({ pushId: pushId("after") }, T);
  t.throws(() => restore(copy, dataDir, { force: true }), { code: "unavailable", message: /in use/ });
  await engine.close();
  t.throws(() => restore(copy, dataDir), { code: "invalid", message: /has data already/ });
  t.match(restore(copy, dataDir, { force: true }), { file: copy, devices: 1 });
  t.equal(checkBackup(join(dataDir, "pushbox.db.replaced")).devices, 2, "what was there is kept beside");
  const restored = await open(dataDir);
  t.equal(await restored.devices.count(), 1);
  await restored.close();
});

t.test(
  "a restore that is prepared while the store runs takes place at its next start, and loses nothing",
  async (t) => {
    const dir = t.testdir();
    const dataDir = join(dir, "data");
    const engine = await open(dataDir, true);
    const copies = engine.copies!;
    const ended = (task: "backup" | "check" | "restore", name?: string): Promise<CopyWork> =>
      new Promise((resolve, reject) => copies.begin(task, name, "ann", resolve).catch(reject));
    const connect = (name: string) => engine.devices.connect({ pushId: pushId(name) }, T);
    await connect("before");
    const { name } = await ended("backup");
    t.match(await copies.look(), {
      folder: join(dataDir, "backups"),
      copies: [{ name, bytes: statSync(join(dataDir, "backups", name)).size }],
      work: { task: "backup", who: "ann", ended: Number },
    });
    t.equal(statSync(join(dataDir, "backups")).mode & 0o777, 0o700);
    await connect("after");
    t.match(await ended("check", name), { content: { devices: 1, format: MIGRATIONS.length } });

    const [first, second] = [
      copies.begin("check", name, "ann", () => {}),
      copies.begin("check", name, "bob", () => {}),
    ];
    await t.rejects(second, { code: "conflict", message: /running/ });
    await first;
    while ((await copies.look()).work?.ended === undefined);
    for (const none of ["none.db", "../pushbox.db", "/etc/passwd"])
      await t.rejects(
        copies.begin("restore", none, "ann", () => {}),
        { code: "invalid", message: /there is no copy/ },
      );
    await t.rejects(copies.file("../data/pushbox.db"), { code: "invalid" });
    t.match(await copies.look(), { work: { task: "check", name } }, "what was refused is not what ran last");

    t.match(await ended("restore", name), { content: { devices: 1 } });
    t.match((await copies.look()).staged, { name, who: "ann", devices: 1 });
    t.equal(await copies.unstage(), true);
    t.equal((await copies.look()).staged, undefined);
    t.equal(await copies.unstage(), false);
    await ended("restore", name);
    t.equal(await engine.devices.count(), 2, "nothing has changed yet");
    t.throws(() => openImport(dataDir, "x"), { message: /in use/ });
    await engine.close();
    t.throws(() => openImport(dataDir, "x"), { code: "conflict", message: /is prepared to be restored/ });

    const restored: unknown[] = [];
    const next = await open(dataDir, true, (staged) => restored.push(staged));
    t.match(restored, [{ name, who: "ann", devices: 1 }]);
    t.equal(await next.devices.count(), 1);
    t.match((await next.copies?.look())?.copies[0], { name: "pushbox.db.replaced", replaced: true });
    const back = next.copies!;
    await new Promise((resolve) => back.begin("restore", "pushbox.db.replaced", "ann", resolve));
    await next.close();
    const again = await open(dataDir, true);
    t.equal(await again.devices.count(), 2, "and back");
    t.equal((await again.copies?.look())?.staged, undefined);
    await again.copies?.remove(name);
    t.same(
      (await again.copies?.look())?.copies.map((one) => one.name),
      ["pushbox.db.replaced"],
    );
    await again.close();
  },
);

t.test(
  "a prepared restore that is cut short at the start is done by the next one; what is damaged is not prepared",
  async (t) => {
    const dir = t.testdir();
    const dataDir = join(dir, "data");
    const engine = await open(dataDir, true);
    await engine.devices.connect({ pushId: pushId("before") }, T);
    const copies = engine.copies!;
    const ended = (task: "backup" | "restore", name?: string): Promise<CopyWork> =>
      new Promise((resolve, reject) => copies.begin(task, name, "ann", resolve).catch(reject));
    const { name } = await ended("backup");
    const file = join(dataDir, "backups", name);
    const good = readFileSync(file);
    writeFileSync(file, good.subarray(0, good.length / 2));
    t.match(await ended("restore", name), { error: /damaged|malformed|disk/ });
    t.equal((await copies.look()).staged, undefined);
    writeFileSync(file, good);
    await ended("restore", name);
    await engine.devices.connect({ pushId: pushId("after") }, T);
    await engine.close();
    // As a kill between the two renames leaves it.
    renameSync(join(dataDir, "pushbox.db"), join(dataDir, "pushbox.db.replaced"));
    const next = await open(dataDir, true);
    t.equal(await next.devices.count(), 1);
    await next.close();
    t.equal(checkBackup(join(dataDir, "pushbox.db.replaced")).devices, 2);

    await stage(file, dataDir, { name, who: "ann", at: T });
    restore(join(dataDir, "pushbox.db.replaced"), dataDir, { force: true });
    const last = await open(dataDir, true);
    t.equal(await last.devices.count(), 2, "what the command line restores stays");
    await last.close();
  },
);

t.test("a store that was restored or is new has another epoch: its seqs are others", async (t) => {
  const dir = t.testdir();
  const copy = join(dir, "copy.db");
  const epochs: string[] = [];
  async function look(dataDir: string): Promise<string> {
    const engine = await open(dataDir);
    const { epoch } = await engine.broker.backlog(topicChannel("t"), { after: "0" }, 1, T);
    if (!existsSync(copy)) await engine.backup(copy);
    await engine.close();
    epochs.push(epoch);
    return epoch;
  }
  const first = await look(join(dir, "data"));
  t.equal(await look(join(dir, "data")), first, "a restart changes nothing");
  restore(copy, join(dir, "data"), { force: true });
  await look(join(dir, "data"));
  restore(copy, join(dir, "other"));
  await look(join(dir, "other"));
  await look(join(dir, "new"));
  const older = join(dir, "older.db");
  openDatabase(older, "FULL", MIGRATIONS.slice(0, -1)).close();
  restore(older, join(dir, "updated"));
  const updated = await look(join(dir, "updated"));
  t.match(updated, /^[0-9a-f]{16}$/);
  t.equal(new Set(epochs).size, 5);
});

t.test("a backup that is damaged, foreign or missing is refused, and nothing is changed", async (t) => {
  const dir = t.testdir();
  const copy = join(dir, "copy.db");
  const target = join(dir, "target");
  const engine = await open(join(dir, "data"));
  await Promise.all(Array.from({ length: 500 }, (_, i) => engine.devices.connect({ pushId: pushId(`d${i}`) }, T)));
  await engine.backup(copy);
  await engine.close();
  const good = readFileSync(copy);

  const refused = (words: RegExp): void => {
    t.throws(() => checkBackup(copy), { message: words });
    t.throws(() => restore(copy, target), { message: words });
    t.notOk(existsSync(join(target, "pushbox.db")));
    t.same(existsSync(target) ? readdirSync(target) : ["lock"], ["lock"]);
  };
  truncateSync(copy, good.length - 4096);
  refused(/damaged/);
  const middle = Buffer.from(good);
  middle.fill(0x5a, 3 * 4096, 5 * 4096);
  writeFileSync(copy, middle);
  refused(/damaged/);
  writeFileSync(copy, "some text that is no database at all".repeat(100));
  refused(/damaged or not a pushbox database/);
  writeFileSync(copy, "");
  refused(/empty/);
  t.throws(() => restore(join(dir, "none"), target), { message: /does not exist/ });
  writeFileSync(copy, good);
  t.equal(restore(copy, target).devices, 500);
});

t.test("data that this user may not read is not called missing", async (t) => {
  const directory = t.testdir({ data: { "pushbox.db": "" } });
  const data = join(directory, "data");
  chmodSync(data, 0);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await t.rejects(backupData(data, join(directory, "copy.db")), {
      message: /^this user may not read .*pushbox\.db: run this as the user that the server runs as$/,
    });
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(data, 0o700);
  }
});
