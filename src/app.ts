// Builds the parts, joins them, starts them in order and stops them in reverse.
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { type Api, createApi } from "./api/routes.ts";
import { Asking } from "./app/asking.ts";
import { threadSource } from "./app/assets.ts";
import { type Audit, createAudit } from "./app/audit.ts";
import { type Certificates, openCertificates } from "./app/certificates.ts";
import { clientFiles } from "./app/client-files.ts";
import { type Joined, joinNodes } from "./app/cluster.ts";
import { amongOthers, openConsole } from "./app/console.ts";
import { databaseOf } from "./app/database.ts";
import { createDebug, showPush } from "./app/debug.ts";
import { createExamples } from "./app/examples.ts";
import { gathered } from "./app/figures.ts";
import { type Files, watchFiles } from "./app/files.ts";
import { platformFigures, RATED, ratesOf, watchFigures } from "./app/live-figures.ts";
import { type Log, onceAMinute } from "./app/log.ts";
import { Logins } from "./app/login.ts";
import { createMetrics } from "./app/metrics.ts";
import { createNotifications, type Notifications } from "./app/notifications.ts";
import { url } from "./app/places.ts";
import { access, apiOptions, gatewayOptions, REQUEST_TIMEOUT } from "./app/ports.ts";
import { createReadiness } from "./app/ready.ts";
import { createTelling, type Telling } from "./app/telling.ts";
import { keyWords, openKeys, openVendors, webPushKeys } from "./app/vendors.ts";
import { version } from "./app/version.ts";
import { HeldSettings, type Sources } from "./config/held.ts";
import { type Config, hasLogin, type TlsSection } from "./config/index.ts";
import { maskedConfig } from "./config/text.ts";
import type { Asker } from "./core/ask.ts";
import { setAhead, wallClock } from "./core/clock.ts";
import { bind, forget, unbind } from "./core/connect.ts";
import type { Staged } from "./core/copies.ts";
import { PushError } from "./core/errors.ts";
import { LEEWAY, type Revocation } from "./core/login.ts";
import { normalise } from "./core/notification.ts";
import { topicChannel } from "./core/packet.ts";
import { push, pushOnce } from "./core/push.ts";
import { createReport } from "./core/report.ts";
import { Tally } from "./core/tally.ts";
import { Traits } from "./core/traits.ts";
import { replacedFile } from "./engine/backup.ts";
import type { BatchFigures } from "./engine/calls.ts";
import { makeDirectory } from "./engine/directory.ts";
import { type LocalEngine, type LocalEngineOptions, openLocalEngine } from "./engine/local.ts";
import type { PostgresEngineOptions } from "./engine/postgres/engine.ts";
import { createServer, type HttpServer } from "./http/server.ts";
import { Conversation } from "./sockets/sessions/conversation.ts";
import type { Gate } from "./sockets/sessions/gate.ts";
import { Hub } from "./sockets/sessions/hub.ts";
import { TOKEN_HEADER } from "./sockets/sessions/login.ts";
import type { Session } from "./sockets/sessions/session.ts";
import { pageSize } from "./sockets/transport/backlog.ts";
import { createGateway } from "./sockets/transport/server.ts";
import { socketio } from "./sockets/transport/socketio.ts";
import type { Gateway, GatewayOptions, HandshakeWish } from "./sockets/transport/types.ts";
import { TRAITS } from "./vendors/index.ts";
import { Signatures } from "./vendors/signatures.ts";

export interface App {
  /** Where clients connect, and where a backend calls: with the ports that were taken. */
  readonly clientUrl: string;
  readonly apiUrl: string;
  /** Where the console is; absent: it is off. */
  readonly consoleUrl?: string;
  /** By it the first user sets a password; absent: there are users. A secret. */
  readonly setupLink?: string;
  /** Why clients of an encrypted port are refused, one sentence each. */
  outages(): readonly string[];
  /** Takes over what can change while running: certificates, keys. Rejects, and changes nothing, when the files do not fit. */
  reload(config: Config): Promise<void>;
  /** Reads the settings' sources again and takes over what can be had while running; what came of it is told to `sources`. */
  reread(by: string): Promise<void>;
  /** Answers what was accepted, closes clients so that they come back, stores what is in memory. */
  stop(): Promise<void>;
  /** Resolves when statistics gathered so far are stored. */
  settled(): Promise<void>;
  /** Resolves when the server cannot go on. */
  readonly failed: Promise<Error>;
}

