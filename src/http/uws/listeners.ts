// A port and its certificate. The one place that loads uWebSockets.js, so that its header limit is always set before.
import "./header-limit.ts";
import type { TemplatedApp, us_listen_socket } from "uWebSockets.js";
import * as uws from "uWebSockets.js";
import { hash, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { createSecureContext } from "node:tls";
import type { Gate } from "./gate.ts";

interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly passphrase?: string;
  /** They may come later: until then nobody is listened to. */
  readonly awaited?: boolean;
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

/** One port. The gate sees its connections whatever certificate they came by. */
export class Listeners {
  readonly #place: Place;
  readonly #route: (app: TemplatedApp) => void;
  readonly #gate: Gate;
  /** One for each certificate so far: connections stay with the one that accepted them. */
  readonly #apps: TemplatedApp[] = [];
  #address = "";
  #port = 0;
  #socket: us_listen_socket | undefined = undefined;
  #certificate: Checked | undefined = undefined;
  /** Connections are wanted: it listens, or does as soon as there is a certificate. */
  #accepts = false;

  /** @param route puts its routes on an app; called again for every new certificate */
  constructor(place: Place, gate: Gate, route: (app: TemplatedApp) => void) {
    this.#place = place;
    this.#gate = gate;
    this.#route = route;
  }

  /** When the certificate in use expires, epoch milliseconds. */
  get expires(): number | undefined {
    return this.#certificate?.expires;
  }

  /** Resolves with the port. Rejects with the reason, and its `code` as Node names it, when the port cannot be had. */
  async listen(): Promise<number> {
    const { host, port } = this.#place;
    const certificate = await this.#stored();
    this.#accepts = true;
    // A free port that was found may be taken by the time it is asked for: then another one is found.
    for (let tries = port === 0 ? 10 : 1; ; tries--) {
      ({ address: this.#address, port: this.#port } = await freePort(host, port));
      try {
        if (certificate !== "none") await this.#take(certificate);
        return this.#port;
      } catch (error) {
        this.#port = 0;
        if (tries === 1) throw error;
      }
    }
  }

  /**
   * New connections get the certificate that the files hold now; existing ones go on with theirs. Files that do not fit together
   * are refused and nothing changes; nor does anything when they are the same as before. The new socket listens before the old
   * one is closed, so the port is never free; only a connection that waits in the old socket's queue at that instant is reset.
   */
  async reloadTls(): Promise<void> {
    if (this.#place.tls === undefined) return;
    const certificate = await this.#stored();
    if (certificate === "none" || certificate === undefined) return;
    if (this.#port === 0 || certificate.identity === this.#certificate?.identity) return;
    await this.#take(certificate);
  }

  /**
   * Accepts nothing for a while, or again: a port on which accept fails for want of a file keeps the loop busy. What waits in the
   * queue then is reset. False: the port could not be had again.
   */
  accept(on: boolean): boolean {
    const app = this.#apps.at(-1);
    if (this.#port === 0) return true; // never listened, or closed
    this.#accepts = on;
    if (!on) this.#closeSocket();
    else if (app !== undefined && this.#socket === undefined) this.#socket = this.#listen(app, this.#sharing);
    return !on || app === undefined || this.#socket !== undefined;
  }

  /** Accepts no more. */
  stop(): void {
    this.#closeSocket();
    this.#port = 0;
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

  /** What the files hold; undefined without TLS, "none" while they are awaited. */
  async #stored(): Promise<Checked | "none" | undefined> {
    const { tls } = this.#place;
    if (tls === undefined) return undefined;
    return tls.awaited === true && !existsSync(tls.certFile) ? "none" : await checked(tls);
  }

  /** An app of its own for the certificate, and the port to it. */
  async #take(certificate: Checked | undefined): Promise<void> {
    const { host, tls } = this.#place;
    const app = this.#app();
    if (this.#accepts) {
      // A certificate to come needs a second socket on the port, which only sockets that share it can have.
      const socket = this.#listen(app, this.#sharing);
      if (socket === undefined) {
        app.close();
        if (this.#socket === undefined) await freePort(host, this.#port); // knows the reason, when another was faster
        throw new Error(
          `cannot listen on ${host}:${this.#port}${tls === undefined ? "" : " with the new certificate"}`,
        );
      }
      this.#closeSocket();
      this.#socket = socket;
    }
    this.#apps.push(app);
    this.#certificate = certificate;
  }

  #closeSocket(): void {
    if (this.#socket !== undefined) uws.us_listen_socket_close(this.#socket);
    this.#socket = undefined;
  }

  #app(): TemplatedApp {
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
    return app;
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

interface Checked {
  /** Hash of certificate and key. */
  readonly identity: string;
  /** Epoch milliseconds. */
  readonly expires: number;
}

/** Tells what is wrong with the files: uWS says nothing useful about a bad certificate, Node does. */
async function checked(tls: TlsFiles): Promise<Checked> {
  try {
    const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
    createSecureContext({ cert, key, ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }) });
    return {
      identity: hash("sha256", Buffer.concat([cert, key])),
      expires: Date.parse(new X509Certificate(cert).validTo),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot use the certificate ${tls.certFile} with the key ${tls.keyFile}: ${reason}`, { cause });
  }
}
