// A listening port: hands each request to the site, and ends in good order.

import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { Intake } from "./body.ts";
import { Exchange, type Traffic } from "./exchange.ts";
import { Head, HttpError, type Site } from "./message.ts";
import { addressList } from "./uws/address.ts";
import { framing } from "./uws/framing.ts";
import { Gate } from "./uws/gate.ts";
import { Listeners, type Place } from "./uws/listeners.ts";
import { sparing } from "./uws/sparing.ts";

/** For running requests to be answered after `close`, milliseconds. What is not answered then is cut off. */
const LAST_ANSWERS = 4000;

/** All unfinished bodies together, and those of one address, may take so many times `maxBody`. */
const BODIES_IN_ALL = 4;
const BODIES_PER_ADDRESS = 2;

export interface HttpOptions extends Place {
  /** Bytes, before and after inflating. */
  readonly maxBody: number;
  /** A body that brings less than `SLOWEST` for so long is cut, milliseconds. */
  readonly bodyTimeout: number;
  /** Addresses and networks whose X-Forwarded-For or X-Real-IP is believed. */
  readonly trustedProxies: readonly string[];
  /** Connections at once; more are closed within accept. */
  readonly maxConnections?: number;
  /** Told what was refused before it could be answered. */
  readonly warn?: (text: string) => void;
}

export interface HttpServer {
  /** The port. Fails when it is taken. */
  listen(): Promise<number>;
  /** See `Listeners`. */
  reloadTls(): Promise<void>;
  readonly certificateExpires: number | undefined;
  /** As `Listeners.accept`. */
  accept(on: boolean): boolean;
  /** Stops accepting, waits some seconds until the running requests are answered, closes the connections. */
  close(): Promise<void>;
}

/** Listens only when it is told to. @throws Error for a trusted proxy that is no address */
export function createServer(options: HttpOptions, site: Site): HttpServer {
  const trusted = addressList(options.trustedProxies);
  const { maxConnections = Number.POSITIVE_INFINITY, warn = () => {} } = options;
  const gate = new Gate({ most: maxConnections, trusted, warn });
  // Only a bug of the site gets there, like an answer that is none.
  const onError = (error: unknown) => void site.failure(error);
  const listeners = new Listeners(options, gate, (app) => app.any("/*", sparing(onError)(handle)));
  let drained: (() => void) | undefined;
  let closed: Promise<void> | undefined;
  let sweeper: NodeJS.Timeout | undefined;

  const intake = new Intake({
    inAll: BODIES_IN_ALL * options.maxBody,
    perAddress: BODIES_PER_ADDRESS * options.maxBody,
    readsOnTo: 2,
    patience: options.bodyTimeout,
    onError,
  });
  const traffic: Traffic = {
    site,
    maxBody: options.maxBody,
    intake,
    gate,
    running: 0,
    closing: false,
    streams: new Set(),
    ended() {
      if (traffic.closing && traffic.running === 0) drained?.();
    },
  };

  function handle(response: HttpResponse, request: HttpRequest): void {
    const head = new Head(request, response, trusted);
    const framed = framing(request);
    const exchange = new Exchange(response, head, traffic, framed.closes);
    if (framed.kind === "wrong") {
      head.close();
      exchange.shutNow(site.failure(new HttpError(400, framed.reason), head));
      return;
    }
    let next: ReturnType<Site["open"]>;
    try {
      next = site.open(head);
    } catch (error) {
      next = site.failure(error, head);
    }
    if (typeof next !== "function") {
      head.close();
      exchange.answerNow(next);
    } else if (framed.kind === "none") {
      head.close();
      exchange.run(next, NOTHING);
    } else {
      head.contentType = request.getHeader("content-type");
      head.contentEncoding = request.getHeader("content-encoding");
      if (trusted.size > 0) head.learnAddress();
      head.close();
      exchange.read(next, framed.length);
    }
  }

  async function end(): Promise<void> {
    traffic.closing = true;
    listeners.stop();
    for (const stream of traffic.streams) stream.end();
    if (traffic.running > 0) {
      let patience: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        drained = resolve;
        patience = setTimeout(resolve, LAST_ANSWERS);
      });
      clearTimeout(patience);
    }
    clearInterval(sweeper);
    listeners.close();
  }

  return {
    async listen() {
      const port = await listeners.listen();
      sweeper = setInterval(() => intake.sweep(), Math.max(10, Math.min(1000, options.bodyTimeout / 4)));
      sweeper.unref();
      return port;
    },

    reloadTls: () => listeners.reloadTls(),
    get certificateExpires() {
      return listeners.expires;
    },
    accept: (on) => listeners.accept(on),

    close() {
      closed ??= end();
      return closed;
    },
  };
}

const NOTHING = Buffer.alloc(0);
