// What the test of killed servers runs and kills: sockets over a store on disk, with events wanted and short times to come back.
import type { VendorTraits } from "../../src/core/traits.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { sockets } from "../support/sockets.ts";

const [, , dataDir = "", port = "0", delay = "0", grace = "0", traits = "[]"] = process.argv;
const fail = (error: unknown): never => {
  throw error;
};
const engine = await openLocalEngine({
  dataDir,
  synchronous: "NORMAL", // the process is killed, not the machine
  keep: { default: 10, prefixes: [] },
  arrivalDays: 30,
  vendors: JSON.parse(traits) as VendorTraits[],
  onFatal: fail,
});
await engine.events.want({ hooks: [], log: ["*"], topics: ["room:"], grace: Number(grace), keep: 3_600_000 });
const forEver = { teardown() {}, error: fail };
await sockets(forEver, engine, { port: Number(port), disconnectDelay: Number(delay), trustClientUid: true });
console.log("listening");
// Once it is asked: by then whoever was connected before is back, or is told of; the look is taken once a second.
process.stdin.once("data", () => setTimeout(() => console.log("settled"), Number(grace) + Number(delay) + 2000));
