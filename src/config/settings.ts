// Every setting: the one table behind the file, the flags, the environment, `pushbox init` and --help.
// A further section is a further entry here; its type, flags, variables and checks follow from it.
import { DAY, HOUR, MINUTE } from "../core/time.ts";
import { askSettings } from "./ask.ts";
import { hookEntries } from "./hooks.ts";
import {
  apiKeys,
  authKeys,
  choice,
  countByPrefix,
  domain,
  host,
  hostName,
  integer,
  keyName,
  list,
  milliseconds,
  network,
  onlineFilter,
  origin,
  port,
  type Setting,
  text,
  yesNo,
} from "./setting.ts";

const file = (what: string, options: Parameters<typeof text>[5] = {}) =>
  text("", /^[^\0]*$/, "the path of a PEM file", "<file>", what, options);

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/** Order here is order everywhere. Times are milliseconds, sizes bytes. Ranges keep inside what native code takes. */
export const settings = {
  data: text(
    "./pushbox-data",
    /^[^\0]+$/,
    "the path of a directory",
    "<directory>",
    "Directory of the database; made when missing, for this user only.",
  ),
  engine: choice(
    "sqlite",
    ["sqlite", "postgres"],
    "What stores: sqlite, in the directory of the data, for one process; postgres, for several that share a PostgreSQL.",
  ),
  node: text(
    "",
    /^[\w.-]{0,64}$/,
    "a name of letters, digits, dots and dashes",
    "<name>",
    "Names this process among those that share a PostgreSQL; empty: the name of the machine.",
  ),
  log_level: choice("info", logLevels, "The least important events that are logged.", { live: true }),
  trust_client_uid: yesNo(
    false,
    "Let a client say which user it is. Anybody can then receive what is sent to any user: only for closed networks.",
  ),
  client: {
    host: host("::", "Address that clients connect to; :: is every one of this machine, 0.0.0.0 every IPv4 one."),
    port: port(10_001, "Port that clients connect to; 0 takes any free one."),
    domain: domain("Name of this port on the internet: https and wss, with a certificate that [acme] gets for it."),
    tls_cert: file("Certificate chain (PEM) for https and wss; empty, and no domain: plain http and ws."),
    tls_key: file("Private key (PEM) of that certificate."),
    origins: list(["*"], origin, "<origin>", "Web pages that may connect, by origin; * is any."),
    max_payload: integer(1_000_000, 1024, 1_000_000, "Bytes of the largest message a client may send."),
    ping_interval_v3: milliseconds(
      90_000,
      1000,
      600_000,
      "Time between the pings of clients with Engine.IO 3, which the client sends.",
    ),
    ping_timeout_v3: milliseconds(
      25_000,
      1000,
      300_000,
      "Such a client is gone when it was silent for so much longer.",
    ),
    ping_interval: milliseconds(
      25_000,
      1000,
      600_000,
      "Time between the pings of clients with Engine.IO 4, which the server sends.",
    ),
    ping_timeout: milliseconds(20_000, 1000, 300_000, "Such a client is gone when its answer takes longer."),
    connect_timeout: milliseconds(
      45_000,
      1000,
      600_000,
      "Time an Engine.IO 4 client has to send CONNECT; it is closed then.",
    ),
    disconnect_delay: milliseconds(
      10_000,
      0,
      600_000,
      "A device counts as connected for so long after its last connection went.",
    ),
    max_backpressure: integer(
      1_048_576,
      65_536,
      1_073_741_824,
      "Bytes that may wait for a slow client before its connection is closed.",
    ),
    max_connections: integer(1_000_000, 1, 10_000_000, "Connections in all; each needs an open file (ulimit -n)."),
    max_connections_per_address: integer(
      20_000,
      1,
      10_000_000,
      "Connections from one address; a mobile network has few of them. Unless given, at most three quarters of those possible.",
    ),
    max_events_per_second: integer(
      1000,
      1,
      1_000_000,
      "Messages and pings one connection may send per second before it is closed.",
    ),
    max_bytes_per_second: integer(
      8_000_000,
      1_000_000,
      1_000_000_000,
      "Bytes one connection may send per second before it is closed.",
    ),
    max_packets_per_second: integer(
      0,
      0,
      1_000_000_000,
      "Packets to clients per second, one for each client; beyond it topics are left out, fairly, of what is not kept. 0: no limit.",
      { live: true },
    ),
    topic_rate: countByPrefix(
      1,
      1_000_000,
      "Packets per second of a topic that starts with a prefix; of more of them that are not kept the newest go.",
      { live: true },
    ),
    max_topics: integer(1000, 1, 1_000_000, "Topics one connection may subscribe to."),
    max_topic_bytes: integer(
      262_144,
      1024,
      1_000_000_000,
      "Memory that the topics of one connection may take: 400 bytes and the name for each.",
    ),
    max_topic_length: integer(256, 1, 65_536, "Characters of a topic's name."),
    max_tags: integer(100, 1, 10_000, "Tags one device may have."),
    max_tag_length: integer(128, 1, 4096, "Characters of a tag."),
    max_new_devices_per_minute: integer(
      30_000,
      1,
      1_000_000_000,
      "Devices not known before that one address may bring per minute; a mobile network's gateway brings many.",
    ),
    max_id_length: integer(128, 10, 1024, "Characters of a pushId or uid."),
    trusted_proxies: list([], network, "<network>", "Proxies whose X-Forwarded-For is believed on the client port."),
    examples: yesNo(
      true,
      "Serve a page of examples at /client/ on the client port, and let its visitors send to each other.",
    ),
    auth: {
      required: yesNo(false, "Refuse clients without a valid token.", { live: true }),
      required_topics: list(
        [],
        { test: (prefix) => prefix !== "", expected: 'the beginning of a topic, such as "private:"' },
        "<prefix>",
        "Topics with these prefixes need a token that allows them, whether all clients need one or not.",
        { live: true },
      ),
      jwks_url: text(
        "",
        (url) => url === "" || (/^https?:\/\//.test(url) && URL.canParse(url)),
        'the URL of the issuer\'s keys, such as "https://idp.example.com/jwks.json"',
        "<url>",
        "Where the public keys of the issuer of tokens are (JWKS).",
        { live: true },
      ),
      issuer: text("", /^/, "the iss of tokens", "<issuer>", "The iss that tokens must have; empty: any.", {
        live: true,
      }),
      audience: text("", /^/, "the aud of tokens", "<audience>", "The aud that tokens must have; empty: any.", {
        live: true,
      }),
      max_lifetime: milliseconds(
        366 * DAY,
        MINUTE,
        3650 * DAY,
        "A token whose exp is further away is refused; for so long it is remembered that tokens were revoked.",
        { live: true },
      ),
      keys: authKeys(
        "Keys that tokens of clients (JWT) are signed with; with none, and no jwks_url, tokens are ignored.",
        {
          live: true,
        },
      ),
    },
  },
  api: {
    host: host("127.0.0.1", "Address of the API. Any but this machine's own needs keys."),
    port: port(11_001, "Port of the API; 0 takes any free one."),
    domain: domain("Name of the API on the internet: https, with a certificate that [acme] gets for it."),
    tls_cert: file("Certificate chain (PEM) for https; empty, and no domain: plain http."),
    tls_key: file("Private key (PEM) of that certificate."),
    insecure: yesNo(false, "Start the API without keys on an address that others reach. Anybody there can then push.", {
      flag: "insecure-api",
    }),
    hosts: list(
      [],
      hostName,
      "<name>",
      "Names, besides localhost and any address, by which an API without keys may be called, so that no web page names it.",
      { live: true },
    ),
    origins: list([], origin, "<origin>", "Web pages that may call the API, by origin; none by default, * is any.", {
      live: true,
    }),
    max_body: integer(104_857_600, 1024, 500_000_000, "Bytes of the largest request body."),
    broadcast_keys: list(
      [],
      { test: (name) => keyName.pattern.test(name), expected: "the name of one of api.keys" },
      "<name>",
      "Names of the keys that may push to everybody or to a tag; with broadcast_addresses empty too, every key may.",
      { live: true },
    ),
    broadcast_addresses: list(
      [],
      network,
      "<network>",
      "Addresses that may push to everybody or to a tag; with broadcast_keys empty too, every address may.",
      { live: true },
    ),
    topic_online_filter: onlineFilter(
      "Topics, by prefix, whose online count or devices the API tells; noti is always counted. Empty: all of them.",
    ),
    trusted_proxies: list([], network, "<network>", "Proxies whose X-Forwarded-For is believed on the API port."),
    quiet_hours_else: choice(
      "send",
      ["send", "drop"],
      "What becomes of a notification that does not live until its quietHours end: send it at once, or drop it.",
    ),
    metrics: yesNo(true, "Serve Prometheus metrics at /metrics on the API port."),
    keys: apiKeys(
      "Keys that callers of the API present, each with a name for the log. Prefer file or environment: flags show in ps.",
      {
        live: true,
      },
    ),
  },
  admin: {
    enabled: yesNo(true, "Serve the web console, for those who operate this server."),
    host: host("127.0.0.1", "Address of the console. Any but this machine's own needs a certificate."),
    port: port(12_001, "Port of the console; 0 takes any free one."),
    domain: domain("Name of the console on the internet: https, with a certificate that [acme] gets for it."),
    tls_cert: file("Certificate chain (PEM) for https; empty, and no domain: plain http."),
    tls_key: file("Private key (PEM) of that certificate."),
    insecure: yesNo(
      false,
      "Serve the console without https on an address that others reach. Who is on the way there reads passwords.",
      { flag: "insecure-admin" },
    ),
    hosts: list(
      [],
      hostName,
      "<name>",
      "Names, besides localhost and any address, by which the console may be called, so that no web page names it.",
      { live: true },
    ),
    session_idle: milliseconds(12 * HOUR, MINUTE, 30 * DAY, "A login ends when it was not used for so long.", {
      live: true,
    }),
    session_lifetime: milliseconds(30 * DAY, MINUTE, 365 * DAY, "A login ends after so long in any case.", {
      live: true,
    }),
    trusted_proxies: list([], network, "<network>", "Proxies whose X-Forwarded-For is believed on the console's port."),
  },
  acme: {
    accept_terms: yesNo(
      false,
      "Agree to the terms of service of the authority that certificates for domains come from; without it none is asked for.",
    ),
    email: text(
      "",
      /^([\w.+-]+@[\w-]+(\.[\w-]+)+)?$/,
      "one e-mail address",
      "<address>",
      "Where the authority may write to; empty: nowhere.",
    ),
    directory: text(
      "https://acme-v02.api.letsencrypt.org/directory",
      (url) => url.startsWith("https://") && URL.canParse(url),
      'the https URL of an ACME directory, such as "https://acme-staging-v02.api.letsencrypt.org/directory"',
      "<url>",
      "The authority: Let's Encrypt, or another that speaks ACME (RFC 8555).",
    ),
    ca_file: file("Certificates (PEM) to trust besides the usual ones when the authority is asked; for private ones.", {
      beside: true,
    }),
    host: host("::", "Address on which the authority's question is answered (HTTP-01), once a domain is named."),
    port: port(80, "Port of it. Authorities ask port 80 of the domain: what leads there must lead here."),
  },
  postgres: {
    url: text(
      "",
      /^(postgres(ql)?:\/\/[^\0\s]+)?$/,
      "a URL such as postgres://user:password@host:5432/database",
      "<url>",
      "Where PostgreSQL is, with engine = postgres. Of several hosts, by commas, the one that can be written to is taken. Directly: through a pooler of transactions nobody can listen.",
      { secret: true },
    ),
    url_file: text("", /^[^\0]*$/, "the path of a file", "<file>", "A file that holds this URL.", { beside: true }),
    schema: text(
      "pushbox",
      /^[a-z_][a-z0-9_]{0,39}$/,
      "a name of at most 40 small letters, digits and underscores",
      "<name>",
      "Schema of the tables, made when missing. Several clusters may share a database under different ones.",
    ),
    ca_file: file("Certificates (PEM) by which PostgreSQL's is checked; empty: as the URL's sslmode says.", {
      beside: true,
    }),
  },
  storage: {
    synchronous: choice(
      "FULL",
      ["FULL", "NORMAL"],
      "FULL: what was answered with success survives a power failure. NORMAL: a crash of the process only.",
    ),
    keep: integer(
      10,
      1,
      10_000,
      "Messages with a time to live that are kept per topic and per device, the newest ones.",
    ),
    keep_by_prefix: countByPrefix(1, 10_000, "The same for topics that start with a prefix."),
    device_days: integer(
      90,
      1,
      36_500,
      "Days after which a device that has no token, no uid and no tags, and was not seen meanwhile, is forgotten.",
    ),
    arrival_days: integer(30, 1, 3650, "Days for which the statistics of a notification are kept."),
    audit_days: integer(366, 1, 36_500, "Days for which it is kept who changed what: the audit log."),
    backups: text(
      "",
      /^[^\0]*$/,
      "the path of a directory",
      "<directory>",
      "Directory of the copies that the console makes and restores; empty: backups in that of the data.",
    ),
  },
  hooks: {
    keep: milliseconds(
      3 * DAY,
      MINUTE,
      30 * DAY,
      "Time for which an event is kept, and sent again to an endpoint that does not take it; then it is a dead letter.",
      { live: true },
    ),
    keep_dead: milliseconds(
      30 * DAY,
      MINUTE,
      3650 * DAY,
      "Time for which a dead letter is kept: an event that its endpoint has not taken in time.",
      { live: true },
    ),
    coalesce: yesNo(
      true,
      "A newer event of a state takes the place of one that still waits; false: every one is sent, for audit.",
      { live: true },
    ),
    topics: list(
      [],
      { test: (prefix) => prefix !== "", expected: 'the beginning of a topic, such as "room:"' },
      "<prefix>",
      "Topics, by prefix, of which it is told who comes and goes.",
      { live: true },
    ),
    max_events: integer(1_000_000, 1000, 100_000_000, "Events that are kept and wait, at most; then the oldest go.", {
      live: true,
    }),
    max_bytes: integer(
      1_073_741_824,
      1_048_576,
      1_099_511_627_776,
      "Bytes of events that are kept and wait, at most.",
      {
        live: true,
      },
    ),
    tell: hookEntries(
      "Where events are sent to, signed by Standard Webhooks; the secret was made for this file. Also: ca_file, allow_private.",
    ),
    ask: askSettings,
  },
  vendors: {
    ca_file: file(
      "Certificates (PEM) to trust besides the usual ones when vendors are called; for tests and proxies.",
      {
        live: true,
        beside: true,
      },
    ),
    proxy: text(
      "",
      (url) => url === "" || (/^https?:\/\/[^\s/]+\/?$/.test(url) && URL.canParse(url)),
      'the URL of a proxy, such as "http://10.0.0.1:3128"',
      "<url>",
      "HTTP proxy through which vendors are called; empty: none.",
      // It may hold a password.
      { live: true, secret: true },
    ),
  },
};

/** A section may have sections of its own: `client.auth`. */
type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type Values<T> = {
  readonly [K in keyof T & string as Camel<K>]: T[K] extends Setting<infer V> ? V : Values<T[K]>;
};

/** One `[[vendors.<name>]]`, not checked yet: that is for whoever speaks to the vendor. */
export interface VendorEntry {
  readonly vendor: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** Of the entry and of each of its keys, as in "pushbox.toml:12". */
  readonly place: string;
  readonly places: Readonly<Record<string, string>>;
}

/** In the order of the file, from whose directory the paths in them are seen; "" without entries. */
export interface VendorEntries {
  readonly entries: readonly VendorEntry[];
  readonly directory: string;
}

/** What holds, with names as they are written in TypeScript: `config.client.maxPayload`. Frozen. */
export type Config = Values<typeof settings> & { readonly vendors: VendorEntries };

type NamesIn<T, Before extends string = ""> = {
  readonly [K in keyof T & string]: T[K] extends Setting<infer _> ? `${Before}${K}` : NamesIn<T[K], `${Before}${K}.`>;
}[keyof T & string];

/** `client.auth.required` */
export type SettingName = NamesIn<typeof settings>;

/** One row of the table, with all of its names. */
export interface Row {
  /** "" at the top; `client.auth`. */
  readonly section: string;
  readonly key: string;
  /** As in the file: `client.max_payload`. */
  readonly name: SettingName;
  /** `--client-max-payload` without the dashes. */
  readonly flag: string;
  /** `PUSHBOX_CLIENT_MAX_PAYLOAD` */
  readonly variable: string;
  readonly setting: Setting<unknown>;
}

const isSetting = (entry: unknown): entry is Setting<unknown> =>
  typeof entry === "object" && entry !== null && "schema" in entry && "fallback" in entry;

function row(section: string, key: string, setting: Setting<unknown>): Row {
  const path = section === "" ? [key] : [...section.split("."), key];
  const flag = setting.flag ?? path.join("-").replaceAll("_", "-");
  return {
    section,
    key,
    name: path.join(".") as SettingName,
    flag,
    variable: `PUSHBOX_${path.join("_").toUpperCase()}`,
    setting,
  };
}

const rowsIn = (section: string, table: object): readonly Row[] =>
  Object.entries(table).flatMap(([key, entry]: [string, unknown]) =>
    isSetting(entry) ? [row(section, key, entry)] : rowsIn(section === "" ? key : `${section}.${key}`, entry as object),
  );

/** All settings, one after the other, in the order of the table. */
export const rows: readonly Row[] = rowsIn("", settings);

/** "" is the first: what stands before any section. */
export const sections: readonly string[] = [...new Set(rows.map((entry) => entry.section))];

/** `max_body` as `maxBody`. */
export const camel = (key: string): string => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Of a row's section, as it is written in TypeScript. */
export const pathOf = ({ section }: Row): readonly string[] => (section === "" ? [] : section.split(".").map(camel));

/** The value of a row in a configuration. */
export function valueIn(config: Config, row: Row): unknown {
  const root = config as unknown as Readonly<Record<string, unknown>>;
  const section = pathOf(row).reduce((table, part) => table[part] as typeof root, root);
  return section[camel(row.key)];
}
