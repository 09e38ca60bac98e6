// The line between a client and the server: as slow as a test wants, and cut as lines are.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Test } from "tap";

/** `silent`: nothing gets through any more, and nobody is told. `reset`: both ends are told. */
export type Cut = "silent" | "reset";

export class Line {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #silent = false;
  /** Whether what the server says is lost, while it still hears the client. */
  deaf = false;
  /** Connections that it carried. */
  connections = 0;

  private constructor(port: number, bytesPerMs: number) {
    this.#server = createServer((near) => {
      this.connections++;
      const far = connect(port, "127.0.0.1");
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#sockets.delete(socket);
          if (!this.#silent) other.destroy();
        });
      }
      near.on("data", (data) => this.#silent || far.write(data));
      far.on("data", (data) => {
        if (this.#silent || this.deaf) return; // read all the same: the server takes it for sent
        near.write(data);
        if (bytesPerMs === Number.POSITIVE_INFINITY) return;
        far.pause();
        setTimeout(() => far.resume(), data.length / bytesPerMs);
      });
    });
  }

  /** @param bytesPerMs how much of what the server says goes through */
  static async open(t: Test, port: number, bytesPerMs = Number.POSITIVE_INFINITY): Promise<Line> {
    const line = new Line(port, bytesPerMs);
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    t.teardown(() => line.close());
    return line;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  cut(how: Cut): void {
    if (how === "silent") this.#silent = true;
    else for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.#silent = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
