// A listening port: hands each request to the site, and ends in good order.

import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { addressList } from "./address.ts";
import type { Framing, Traffic } from "./exchange.ts";
import { Exchange } from "./exchange.ts";
import type { Site } from "./message.ts";
import { Head, HttpError } from "./message.ts";
import { freePort } from "./port.ts";
import type { ListenSocket } from "./uws.ts";
import { App, closeListenSocket, listen, SSLApp } from "./uws.ts";

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly passphrase?: string;
}

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls?: TlsFiles;
  /** Bytes, before and after inflating. */
  readonly maxBody: number;
  /** Milliseconds from the head to the last byte of the body. (A body that stands still for 10 s is cut off by uWS anyway.) */
  readonly bodyTimeout: number;
  /** Addresses and networks whose X-Forwarded-For or X-Real-IP is believed. */
  readonly trustedProxies: readonly string[];
}

export interface HttpServer {
  /** The port. Fails when it is taken. */
  listen(): Promise<number>;
  /**
   * New connections get the certificate that the files hold now; existing ones go on with theirs. Files that do not fit
   * together are refused and nothing changes. The new socket listens before the old one is closed, so the port is never free;
   * only a connection that waits in the old socket's queue at that instant is reset.
   */
  reloadTls(): Promise<void>;
  /** Stops accepting, waits until the running requests are answered, closes the idle connections. */
  close(): Promise<void>;
}

export function createServer(options: HttpOptions, site: Site): HttpServer {
  const trusted = addressList(options.trustedProxies);
  /** Apps of earlier certificates stay until their last connection ends, at the latest until `close`. */
  const apps: TemplatedApp[] = [];
  let socket: ListenSocket | undefined;
  let port = options.port;
  let drained: (() => void) | undefined;
  let closed: Promise<void> | undefined;
  let sweeper: NodeJS.Timeout | undefined;

  const traffic: Traffic = {
    site,
    maxBody: options.maxBody,
    maxBuffered: 4 * options.maxBody,
    buffered: 0,
    reading: new Set(),
    running: 0,
    closing: false,
    ended() {
      if (traffic.closing && traffic.running === 0) drained?.();
    },
  };

  function serve(response: HttpResponse, request: HttpRequest): void {
    try {
      handle(response, request);
    } catch (error) {
      // Only a bug of the site gets here, like an answer that is none. uWS would end the process with it.
      site.failure(error);
      response.close();
    }
  }

  function handle(response: HttpResponse, request: HttpRequest): void {
    const head = new Head(request, response, trusted);
    const exchange = new Exchange(response, head, traffic);
    const framing = frame(request);
    if (framing.kind === "wrong") {
      head.close();
      exchange.answerNow(site.failure(new HttpError(400, framing.reason)), true);
      return;
    }
    let next: ReturnType<Site["open"]>;
    try {
      next = site.open(head);
    } catch (error) {
      next = site.failure(error);
    }
    if (typeof next !== "function") {
      head.close();
      exchange.answerNow(next);
    } else if (framing.kind === "none") {
      head.close();
      exchange.run(next, NOTHING);
    } else {
      head.contentType = request.getHeader("content-type");
      head.contentEncoding = request.getHeader("content-encoding");
      head.close();
      exchange.read(next, framing.length, Date.now() + options.bodyTimeout);
    }
  }

  function sweep(): void {
    const now = Date.now();
    // Every body gets the same time, so the set is in the order of the deadlines, nearly: a body joins with its first chunk.
    for (const exchange of traffic.reading) if (exchange.deadline <= now) exchange.expire();
  }

  function open(): TemplatedApp {
    const { tls } = options;
    const app =
      tls === undefined
        ? App()
        : SSLApp({
            cert_file_name: tls.certFile,
            key_file_name: tls.keyFile,
            ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }),
          });
    return app.any("/*", serve);
  }

  function bind(app: TemplatedApp): ListenSocket {
    const opened = listen(app, options.host, port);
    if (opened === false) throw new Error(`cannot listen on ${options.host}:${port}`);
    apps.push(app);
    return opened;
  }

  async function end(): Promise<void> {
    traffic.closing = true;
    if (socket !== undefined) closeListenSocket(socket);
    socket = undefined;
    if (traffic.running > 0) {
      await new Promise<void>((resolve) => {
        drained = resolve;
      });
    }
    clearInterval(sweeper);
    for (const app of apps) app.close();
  }

  return {
    async listen() {
      if (options.tls !== undefined) await check(options.tls);
      port = await freePort(options.host, options.port);
      socket = bind(open());
      sweeper = setInterval(sweep, Math.max(10, Math.min(1000, options.bodyTimeout / 4)));
      sweeper.unref();
      return port;
    },

    async reloadTls() {
      if (options.tls === undefined) return;
      await check(options.tls);
      if (socket === undefined || traffic.closing) return;
      const previous = socket;
      socket = bind(open());
      closeListenSocket(previous);
    },

    close() {
      closed ??= end();
      return closed;
    },
  };
}

const NOTHING = Buffer.alloc(0);

/** How the body is delimited. uWS takes the first of several lengths, where a proxy may have taken the last: refused. */
function frame(request: HttpRequest): Framing {
  const length = request.getHeader("content-length");
  const coding = request.getHeader("transfer-encoding");
  if (length === "" && coding === "") return { kind: "none" };
  let fields = 0;
  request.forEach((name) => {
    if (name === "content-length" || name === "transfer-encoding") fields++;
  });
  if (fields > 1)
    return { kind: "wrong", reason: "Content-Length and Transfer-Encoding may appear once, and not together" };
  if (coding !== "") {
    if (coding.toLowerCase() !== "chunked") return { kind: "wrong", reason: "unsupported Transfer-Encoding" };
    return { kind: "body", length: undefined };
  }
  if (!/^\d{1,15}$/.test(length)) return { kind: "wrong", reason: "invalid Content-Length" };
  return { kind: "body", length: Number(length) };
}

/** uWS says nothing useful about a bad certificate; Node does. */
async function check(tls: TlsFiles): Promise<void> {
  try {
    const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
    createSecureContext({ cert, key, ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }) });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot use the certificate ${tls.certFile} with the key ${tls.keyFile}: ${reason}`, { cause });
  }
}