type StartThread = NonNullable<LocalEngineOptions["startThread"]>;

/** In the executable the storage thread is not at hand as a file. */
function packedThread(): StartThread | undefined {
  const thread = threadSource();
  return thread === undefined ? undefined : (data) => new Worker(thread, { eval: true, workerData: data });
}

export interface AppOptions {
  /** How many connections each port may have open; absent: as many as come. */
  readonly files?: Files;
  /** Where the settings are from. */
  readonly sources: Sources;
  /** How the storage thread is started, when not as a thread that loads it from where the program is. */
  readonly startThread?: StartThread;
  /** This machine's clock is right, whatever PostgreSQL's says: for tests that move it. */
  readonly ownClock?: boolean;
}

/** Resolves when every port listens. Rejects with what kept it from that; parts that were started are stopped again. */
export async function startApp(
  config: Config,
  log: Log,
  { files, sources, startThread = packedThread(), ownClock = false }: AppOptions,
): Promise<App> {
  const now = wallClock;
  const { debug, traces } = createDebug(log);
  const failed = Promise.withResolvers<Error>();
  const { client, storage } = config;
  let current = config;
  const held = new HeldSettings({ sources, open: openKeys, words: keyWords, apply: reload });
  const logins = new Logins(log, () => performance.now());
  const login = logins.open(client);
  let stopping = false;
  const asking = new Asking(log, debug);
  let opened = asking.open(config.hooks);
  const signatures = new Signatures(join(config.data, "apns-jwts.json"));
  const vendors = openVendors(config.vendors, now(), { signatures, debug });
  const metrics = config.api.metrics
    ? createMetrics(version, {
        figures: () => gathered({ gateway, server, web, certificates, hub, conversation, logins, asking, api, engine }),
        lanes: () => notifications.lanes.list(config.engine === "postgres"),
        hooks: () => telling.hooks.list(),
        devices: () => engine.devices.count(),
        ...(config.engine === "postgres"
          ? {
              node: {
                name: nodeName(config),
                leads: () => engine.cluster?.leads() === true,
                lanes: () => notifications.lanes.inHand(),
              },
            }
          : {}),
      })
    : undefined;
  const ports: Record<TlsSection, number> = { client: 0, api: 0, admin: 0 };
  const certificates: Certificates = openCertificates(
    config,
    log,
    async (section) => {
      await { client: gateway, api: server, admin: web?.server }[section]?.reloadTls();
    },
    (section) => ports[section],
  );
  const stored = {
    keep: { default: storage.keep, prefixes: Object.entries(storage.keepByPrefix) },
    arrivalDays: storage.arrivalDays,
    vendors: TRAITS,
    deviceDays: storage.deviceDays,
    auditDays: storage.auditDays,
    ...(metrics === undefined
      ? {}
      : { onBatch: ({ work, commit }: BatchFigures) => metrics.transaction(work + commit) }),
  };
  let restored: Staged | undefined;
  const engine: LocalEngine =
    config.engine === "postgres"
      ? await openShared(config, {
          ...stored,
          onTrouble: onceAMinute((message) => log.error(message)),
          onClock(ahead) {
            if (ownClock) return;
            setAhead(ahead);
            log.warn(clockText(ahead));
          },
        })
      : await openLocalEngine({
          ...stored,
          dataDir: config.data,
          synchronous: storage.synchronous,
          ...(storage.backups === "" ? {} : { backups: resolve(storage.backups) }),
          onRestored: (staged) => (restored = staged),
          onFatal: failed.resolve,
          onTrouble: onceAMinute((message) => log.error(`${message}; until then only what needs no disk is served`)),
          ...(startThread === undefined ? {} : { startThread }),
        });

  const hub: Hub = new Hub(() => gateway, client.maxBackpressure, now, traces);
  engine.broker.attach(hub);
  const leftOut = new Tally<string, string>((reason, count, topic) =>
    log.warn({ reason, count, topic }, `packets that are not kept went to nobody: ${leftOutTexts[reason]}`),
  );
  const limit = ({ maxPacketsPerSecond, topicRate }: Config["client"]): void =>
    hub.limit({ packetsPerSecond: maxPacketsPerSecond, topicRate }, (reason, topic) => leftOut.add(reason, topic));
  limit(client);
  const { live } = engine;
  const report = createReport(
    engine.counters,
    now,
    (error) => log.error({ err: error }, "statistics not stored"),
    TRAITS.map(({ name, statistics }) => statistics ?? name),
  );
  const examples = createExamples({
    live,
    push: (target, draft) => push(engine, target, draft, now()),
    notify: (pushId, title, message) =>
      notifications.actions.notify(
        normalise({ android: { title, message }, apn: { alert: { title, body: message } } }),
        { target: { kind: "pushIds", pushIds: [pushId] }, timeToLive: 0, callerAddress: "examples" },
        "examples",
      ),
    elapsed: () => performance.now(),
  });
  const audit = createAudit(engine.audit, {
    failed: (error) => log.error({ err: error }, "the audit log cannot be stored; trying again"),
    lost: (entries) => log.error({ entries }, "the audit log has lost entries: the store did not take them in time"),
  });
  if (restored !== undefined) tellRestored(restored, config.data, audit, log);
  const conversation: Conversation = new Conversation({
    hub,
    engine,
    report,
    traits: new Traits(TRAITS),
    limits: {
      topics: client.maxTopics,
      topicBytes: client.maxTopicBytes,
      topicLength: client.maxTopicLength,
      tags: client.maxTags,
      tagLength: client.maxTagLength,
      idLength: client.maxIdLength,
    },
    newDevices: client.maxNewDevicesPerMinute,
    pageSize: pageSize(client.maxBackpressure),
    disconnectDelay: client.disconnectDelay,
    trustClientUid: config.trustClientUid,
    loginTimeout: client.connectTimeout,
    asker: opened.asker,
    ...(client.examples ? { examples } : {}),
    now,
    elapsed: () => performance.now(),
    log,
    debug,
  });
  const { gate } = conversation;
  gate.set(login);
  engine.revocations.attach((revocations) => gate.revoke(revocations));
  let publicKeys = webPushKeys(config.vendors);
  const options: GatewayOptions = {
    ...gatewayOptions(client, log, debug),
    ...certificates.tls("client"),
    files: clientFiles(client.examples, () => publicKeys),
    wish: () => wishOf(gate.on, opened.asker),
    ...(files === undefined ? {} : { maxSockets: files.client }),
  };
  const gateway: Gateway<Session> = createGateway(
    options,
    socketio(conversation, { connectTimeout: client.connectTimeout, onError: options.onError }),
  );
  const notifications: Notifications = createNotifications({
    engine,
    live,
    ...(engine.cluster === undefined ? {} : { cluster: engine.cluster }),
    report,
    vendors,
    signatures,
    log,
    debug,
    now,
    elapsed: () => performance.now(),
  });
  const telling: Telling = createTelling(config, { engine, log, now });
  const sum = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((all, count) => all + count, 0);
  const counted = () => ({
    connections: gateway.size,
    opened: gateway.counters.opened,
    packets: hub.written,
    apiCalls: sum(api.counters.calls),
    apiErrors: sum(api.counters.errors),
  });
  const together: Joined = joinNodes(engine.cluster, {
    live,
    lanes: notifications.lanes,
    hooks: telling.hooks,
    traces,
    traced: (target) => hub.tracing.begun(target),
    rings: {
      seconds: (count) => figuresNow.rings.seconds(count),
      minutes: (count) => figuresNow.rings.minutes(count),
      hours: (count) => figuresNow.hours(count),
    },
    figures: () => ({
      version,
      connections: gateway.size,
      sessions: hub.sessions().total,
      rates: ratesOf(figuresNow.rings.seconds(RATED)),
    }),
    totals: () => ({
      ...counted(),
      storeCalls: engine.statistics().queued,
      notifications: (api.counters.calls["/api/notification"] ?? 0) + (api.counters.calls["/api/reach"] ?? 0),
    }),
    reload: (by) => held.reload(by),
  });
  const api: Api = createApi(apiOptions(config, log, debug), {
    ...(engine.cluster === undefined ? {} : { node: engine.cluster.name }),
    push(target, draft, repeatable, requestId) {
      const pushed =
        repeatable === undefined
          ? push(engine, target, draft, now())
          : pushOnce(engine, target, draft, repeatable, now());
      return debug.on ? showPush(debug, target, draft, requestId, pushed) : pushed;
    },
    ...notifications.actions,
    ...telling.actions,
    ...together.actions,
    bind: (binding) => bind(engine, binding, now()),
    unbind: (who) => unbind(engine, who, now()),
    async revoke(tokens) {
      if (!hasLogin(current))
        throw new PushError("invalid", "there are no tokens: client.auth has neither keys nor jwks_url");
      const until = now() + current.client.auth.maxLifetime + 2 * LEEWAY;
      return await engine.revocations.add(tokens.map((token) => ({ ...token, until })));
    },
    deleteDevices: (pushIds) => forget(engine, pushIds),
    testDevices: engine.testDevices,
    kept: async (topic) => (await engine.broker.backlog(topicChannel(topic), { after: "" }, KEPT_SHOWN, now())).packets,
    devices: engine.devices,
    counters: engine.counters,
    count: (key) => report.count(key, { success: 1 }),
    audit: { add: audit.add, list: engine.audit.list },
    ready: createReadiness({
      probe: () => engine.probe(),
      lanes: () => notifications.lanes.list(),
      outages: certificates.outages,
      stopping: () => stopping,
      elapsed: () => performance.now(),
    }),
    config: () => maskedConfig(current, openKeys),
    settings: {
      effective: (language) => held.effective(language),
      compare: (language) => held.compare(language),
      async reload(by) {
        const reloaded = await held.reload(by);
        return { ...reloaded, warnings: [...reloaded.warnings, ...(await together.reload(by))] };
      },
    },
    ...(metrics === undefined ? {} : { metrics }),
  });
  const server: HttpServer = createServer(
    {
      host: config.api.host,
      port: config.api.port,
      ...certificates.tls("api"),
      maxBody: config.api.maxBody,
      bodyTimeout: REQUEST_TIMEOUT,
      trustedProxies: config.api.trustedProxies,
      ...(files === undefined ? {} : { maxConnections: files.api }),
      warn: (text) => log.warn(`API port: ${text}`),
    },
    api.site,
  );
  const web = config.admin.enabled
    ? openConsole(config, {
        settings: () => current.admin,
        admins: engine.admins,
        ...(engine.cluster === undefined ? {} : amongOthers(engine.cluster)),
        ...(engine.copies === undefined ? {} : { copies: engine.copies }),
        ...(config.engine === "postgres" ? { schema: config.postgres.schema } : {}),
        api,
        live: {
          totals: together.totals,
          sessions: () => live.sessions(),
          lanes: () => together.actions.lanes.list(),
          async topic(name) {
            const [count, { seconds: _, ...rates }] = await Promise.all([live.count(name), live.rates(name)]);
            return { count, ...rates };
          },
        },
        audit: audit.add,
        log,
        encryption: certificates.tls("admin"),
        ...(files === undefined ? {} : { maxConnections: files.admin }),
        bodyTimeout: REQUEST_TIMEOUT,
      })
    : undefined;
  const figuresNow = watchFigures(
    () => {
      const sessions = hub.sessions();
      return { ...counted(), sessions: sessions.total, ...platformFigures(sessions) };
    },
    now,
    engine.counters,
  );
  const stopWatching = watchFiles(
    [gateway, certificates.port, server, ...(web === undefined ? [] : [web.server])],
    (text) => log.warn(text),
  );

  async function reload(next: Config): Promise<void> {
    const useVendors = notifications.reload(next.vendors);
    const nextLogin = logins.open(next.client);
    const useHooks = telling.reload(next);
    const nextAsked = asking.open(next.hooks);
    await Promise.all([gateway.reloadTls(), server.reloadTls(), web?.server.reloadTls()]);
    useVendors();
    useHooks();
    gate.set(nextLogin);
    const former = opened;
    opened = nextAsked;
    conversation.setAsker(nextAsked.asker);
    former.retire();
    api.setAccess(access(next.api));
    limit(next.client);
    current = next;
    web?.reload();
    publicKeys = webPushKeys(next.vendors);
    certificates.hurry();
  }

  async function stop(): Promise<void> {
    stopping = true;
    stopWatching();
    figuresNow.stop();
    web?.stop();
    await certificates.stop();
    await Promise.all([server.close(), web?.server.close()]);
    await Promise.all([notifications.stop(), telling.stop()]);
    await gateway.close();
    await opened.close();
    await conversation.stop();
    await report.stop();
    await audit.stop();
    await engine.close();
  }

  try {
    await recall(engine, gate, now());
    await telling.start();
    await certificates.load();
    await together.start();
    ports.client = await gateway.listen();
    ports.api = await server.listen();
    const shown = await web?.listen(ports.client);
    ports.admin = web?.port() ?? 0;
    await notifications.start();
    certificates.start();
    return {
      clientUrl: url(client, ports.client),
      apiUrl: url(config.api, ports.api),
      ...shown,
      outages: certificates.outages,
      reload,
      async reread(by) {
        await held.reload(by).catch(() => {}); // told
      },
      stop,
      settled: async () => {
        await Promise.all([report.flush(), audit.flush(), held.settled()]);
      },
      failed: failed.promise,
    };
  } catch (error) {
    await stop().catch((also: unknown) => log.error({ err: also }, "could not stop what had started"));
    throw error;
  }
}

