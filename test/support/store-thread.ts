// The storage thread without a thread: the store answers by the same messages, copied in the same way, from the test's own
// thread. Opening one takes milliseconds, where a thread first has to load its source.
import { MessageChannel, type Worker } from "node:worker_threads";
import { runThread, serveStore, type ThreadData } from "../../src/engine/sqlite/thread.ts";

export function withoutThread(data: ThreadData): Worker {
  const { port1, port2 } = new MessageChannel();
  // Nobody listens yet.
  setImmediate(() => (data.task === "store" ? serveStore(port2, data) : runThread(port2, data)));
  port1.on("close", () => port1.emit("exit", 0));
  return port1 as unknown as Worker; // `postMessage` and the events that the engine listens to
}
