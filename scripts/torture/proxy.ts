// A way to another port of this machine that can be cut: then nothing comes through, and nobody is told.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Proxy {
  readonly port: number;
  /** What is under way arrives when it is mended. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function openProxy(to: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      if (isCut) one.pause();
      one.on("data", (data) => {
        if (!other.write(data)) one.pause();
      });
      one.on("drain", () => {
        if (!isCut) other.resume();
      });
      one.on("error", () => {}); // `close` follows
      one.on("close", () => {
        sockets.delete(one);
        if (!isCut) other.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { readonly port: number }).port,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