const leftOutTexts: Readonly<Record<string, string>> = {
  overload: "more than client.max_packets_per_second were to be written to clients",
  topic_rate: "a topic had more than client.topic_rate",
};

/** What is kept of handshakes where clients have tokens, or somebody is asked about them. */
function wishOf(hasLogin: boolean, asker: Asker): HandshakeWish | undefined {
  const asks = asker.asks("connect");
  if (!hasLogin) return asks ? { headers: asker.headers } : undefined;
  return { headers: asks ? [TOKEN_HEADER, ...asker.headers] : [TOKEN_HEADER] };
}

/** How much of what is kept for a topic is shown (`sizeOf`). */
const KEPT_SHOWN = 1_000_000;

/** As it was asked for in the console before this start. The log of then is in what was replaced. */
function tellRestored({ name, who, at, devices }: Staged, data: string, audit: Audit, log: Log): void {
  log.warn(
    `${name} was restored, as ${who} asked for at ${new Date(at).toISOString()}: ${devices} devices; ` +
      `the data before is kept as ${replacedFile(data)}`,
  );
  audit.add({
    ...{ time: wallClock(), who: `${who} (console)`, address: "local", action: "/admin/backup/restored" },
    ...{ what: JSON.stringify({ name, devices, asked: new Date(at).toISOString() }), status: 200, requestId: "" },
  });
}

