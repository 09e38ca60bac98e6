// Copies made while the engine works, and putting them back.
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { topicChannel } from "../../src/core/packet.ts";
import { checkBackup, restore } from "../../src/engine/backup.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local.ts";
import { MIGRATIONS, openDatabase } from "../../src/engine/sqlite/schema.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { missed } from "../support/engine.ts";
import { packet, pushId } from "./steps.ts";

const T = 1_800_000_000_000;
const open = (dataDir: string): Promise<LocalEngine> =>
  openLocalEngine({
    dataDir,
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
