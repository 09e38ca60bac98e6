// The web console: its listener joined with what it shows.
import { type Console, type ConsoleOptions, createConsole } from "../admin/console.ts";
import type { Config } from "../config/index.ts";
import { wallClock } from "../core/clock.ts";
import type { Cluster } from "../core/cluster.ts";
import { createServer, type HttpServer } from "../http/server.ts";
import type { Place } from "../http/uws/listeners.ts";
import { consoleAssets } from "./assets.ts";
import { hostAddress } from "./host.ts";
import type { Log } from "./log.ts";
import { isEncrypted, setupLink, url } from "./places.ts";
import { version } from "./version.ts";

/** Bytes of the largest call from the page. */
const LONGEST_BODY = 8_000_000;

interface Parts
  extends Pick<ConsoleOptions, "admins" | "api" | "live" | "copies" | "schema" | "audit" | "here" | "others"> {
  /** What holds now. */
  readonly settings: () => Config["admin"];
  readonly log: Log;
  readonly encryption: Pick<Place, "tls">;
  readonly maxConnections?: number;
  readonly bodyTimeout: number;
}

interface Opened {
  readonly consoleUrl: string;
  /** By it the first user sets a password; absent: there are users. A secret. */
  readonly setupLink?: string;
}

export interface WebConsole {
  readonly server: HttpServer;
  /** 0 before it listens. */
  port(): number;
  /** Opens the port; the link for the first user is absent too where the store cannot be written now. */
  listen(clientPort: number): Promise<Opened>;
  /** The names that it answers to are read anew; what else `settings` gives is, each time. */
  reload(): void;
  stop(): void;
  readonly figures: { readonly logins: Console["counts"]; readonly pages: number };
}

/** What the console of a node has to know of the others. */
export const amongOthers = (cluster: Cluster): Pick<ConsoleOptions, "here" | "others"> => ({
  here: cluster.name,
  others: {
    tell: (guess) => cluster.tell("guess", guess),
    hear: (heard) => cluster.hear("guess", heard),
  },
});

/** Nobody listens before `listen`. */
export function openConsole({ admin, client, api: { maxBody } }: Config, parts: Parts): WebConsole {
  const { settings, log, encryption, maxConnections, bodyTimeout, ...joined } = parts;
  const place = { port: client.port, secure: isEncrypted(client) };
  const console = createConsole({
    ...joined,
    files: consoleAssets(),
    settings: () => {
      const { hosts, domain, sessionIdle, sessionLifetime } = settings();
      return { hosts: domain === "" ? hosts : [...hosts, domain], idle: sessionIdle, lifetime: sessionLifetime };
    },
    client: () => place,
    secure: isEncrypted(admin),
    version,
    node: `${hostAddress()}:1`,
    warn: (text, requestId) => log.warn({ requestId }, text),
    now: wallClock,
    elapsed: () => performance.now(),
  });
  const server = createServer(
    {
      host: admin.host,
      port: admin.port,
      ...encryption,
      maxBody: Math.min(maxBody, LONGEST_BODY),
      bodyTimeout,
      trustedProxies: admin.trustedProxies,
      ...(maxConnections === undefined ? {} : { maxConnections }),
      warn: (text) => log.warn(`console's port: ${text}`),
    },
    console.site,
  );
  let port = 0;
  return {
    server,
    port: () => port,
    async listen(clientPort) {
      place.port = clientPort;
      port = await server.listen();
      console.listening(port);
      const consoleUrl = url(admin, port);
      // A store that cannot be written takes none: pushbox admin reset makes one later.
      const secret = await console.invite().catch(() => undefined);
      return { consoleUrl, ...(secret === undefined ? {} : { setupLink: setupLink(consoleUrl, secret) }) };
    },
    reload: () => console.reload(),
    stop: () => console.stop(),
    get figures() {
      return { logins: console.counts, pages: console.pages };
    },
  };
}
