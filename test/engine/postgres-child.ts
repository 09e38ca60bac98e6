// A node that is killed: a device is connected to it.
import type { PushId } from "../../src/core/device.ts";
import { NOTHING_WANTED } from "../../src/core/events.ts";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";

const [url = "", pushId = ""] = process.argv.slice(2);
const engine = await openPostgresEngine({
  database: { url, schema: "pushbox" },
  node: "child",
  keep: { default: 10, prefixes: [] },
  arrivalDays: 1,
});
await engine.events.want({ ...NOTHING_WANTED, log: ["device.*"], grace: 0 });
await engine.devices.connect({ pushId: pushId as PushId }, Date.now());
process.stdout.write("connected\n");
