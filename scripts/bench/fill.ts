// Fills an empty data directory with devices, as if that many had connected: node scripts/bench/fill.ts DIRECTORY COUNT [TYPE]
// TYPE: each has a token of it, its number in 64 hexadecimal digits.
import type { PushId } from "../../src/core/device.ts";
import { openLocalEngine } from "../../src/engine/local.ts";

const [dataDir, count, type] = process.argv.slice(2);
const BATCH = 5000;

const engine = await openLocalEngine({
  dataDir: dataDir!,
  synchronous: "NORMAL",
  keep: { default: 10, prefixes: [] },
  arrivalDays: 30,
  onFatal: (error) => {
    throw error;
  },
});
for (let from = 0; from < Number(count); from += BATCH) {
  const batch = Array.from({ length: Math.min(BATCH, Number(count) - from) }, (_, i) => {
    const pushId = `device${String(from + i).padStart(10, "0")}` as PushId;
    const token = type === undefined ? {} : { token: { type, token: (from + i).toString(16).padStart(64, "0") } };
    return engine.devices.connect({ pushId, platform: "android", tags: ["everyone", "v_1.0"], ...token }, Date.now());
  });
  await Promise.all(batch);
}
await engine.close();
