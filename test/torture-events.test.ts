// What a backend is told is right in the end, however often the server is killed. The same at full size: npm run torture -- --events.
import t from "tap";
import { tortureEvents } from "../scripts/torture/events.ts";

t.test(
  "integration 3: 4 kills of a server that tells a backend: its last word is right, nothing is lost, order per key",
  async (t) => {
    const result = await tortureEvents({
      directory: t.testdir(),
      kills: 4,
      devices: 20,
      seed: 1,
      absent: false,
      limit: 240_000,
      tell: (line) => t.comment(line),
    });
    t.strictSame(result.problems, []);
    t.strictSame(result.serverErrors, []);
    t.equal(result.kills, 4);
    t.ok(result.taken > 40, `${result.taken} events`);
    t.ok(result.types.has("client.packet") && result.types.has("device.online"), [...result.types.keys()].join(", "));
  },
);
