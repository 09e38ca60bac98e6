// Notifications that do not wake anybody (api 3.2).
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { takeClock } from "../support/clock.ts";
import { deliveriesOf, device, type Fields, jobIn, notis } from "../support/devices.ts";

const NIGHT = Date.parse("2026-12-01T23:00:00Z");
const MORNING = Date.parse("2026-12-02T07:00:00Z");
const quiet = { quietHours: "22:00-08:00", timeZone: "Europe/Berlin", notification: { android: { title: "T" } } };

t.test("at night it waits for the morning, also through a restart, and is shown as deferred", async (t) => {
  const clock = takeClock(t);
  clock.move(NIGHT - Date.now());
  clock.hold();
  const data = t.testdir({});
  let server = await startTestApp(t, { data });
  const { id: pushId } = await device(t, server);
  const answer = await server.ok("notification", { ...quiet, pushId, timeToLive: "12h" });
  t.match(answer, { deferred: MORNING, deferredIso: "2026-12-02T07:00:00.000Z" });
  const { id } = answer;
  t.match(await jobIn(server, id, "deferred"), { deferred: MORNING, progress: { seen: 0 } });
  t.match(await server.ok("job/pause", { id }), { state: "paused" });
  t.match(await server.ok("job/resume", { id }), { state: "deferred" });
  await server.stop();
  server = await startTestApp(t, { data });
  t.match(await jobIn(server, id, "deferred"), { deferred: MORNING });
  clock.move(MORNING - NIGHT);
  const phone = await device(t, server);
  const byDay = await server.ok("notification", { ...quiet, pushId: phone.id, timeToLive: "1h" });
  t.notOk("deferred" in byDay);
  await jobIn(server, byDay["id"]);
  t.equal((await notis(phone.client)).length, 1, "by day it goes at once");
  await jobIn(server, id);
  t.match(await deliveriesOf(server, id), [{ pushId, state: "queued" }], "kept for the device, which is away");
});

t.test("to everybody, too: nothing is sent before the morning, then once", async (t) => {
  const clock = takeClock(t);
  clock.move(NIGHT - Date.now());
  clock.hold();
  const server = await startTestApp(t);
  const { client } = await device(t, server, { topics: ["noti"] });
  const { id } = await server.ok("notification", { ...quiet, pushAll: true, timeToLive: "12h" });
  t.match(await jobIn(server, id, "deferred"), { deferred: MORNING });
  t.same(await notis(client), []);
  clock.move(MORNING - NIGHT);
  await server.ok("notification", { pushId: "somebody-else", notification: quiet.notification });
  await jobIn(server, id);
  t.equal((await notis(client)).length, 1);
});

t.test("what does not live until then goes at once, or nowhere, as api.quiet_hours_else says", async (t) => {
  const clock = takeClock(t);
  clock.move(NIGHT - Date.now());
  for (const quietHoursElse of ["send", "drop"] as const) {
    const server = await startTestApp(t, { api: { quietHoursElse } });
    const { client, id: pushId } = await device(t, server);
    const answer = await server.ok("notification", { ...quiet, pushId, timeToLive: "1h" });
    t.equal(answer["dropped"], quietHoursElse === "drop" ? true : undefined);
    await jobIn(server, answer["id"]);
    const [record] = await deliveriesOf(server, answer["id"]);
    if (quietHoursElse === "send") t.equal((await notis(client)).length, 1);
    else {
      t.same(await notis(client), []);
      t.match(record as Fields, { state: "expired", reason: "its time to live ends within its quiet hours" });
    }
    await server.stop();
  }
});

t.test("a wrong zone or time is refused, and changes nothing", async (t) => {
  const server = await startTestApp(t);
  for (const [fields, message] of [
    [{ quietHours: "22-8" }, /quietHours must be two different times of the day, like 22:00-08:00/],
    [{ timeZone: "Berlin" }, /timeZone must be a name of the IANA time zone database, like Europe\/Berlin/],
  ] as const)
    t.match(await server.post("notification", { ...quiet, pushId: "somebody", ...fields }), {
      status: 400,
      body: { message },
    });
  const { notification } = quiet;
  t.match(await server.post("notification", { notification, timeZone: "UTC", pushId: "somebody" }), {
    status: 400,
    body: { message: "timeZone is that of quietHours, which is missing" },
  });
  t.same((await server.ok("stats/arrival/pushMany", {})) ?? [], []);
});
