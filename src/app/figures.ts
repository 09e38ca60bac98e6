// What the metrics show, gathered from the parts when they are asked for.
import type { Api } from "../api/routes.ts";
import type { HttpServer } from "../http/server.ts";
import type { Conversation } from "../sockets/sessions/conversation.ts";
import type { Hub } from "../sockets/sessions/hub.ts";
import type { Gateway } from "../sockets/transport/types.ts";
import type { Asking } from "./asking.ts";
import type { Certificates } from "./certificates.ts";
import type { WebConsole } from "./console.ts";
import type { Logins } from "./login.ts";
import type { Figures } from "./metrics.ts";

interface Parts {
  readonly gateway: Pick<Gateway<never>, "size" | "counters" | "certificateExpires">;
  readonly server: Pick<HttpServer, "certificateExpires">;
  readonly web: WebConsole | undefined;
  readonly certificates: Pick<Certificates, "counts">;
  readonly hub: Pick<Hub, "sessions" | "written" | "leftOut">;
  readonly conversation: Pick<Conversation, "refused" | "gate">;
  readonly logins: Pick<Logins, "fetches">;
  readonly asking: Pick<Asking, "counts">;
  readonly api: Pick<Api, "counters">;
  readonly engine: { statistics(): Figures["store"] };
}

export function gathered({
  gateway,
  server,
  web,
  certificates,
  hub,
  conversation,
  logins,
  asking,
  api,
  engine,
}: Parts): Figures {
  const { size, counters } = gateway;
  return {
    connections: { open: size, opened: counters.opened, upgraded: counters.upgraded },
    refused: {
      accept: counters.refusedAtAccept,
      total: counters.refusedTotal,
      per_address: counters.refusedPerAddress,
      origin: counters.refusedOrigin,
      request: counters.refusedRequest,
    },
    closed: {
      transport_close: counters.closedTransport,
      ping_timeout: counters.closedPingTimeout,
      parse_error: counters.closedParse,
      timeout: counters.closedTimeout,
      slow: counters.closedSlow,
      flood: counters.closedFlood,
      too_big: counters.closedTooBig,
      forced_close: counters.closedForced,
      shutdown: counters.closedShutdown,
    },
    sessions: hub.sessions(),
    packetsSent: hub.written,
    packetsLeftOut: { ...hub.leftOut.totals },
    eventsRefused: conversation.refused,
    logins: conversation.gate.counts,
    keyFetches: logins.fetches,
    asked: asking.counts,
    apiCalls: api.counters.calls,
    apiErrors: api.counters.errors,
    apiDurations: api.counters.durations,
    store: engine.statistics(),
    expiries: {
      client: gateway.certificateExpires,
      api: server.certificateExpires,
      admin: web?.server.certificateExpires,
    },
    orders: certificates.counts(),
    console: web?.figures ?? { logins: {}, pages: 0 },
  };
}
