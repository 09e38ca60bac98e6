// A port and its certificate. The one place that loads uWebSockets.js, so that its header limit is always set before.
import "./header-limit.ts";
import type { TemplatedApp, us_listen_socket } from "uWebSockets.js";
import * as uws from "uWebSockets.js";
import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { createSecureContext } from "node:tls";
import type { Gate } from "./gate.ts";

interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly passphrase?: string;
}

export interface Place {
  /** An address or a name; an IPv6 address with or without brackets. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls?: TlsFiles;
}

/** How uWS is asked for a port: alone (LIBUS_LISTEN_EXCLUSIVE_PORT), or together with other sockets that agree to share it. */
const EXCLUSIVE = 1;
const SHARED = 0;
type Sharing = typeof EXCLUSIVE | typeof SHARED;

/** Leaves the header that names the server and its version out of every answer. */
(uws as unknown as { _cfg(setting: "silent"): void })._cfg("silent");

export class Listeners {
  readonly #place: Place;
  readonly #route: (app: TemplatedApp) => void;
  readonly #gate: Gate;
  /** One for each certificate so far: connections stay with the one that accepted them. */
  readonly #apps: TemplatedApp[] = [];
  #address = "";
  #port = 0;
  #socket: us_listen_socket | undefined = undefined;
  /** Hash of the certificate and key in use. */
  #identity = "";

  /** @param route puts its routes on an app; called again for every new certificate */
  constructor(place: Place, gate: Gate, route: (app: TemplatedApp) => void) {
    this.#place = place;
    this.#gate = gate;
    this.#route = route;
  }

  /** Resolves with the port. Rejects with the reason, and its `code` as Node names it, when the port cannot be had. */
  async listen(): Promise<number> {
    const { host, port, tls } = this.#place;
    const identity = tls === undefined ? "" : await checked(tls);
    let socket: us_listen_socket | undefined;
    // A free port that was found may be taken by the time it is asked for: then another one is found.
    for (let tries = port === 0 ? 10 : 1; tries > 0 && socket === undefined; tries--) {
      ({ address: this.#address, port: this.#port } = await freePort(host, port));
      // A certificate to come needs a second socket on the port, which only sockets that share it can have.
      socket = this.#open(this.#sharing);
    }
    if (socket === undefined) {
      await freePort(host, this.#port); // knows the reason, when another was faster
      throw new Error(`cannot listen on ${host}:${this.#port}`);
    }
    this.#socket = socket;
    this.#identity = identity;
    return this.#port;
  }

  /**
   * New connections get the certificate that the files hold now; existing ones go on with theirs. Files that do not fit together
   * are refused and nothing changes; nor does anything when they are the same as before. The new socket listens before the old
   * one is closed, so the port is never free; only a connection that waits in the old socket's queue at that instant is reset.
   */
  async reloadTls(): Promise<void> {
    const { host, tls } = this.#place;
    if (tls === undefined) return;
    const identity = await checked(tls);
    const previous = this.#socket;
    if (previous === undefined || identity === this.#identity) return;
    const socket = this.#open(SHARED);
    if (socket === undefined) throw new Error(`cannot listen on ${host}:${this.#port} with the new certificate`);
    uws.us_listen_socket_close(previous);
    this.#socket = socket;
    this.#identity = identity;
  }

  /**
   * Accepts nothing for a while, or again: a port on which accept fails for want of a file keeps the loop busy. What waits in the
   * queue then is reset. False: the port could not be had again.
   */
  accept(on: boolean): boolean {
    const app = this.#apps.at(-1);
    if (app === undefined) return true; // never listened, or closed
    if (!on) this.stop();
    else if (this.#socket === undefined) this.#socket = this.#listen(app, this.#sharing);
    return !on || this.#socket !== undefined;
  }

  /** Accepts no more. */
  stop(): void {
    if (this.#socket !== undefined) uws.us_listen_socket_close(this.#socket);
    this.#socket = undefined;
  }

  /** Cuts off what is still connected. */
  close(): void {
    this.stop();
    for (const app of this.#apps) app.close();
    this.#apps.length = 0;
  }

  get #sharing(): Sharing {
    return this.#place.tls === undefined ? EXCLUSIVE : SHARED;
  }

  #open(sharing: Sharing): us_listen_socket | undefined {
    const { tls } = this.#place;
    const app =
      tls === undefined
        ? uws.App()
        : uws.SSLApp({
            cert_file_name: tls.certFile,
            key_file_name: tls.keyFile,
            ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }),
          });
    this.#gate.watch(app);
    this.#route(app);
    const socket = this.#listen(app, sharing);
    if (socket !== undefined) this.#apps.push(app);
    return socket;
  }

  #listen(app: TemplatedApp, sharing: Sharing): us_listen_socket | undefined {
    let socket: us_listen_socket | undefined;
    // Four arguments are possible; the published types have only the two halves. uWS calls back before `listen` returns.
    (
      app as unknown as {
        listen(host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void): void;
      }
    ).listen(this.#address, this.#port, sharing, (opened) => {
      socket = opened || undefined;
    });
    return socket;
  }
}

/**
 * The port itself, or a free one for 0, and the address that the host stands for. Node finds out: uWS tells no reasons, and a port
 * it finds itself stays taken for a minute after the process, since it then sets no SO_REUSEADDR.
 */
export function freePort(host: string, port: number): Promise<{ readonly address: string; readonly port: number }> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      const { code, message } = cause;
      const reason = code === "EADDRINUSE" ? "the port is in use (EADDRINUSE)" : message;
      reject(Object.assign(new Error(`cannot listen on ${host}:${port}: ${reason}`, { cause }), { code }));
    });
    probe.listen({ host: host.replace(/^\[|\]$/g, ""), port, exclusive: true }, () => {
      const bound = probe.address();
      probe.close(() => resolve(typeof bound === "object" && bound !== null ? bound : { address: host, port }));
    });
  });
}

/** Tells what is wrong with the files: uWS says nothing useful about a bad certificate, Node does. */
async function checked(tls: TlsFiles): Promise<string> {
  try {
    const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
    createSecureContext({ cert, key, ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }) });
    return hash("sha256", Buffer.concat([cert, key]));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot use the certificate ${tls.certFile} with the key ${tls.keyFile}: ${reason}`, { cause });
  }
}