const nodeName = ({ node }: Config): string => (node === "" ? hostname() : node);

const clockText = (ahead: number): string =>
  ahead === 0
    ? "the clock of this machine is that of PostgreSQL again"
    : `the clock of this machine is ${Math.round(Math.abs(ahead) / 1000)} s ${ahead > 0 ? "behind" : "ahead of"} PostgreSQL's, by which all nodes go: set it (timedatectl set-ntp true)`;

/** The engine of several processes; what speaks to PostgreSQL is loaded only for it. */
async function openShared(
  config: Config,
  stored: Omit<PostgresEngineOptions, "database" | "node">,
): Promise<LocalEngine> {
  const { openPostgresEngine } = await import("./engine/postgres/engine.ts");
  makeDirectory(resolve(config.data)); // vendors' signatures and certificates stay beside the process
  return await openPostgresEngine({
    ...stored,
    node: nodeName(config),
    limits: { id: config.client.maxIdLength, topic: config.client.maxTopicLength, body: config.api.maxBody },
    database: databaseOf(config),
  });
}

/** Revocations read at once. */
const RECALLED = 1000;

/** Tokens that were revoked before this start. */
async function recall({ revocations }: LocalEngine, gate: Gate, now: number): Promise<void> {
  for (let last: Revocation | undefined; ; ) {
    const page = await revocations.page(last, RECALLED, now);
    gate.remember(page);
    last = page.at(-1);
    if (page.length < RECALLED) return;
  }
}
