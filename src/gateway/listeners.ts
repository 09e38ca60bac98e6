// The port and the certificate: uWS apps that listen, and how one takes the place of another.

import { App, SSLApp, type TemplatedApp, type us_listen_socket, us_listen_socket_close } from "uWebSockets.js";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { createSecureContext } from "node:tls";
import type { GatewayOptions } from "./gateway.ts";

/** How uWS is asked for a port: alone, or together with other sockets that agree to share it. */
const EXCLUSIVE = 1;
const SHARED = 0;

/** One uWS app. A renewed certificate brings a new one; the old one goes when its last websocket has gone. */
export interface Listener {
  readonly app: TemplatedApp;
  socket: us_listen_socket | undefined;
  websockets: number;
}

export class Listeners {
  /** Those that have websockets, or may get some. */
  readonly apps = new Set<TemplatedApp>();
  readonly #options: Pick<GatewayOptions, "host" | "port" | "tls">;
  readonly #route: (listener: Listener) => void;
  readonly #all = new Set<Listener>();
  #current: Listener | undefined = undefined;
  #port = 0;
  #stopped = false;

  /** @param route puts its routes on an app */
  constructor(options: Pick<GatewayOptions, "host" | "port" | "tls">, route: (listener: Listener) => void) {
    this.#options = options;
    this.#route = route;
  }

  async listen(): Promise<number> {
    const { host, port, tls } = this.#options;
    this.#port = port === 0 ? await freePort(host) : port;
    let listener = this.#build();
    await this.#bind(listener, EXCLUSIVE);
    if (tls !== undefined) {
      // A renewed certificate needs a second socket on the port, which only sockets that share it can have. Taking it alone
      // first has shown that nobody else does.
      this.#unbind(listener);
      listener = this.#build();
      await this.#bind(listener, SHARED);
    }
    this.#current = listener;
    return this.#port;
  }

  async reloadTls(): Promise<void> {
    const { tls } = this.#options;
    if (tls === undefined || this.#current === undefined) return;
    const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
    createSecureContext({ cert, key, ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }) });
    if (this.#stopped) return;
    const next = this.#build();
    await this.#bind(next, SHARED);
    this.#unbind(this.#current);
    this.#current = next;
  }

  /** Accepts no more. */
  stop(): void {
    this.#stopped = true;
    for (const { socket } of this.#all) if (socket !== undefined) us_listen_socket_close(socket);
    for (const listener of this.#all) listener.socket = undefined;
  }

  /** Cuts off what is still connected. */
  close(): void {
    for (const { app } of this.#all) app.close();
    this.#all.clear();
    this.apps.clear();
  }

  /** Forgets one that accepts no more and has no websocket left. */
  retire(listener: Listener): void {
    if (listener.socket !== undefined || listener.websockets > 0 || this.#stopped) return;
    this.#all.delete(listener);
    this.apps.delete(listener.app);
  }

  #build(): Listener {
    const { tls } = this.#options;
    const app =
      tls === undefined
        ? App()
        : SSLApp({
            cert_file_name: tls.certFile,
            key_file_name: tls.keyFile,
            ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }),
          });
    const listener: Listener = { app, socket: undefined, websockets: 0 };
    this.#route(listener);
    this.#all.add(listener);
    this.apps.add(app);
    return listener;
  }

  async #bind(listener: Listener, sharing: typeof EXCLUSIVE | typeof SHARED): Promise<void> {
    const { host } = this.#options;
    // Four arguments are possible; the published types have only the two halves.
    const app = listener.app as unknown as {
      listen(host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void): void;
    };
    const socket = await new Promise<us_listen_socket | false>((done) => app.listen(host, this.#port, sharing, done));
    if (socket === false) {
      this.retire(listener);
      await freePort(host, this.#port);
      throw new Error(`cannot listen on ${host}:${this.#port}`);
    }
    listener.socket = socket;
  }

  #unbind(listener: Listener): void {
    if (listener.socket !== undefined) us_listen_socket_close(listener.socket);
    listener.socket = undefined;
    this.retire(listener);
  }
}

/**
 * A port that can be listened on; rejects with the reason when it cannot. Node finds it: uWS tells no reasons, and a port it
 * finds itself stays taken for a minute after the process.
 */
function freePort(host: string, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const attempt = createServer();
    attempt.once("error", reject);
    attempt.listen({ host, port, exclusive: true }, () => {
      const address = attempt.address();
      attempt.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
    });
  });
}
