// The storage thread without a thread: the store answers by the same messages, copied in the same way, from the test's own
// thread. Opening one takes milliseconds, where a thread first has to load its source.
import { MessageChannel, type Worker } from "node:worker_threads";
import { startFromSource } from "../../src/engine/local.ts";
import { serveStore, type ThreadData } from "../../src/engine/sqlite/thread.ts";

/** A backup, of a store on disk, is made by a thread of its own. */
export function withoutThread(data: ThreadData): Worker {
  if (data.task !== "store") return startFromSource(data);
  const { port1, port2 } = new MessageChannel();
  setImmediate(() => serveStore(port2, data)); // nobody listens yet
  port1.on("close", () => port1.emit("exit", 0));
  return port1 as unknown as Worker; // `postMessage` and the events that the engine listens to
}
