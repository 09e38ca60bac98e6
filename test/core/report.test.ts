// Statistics on their way to the store.
import t from "tap";
import type { PushId } from "../../src/core/device.ts";
import type { Counters, Evidence, Sample } from "../../src/core/engine.ts";
import { createReport } from "../../src/core/report.ts";

/** A store that remembers, and takes what `takes` names. */
function store() {
  const added: Sample[] = [];
  const arrived: Evidence[] = [];
  const takes = { samples: true, evidence: true };
  const counters: Counters = {
    add: async (samples) => {
      if (!takes.samples) throw new Error("samples: disk full");
      added.push(...samples);
    },
    arrived: async (evidence) => {
      if (!takes.evidence) throw new Error("evidence: disk full");
      arrived.push(...evidence);
    },
    chart: async () => [],
    keys: async () => [],
    arrivals: async () => [],
    arrivalTypes: async () => [],
    arrivalDays: async () => ({ days: [], complete: true }),
  };
  return { counters, added, arrived, takes };
}

const evidence = (id: string): Evidence => ({ id, pushId: "device-one" as PushId, counter: "arrive_android" });

t.test("what is counted under one key is stored as one sum", async (t) => {
  const { counters, added } = store();
  const report = createReport(
    counters,
    () => 0,
    (error) => t.fail(String(error)),
  );
  report.count("call:/push", { success: 1 });
  report.count("noti", { success: 1, latency: 30 });
  report.count("call:/push", { success: 1 });
  await report.stop();
  t.same(added, [
    { key: "call:/push", total: 0, success: 2, error: 0, latency: 0 },
    { key: "noti", total: 0, success: 1, error: 0, latency: 30 },
  ]);
});

t.test("what could not be stored is tried again, only that, and its failure is told once", async (t) => {
  const { counters, added, arrived, takes } = store();
  const failures: unknown[] = [];
  const report = createReport(
    counters,
    () => 0,
    (error) => failures.push(error),
  );
  takes.samples = false;
  report.count("call:/heap", { success: 1 });
  report.evidence(evidence("n1"));
  await report.flush();
  report.count("call:/heap", { success: 1 });
  await report.flush();
  t.equal(failures.length, 1);
  t.equal(arrived.length, 1);
  takes.samples = true;
  await report.flush();
  t.match(added, [{ key: "call:/heap", success: 2 }]);
  takes.evidence = false;
  report.evidence(evidence("n2"));
  await report.flush();
  report.evidence(evidence("n3"));
  takes.evidence = true;
  await report.flush();
  t.same(
    arrived.map(({ id }) => id),
    ["n1", "n2", "n3"],
  );
  t.equal(failures.length, 2);
  takes.samples = false;
  report.count("lost", { total: 1 });
  await report.stop();
  t.equal(failures.length, 3, "the end is told");
});

t.test("D24: a client counts under keys of its own, not under those of the server", async (t) => {
  const { counters, added } = store();
  const report = createReport(
    counters,
    () => 0,
    (error) => t.fail(String(error)),
    ["apn", "xiaomi"],
  );
  report.count("toClientPacket", { total: 1 });
  for (const key of ["toClientPacket", "noti", "call:/push", "live:opened", "bindUid", "apn", "xiaomi"])
    report.countForClient(key, { total: 1e12, success: 1e12 });
  report.countForClient("Connectivity", { total: 2, success: 1 });
  await report.stop();
  t.same(
    added.map(({ key, total }) => [key, total]),
    [
      ["toClientPacket", 1],
      ["Connectivity", 2],
    ],
  );
});

t.test("while nothing is stored, what waits is bounded", async (t) => {
  const { counters, arrived, takes } = store();
  const report = createReport(
    counters,
    () => 0,
    () => undefined,
  );
  takes.evidence = false;
  for (let i = 0; i < 150_000; i++) report.evidence(evidence(`n${i}`));
  for (let i = 0; i < 1500; i++) report.countForClient(`key${i}`, { total: 1 });
  await report.flush();
  takes.evidence = true;
  await report.stop();
  t.equal(arrived.length, 100_000);
  t.equal(arrived[0]?.id, "n0");
});
