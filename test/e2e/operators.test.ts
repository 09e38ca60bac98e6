// What the console and those who look after a server ask of it.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { device, eventually, type Fields, jobIn } from "../support/devices.ts";

const notification = { android: { title: "T" } };

t.test("console: curves of every key by hour and day, arrivals by type, both as CSV", async (t) => {
  const server = await startTestApp(t);
  const { client, id: pushId } = await device(t, server, { platform: "android" });
  client.emit("stats", { requestStats: [{ path: "=HYPERLINK(1)", totalCount: 4, successCount: 3, totalLatency: 60 }] });
  for (const id of ["n1", "n2"]) {
    await server.ok("notification", { notification: { ...notification, id }, pushId, type: "news" });
    await jobIn(server, id);
  }
  client.emit("notificationReply", { id: "n1" });
  const { types } = await eventually(
    async () => {
      await server.app.settled();
      return server.ok("stats/types", { days: 2 });
    },
    ({ types }) => (types as Fields[]).some(({ arrive }) => arrive === 1),
  );
  t.match(types, [
    {
      type: "news",
      notifications: 2,
      target: 2,
      arrive: 1,
      click: 0,
      arrivalRate: "50.00%",
      days: [{ notifications: 2 }],
    },
  ]);

  const { series, step, from } = await server.ok("stats/series", { days: 1 });
  const line = (series as Fields[]).find(({ key }) => key === "=HYPERLINK(1)") as Record<string, number[]>;
  t.equal(step, 3_600_000);
  t.equal(line["count"]?.length, 24);
  t.match(
    { ...line, rate: undefined },
    { count: { 23: 4 }, success: { 23: 3 }, error: { 23: 0 }, latency: { 23: 20 } },
    "the current hour is the last",
  );
  t.ok(Number(from) + 23 * Number(step) <= Date.now());
  t.notMatch(await server.ok("stats/getQueryDataKeys", {}), /live:/);
  const day = await server.ok("stats/series", { key: "call:/notification", days: 30, by: "day" });
  t.equal(((day["series"] as Fields[])[0] as Record<string, number[]>)["count"]?.at(-1), 2);

  const text = async (path: string) => (await fetch(`${server.apiUrl}/api/${path}`)).text();
  const rows = (await text("stats/series?days=1&format=csv")).split("\r\n");
  t.equal(rows[0], "time,key,count,success,error,rate_per_second,latency_ms,success_rate");
  t.ok(
    rows.some((row) => /^\d{4}-\d\d-\d\dT\d\d:00:00.000Z,'=HYPERLINK\(1\),4,3,0,[\d.]+,20,0.75$/.test(row)),
    "what a spreadsheet would take for a formula is text",
  );
  t.match(await text("stats/types?format=csv"), /^day,type,.*\r\n\d{4}-\d\d-\d\d,news,2,2,0,1,0,0\r\n$/);
  for (const [fields, message] of [
    [{ by: "week" }, "by must be hour or day"],
    [{ format: "xls" }, "format must be json or csv"],
    [{ days: 31 }, "days must be a whole number from 1 to 30"],
  ] as const)
    t.match(await server.post("stats/series", fields), { status: 400, body: { message } });
});
