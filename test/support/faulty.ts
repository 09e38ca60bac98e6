// The way between a client and a server, which breaks as it is told: TCP, whatever runs over it.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Test } from "tap";

export interface Faulty {
  readonly url: string;
  /** Where the server is now. */
  target: number;
  /** Refuses everybody; or only those who ask for a websocket, as some proxies do. */
  refuses: "nobody" | "websockets" | "everybody";
  /** Passes nothing on, and says nothing: a network that went without a word. */
  silent: boolean;
  /** Ends every connection, in the middle of whatever it carries. */
  cut(): void;
}

export async function openFaulty(t: Test, target: number): Promise<Faulty> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (faulty.refuses === "everybody") {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(faulty.target, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      let first = from === client;
      from.on("data", (data) => {
        if (first && faulty.refuses === "websockets" && data.includes("transport=websocket")) client.destroy();
        first = false;
        if (!faulty.silent) to.write(data);
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        if (!faulty.silent) to.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const faulty: Faulty = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target,
    refuses: "nobody",
    silent: false,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
  };
  t.teardown(() => {
    faulty.silent = false;
    faulty.cut();
    server.close();
  });
  return faulty;
}
