// Joins the configuration, the ports and whoever gets certificates for domains.
import { Challenges } from "../acme/challenges.ts";
import { Keeper } from "../acme/keeper.ts";
import { type Config, domainsOf, type TlsSection } from "../config/index.ts";
import { createServer, type HttpServer } from "../http/server.ts";
import type { Place } from "../http/uws/listeners.ts";
import type { Log } from "./log.ts";

export interface Certificates {
  /** What a port is encrypted with; nothing: it is not. */
  tls(section: TlsSection): Pick<Place, "tls">;
  /** The port of the authority's question, if there is one, can stop accepting for a while. */
  readonly port: Pick<HttpServer, "accept">;
  /** Reads what is stored; before the ports listen. */
  load(): Promise<void>;
  /** From here on certificates are asked for. */
  start(): void;
  /** Those that are due are asked for now, whatever the pause. */
  hurry(): void;
  /** Why clients of a domain are refused. */
  outages(): readonly string[];
  counts: Keeper["counts"];
  stop(): Promise<void>;
}

/** Connections at once on the port of the authority's question. */
const MOST_CONNECTIONS = 512;

/** @param use new connections get the certificate that is stored now */
export function openCertificates(
  config: Config,
  log: Log,
  use: (section: TlsSection) => Promise<void>,
  homes: (section: TlsSection) => number,
): Certificates {
  const { acme } = config;
  const domains = domainsOf(config);
  const challenges = new Challenges((domain) => {
    const [section] = domains.get(domain) ?? [];
    return section === undefined ? undefined : homes(section);
  });
  const server = createServer(
    {
      host: acme.host,
      port: acme.port,
      maxBody: 1024,
      bodyTimeout: 10_000,
      trustedProxies: [],
      maxConnections: MOST_CONNECTIONS,
      warn: (text) => log.warn(`acme port: ${text}`),
    },
    challenges.site,
  );
  let opened = false;
  const keeper = new Keeper({
    dataDir: config.data,
    domains: [...domains.keys()],
    ...acme,
    challenges,
    async open() {
      if (!opened) await server.listen();
      opened = true;
    },
    async use(domain) {
      for (const section of domains.get(domain) ?? []) await use(section);
    },
    now: Date.now,
    tell: (level, text, domain) => log[level]({ domain }, text),
  });
  return {
    tls(section) {
      const { domain, tlsCert, tlsKey } = config[section];
      if (domain !== "") {
        const file = keeper.file(domain);
        return { tls: { certFile: file, keyFile: file, awaited: true } };
      }
      return tlsCert === "" ? {} : { tls: { certFile: tlsCert, keyFile: tlsKey } };
    },
    port: server,
    load: () => keeper.load(),
    start: () => keeper.start(),
    hurry: () => keeper.hurry(),
    outages: () => keeper.outages(),
    counts: () => keeper.counts(),
    async stop() {
      await keeper.stop();
      await server.close();
    },
  };
}
