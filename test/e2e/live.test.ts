// What happened in the last seconds, as a chart asks for it.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { device, type Fields } from "../support/devices.ts";
import { eventually } from "../support/until.ts";

t.test("a push and a client that came are in the figures of the last seconds", async (t) => {
  const server = await startTestApp(t);
  await device(t, server, { topics: ["news"] });
  await server.ok("push", { topic: "news", json: "1" });
  const values = await eventually(
    async () =>
      ((await server.ok("stats/live", {}))["seconds"] as { values: Record<string, (number | null)[]> }).values,
    ({ packets }) => packets!.some((count) => count !== null && count > 0),
  );
  t.equal(values["packets"]?.length, 60);
  t.equal(values["connections"]?.at(-1), 1);
  t.equal(values["sessions"]?.at(-1), 1);
  t.ok(values["apiCalls"]?.some((count) => count !== null && count > 0));
  const only = await server.ok("stats/live", { seconds: 0, minutes: 3 });
  t.notOk("seconds" in only);
  t.equal(((only["minutes"] as Fields)["values"] as Record<string, unknown[]>)["packets"]?.length, 3);
});
