// A way to another port of this machine that can be cut: then nothing comes through, and nobody is told.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Proxy {
  readonly port: number;
  /**
   * What is under way arrives when it is mended.
   * @param later also what connects from now on
   */
  cut(later?: boolean): void;
  mend(): void;
  close(): Promise<void>;
}

/** @param to a port of this machine, or a socket's path */
export async function openProxy(to: number | string): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const stopped = new Set<Socket>();
  /** Those whose other end has gone meanwhile. */
  const left = new Set<Socket>();
  let isCut = false;
  const stop = (socket: Socket): void => {
    stopped.add(socket);
    socket.pause();
  };
  const server = createServer((near) => {
    const far = typeof to === "string" ? connect(to) : connect(to, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      if (isCut) stop(one);
      one.on("data", (data) => {
        if (!other.write(data)) one.pause();
      });
      one.on("drain", () => {
        if (!stopped.has(other)) other.resume();
      });
      one.on("error", () => {}); // `close` follows
      one.on("close", () => {
        sockets.delete(one);
        if (stopped.delete(one)) left.add(other);
        else other.end();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { readonly port: number }).port,
    cut(later = true) {
      isCut = later;
      for (const socket of sockets) stop(socket);
    },
    mend() {
      isCut = false;
      stopped.clear();
      for (const socket of sockets) socket.resume();
      for (const socket of left) socket.end();
      left.clear();
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
