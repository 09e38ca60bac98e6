// The audit log while the store takes nothing: what the operator is told.
import t from "tap";
import { createAudit } from "../../src/app/audit.ts";
import type { AuditEntry } from "../../src/core/audit.ts";

const entry = (action: string): AuditEntry => ({
  ...{ time: 0, address: "127.0.0.1", action, what: "{}", status: 200, requestId: "r" },
});

function auditLog() {
  const stored: string[] = [];
  const told: unknown[] = [];
  const store = { takes: true, room: Number.POSITIVE_INFINITY };
  const audit = createAudit(
    {
      async add(entries) {
        if (!store.takes || stored.length + entries.length > store.room) throw new Error("no room");
        stored.push(...entries.map(({ action }) => action));
      },
      list: async () => [],
    },
    { failed: (error) => told.push((error as Error).message), lost: (entries) => told.push(entries) },
  );
  return { audit, store, stored, told };
}

t.test("what a full disk kept from the audit log is stored later; what was too much is told", async (t) => {
  const { audit, store, stored, told } = auditLog();
  store.takes = false;
  for (let i = 0; i < 10_003; i++) audit.add(entry(`/${i}`));
  await audit.flush();
  await audit.flush();
  t.strictSame(told, ["no room"], "once, however often it is tried");
  store.takes = true;
  await audit.flush();
  t.equal(stored.length, 10_000);
  t.equal(stored[0], "/0", "the oldest were kept");
  t.strictSame(told, ["no room", 3]);
  await audit.stop();
  t.strictSame(told, ["no room", 3], "and told once");
});

t.test("entries that no store takes before the end are told as lost", async (t) => {
  const { audit, store, stored, told } = auditLog();
  audit.add(entry("/job/cancel"));
  const flushed = audit.flush();
  store.takes = false;
  audit.add(entry("/device/delete"));
  await audit.stop();
  await flushed;
  t.strictSame([stored, told], [[], ["no room", 2]]);
});

t.test("what was stored before the store took no more is in the log once", async (t) => {
  const { audit, store, stored } = auditLog();
  for (let i = 0; i < 250; i++) audit.add(entry(`/${i}`));
  store.room = 130;
  await audit.flush();
  const before = stored.length;
  store.room = Number.POSITIVE_INFINITY;
  await audit.flush();
  t.ok(before > 0 && before < 250, `${before} first`);
  t.strictSame(
    stored,
    Array.from({ length: 250 }, (_, i) => `/${i}`),
  );
});
