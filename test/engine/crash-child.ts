// The process that crash.test.ts kills: stores what it can and says what was answered. argv: data directory,
// file for the answers, number of the run, the vendors' traits: the vendors themselves would take half of its start.
import { openSync, writeSync } from "node:fs";
import type { PushId, Uid } from "../../src/core/device.ts";
import { deviceChannel } from "../../src/core/packet.ts";
import type { VendorTraits } from "../../src/core/traits.ts";
import { openLocalEngine } from "../../src/engine/local.ts";

const [, , dataDir = "", answers = "", run = "", traits = "[]"] = process.argv;
const engine = await openLocalEngine({
  dataDir,
  synchronous: "FULL",
  keep: { default: 10, prefixes: [] },
  arrivalDays: 30,
  vendors: JSON.parse(traits) as VendorTraits[],
  onFatal(error) {
    throw error;
  },
});

const file = openSync(answers, "a");
/** Given to the system at once, so it is read even if the next moment is the last. */
const say = (line: string): void => void writeSync(file, `${line}\n`);
console.log("open");

const note = (id: string) => ({
  id,
  content: { android: { title: id, payload: {} } },
  timeToLive: 0,
  type: "crash",
  acceptedAt: Date.now(),
  callerAddress: "",
});

async function caller(name: string): Promise<never> {
  for (let n = 0; ; n++) {
    const id = `${run}-${name}-${n}`;
    const pushId = `crash-device-${id}` as PushId;
    const packet = { event: "p", id, body: "{}", expires: Date.now() + 3_600_000 } as const;
    switch (n % 5) {
      case 0:
        await engine.broker.publish([{ channel: deviceChannel(pushId), packet }]);
        say(`packet ${pushId} ${id}`);
        break;
      case 1:
        await engine.devices.bind({ pushId, uid: `uid-${id}` as Uid, platformLimit: 1, timeToLive: 0 }, Date.now());
        say(`bind ${pushId} uid-${id}`);
        break;
      case 2:
        await engine.devices.connect({ pushId, tags: [id], token: { type: "fcm", token: id } }, Date.now());
        say(`device ${pushId} ${id}`);
        break;
      case 3: {
        await engine.outbox.accept(note(id), { kind: "pushIds", pushIds: [pushId] });
        const [job] = await engine.outbox.jobs({ id }, 1, Date.now());
        const lane = { vendor: "fcm", app: name };
        const devices = [{ pushId, via: { lane, type: "fcm", token: id } }];
        const page = { parcels: [], devices, counts: {}, seen: 1, skipped: 0, routes: {} };
        await engine.outbox.expand(job?.job ?? 0, undefined, page, Date.now());
        const { deliveries } = await engine.outbox.claim(lane, 10, Date.now(), 60_000);
        const results = deliveries.map((delivery) => {
          const receipt = `receipt-${delivery.token}`;
          return { delivery, kind: "accepted", receipt, counters: ["accepted_fcm"] } as const;
        });
        await engine.outbox.settle(results, Date.now());
        for (const { token } of deliveries) say(`settled ${pushId} ${token}`);
        break;
      }
      default:
        await engine.outbox.accept(note(id), { kind: "all" });
        say(`notification ${pushId} ${id}`);
    }
  }
}
await Promise.all(Array.from({ length: 40 }, (_, i) => caller(`c${i}`)));
