// The predecessor's configuration as one of ours: what each of its settings is called here, and what has no equivalent.
import { resolve } from "node:path";
import { literal } from "../config/setting.ts";
import { rows, sections } from "../config/settings.ts";
import { isFields, type Module, Unread, type Value } from "./literal.ts";

export interface OldFile {
  /** As it was named on the command line. */
  readonly name: string;
  /** Where it is: what its paths are seen from. */
  readonly directory: string;
  readonly module: Module;
}

export interface Moved {
  readonly text: string;
  /** What was not taken over, and what to do. */
  readonly notes: readonly string[];
}

export interface Surroundings {
  /** Whether there is a file of this path. */
  readonly exists: (file: string) => boolean;
  /** The app of entries that name none. */
  readonly app: string | undefined;
}

type Kind = "proxy" | "api" | "admin" | "apn-proxy" | "log";

/** Undefined: the name does not say. */
export function kindOf(file: string): Kind | undefined {
  const name = file.split(/[\\/]/).at(-1) ?? "";
  const [, kind] = /config[-_.]?(apn-proxy|proxy|api|admin|log)\b/.exec(name) ?? [];
  return kind as Kind | undefined;
}

/** Why a setting needs none here; the rest of the sentence. */
const NOT_NEEDED: Readonly<Record<string, string>> = {
  instances: "one process serves all",
  mongo: "devices are in the data directory: pushbox import --devices brings them",
  mongo_log: "there is no such database",
  redis: "there is nothing beside pushbox",
  statsCommitThreshold: "statistics are stored as they come",
  notificationBatchSize: "devices are read page by page",
  notificationBufferSize: "the queue is on disk",
  pushAllInterval: "each vendor has a queue of its own; a call may have a rate",
  topicThreshold: "it had no effect",
  routerApiUrls: "it had no effect",
  routerMaxPushIds: "it had no effect",
  tokenTTL: "tokens are kept until their vendor says that they are dead",
  ttl_protocol_version: "clients get what they understand",
  http_remove_headers: "it had no effect",
  ioRedisSentinel: "there is nothing beside pushbox",
  socketTimeout: "it had no effect",
  maxConnections: "connections follow the load",
  api_url: "the console is a part of the server",
  filename: "the log goes to standard output: let systemd or the container keep it",
  rotate_dir: "the log goes to standard output: let systemd or the container keep it",
  console: "the log goes to standard output",
  databaseURL: "FCM is called without it",
};

/** `text` is a whole pushbox.toml, which may have problems of its own: check it. */
export function moveConfig(files: readonly OldFile[], { exists, app }: Surroundings): Moved {
  const notes: string[] = [];
  const taken = new Map<string, unknown>();
  const entries: string[] = [];

  /** Takes a value that the setting allows. */
  function set(name: string, value: unknown, from: string): void {
    const row = rows.find((candidate) => candidate.name === name);
    if (row === undefined) throw new Error(`no setting ${name}`);
    if (row.setting.schema.safeParse(value).success) taken.set(name, value);
    else notes.push(`${from}: ${literal(value)} does not fit ${name}, which is ${row.setting.expected}`);
  }

  function entry(
    vendor: string,
    from: string,
    values: Readonly<Record<string, Value>>,
    missing: readonly string[],
  ): void {
    const lines = [`[[vendors.${vendor}]]`];
    const wrong = [...missing];
    for (const [key, value] of Object.entries(values)) {
      if (value === undefined || value === null) continue;
      if (value instanceof Unread) wrong.push(`${key} is code (line ${value.line}): write its value`);
      else lines.push(literal({ [key]: value }).slice(2, -2));
    }
    if (wrong.length === 0) entries.push(lines.join("\n"));
    else {
      notes.push(`${from}: ${wrong.join("; ")}; then remove the # before [[vendors.${vendor}]]`);
      entries.push(lines.map((line) => `#${line}`).join("\n"));
    }
  }

  function listener(
    section: "client" | "api",
    { name, directory }: OldFile,
    old: Readonly<Record<string, Value>>,
  ): void {
    const { http_port: http, https_port: https, https_cert: cert, https_key: key } = old;
    const places = [cert, key].map((file) => (typeof file === "string" ? resolve(directory, file) : undefined));
    const [certFile, keyFile] = places;
    const secured = https !== undefined && certFile !== undefined && keyFile !== undefined;
    const there = secured && exists(certFile) && exists(keyFile);
    if (typeof http === "number") set(`${section}.port`, http, `${name}: http_port`);
    else if (typeof https === "number" && there) {
      set(`${section}.port`, https, `${name}: https_port`);
      set(`${section}.tls_cert`, certFile, `${name}: https_cert`);
      set(`${section}.tls_key`, keyFile, `${name}: https_key`);
      return;
    }
    if (https === undefined) return;
    const files = secured
      ? ` with ${section}.tls_cert = ${literal(certFile)} and ${section}.tls_key = ${literal(keyFile)}`
      : "";
    notes.push(
      typeof http === "number"
        ? `${name}: https_port ${shown(https)}: there is one port, plain or TLS: set ${section}.port to it${files}, or let a reverse proxy have the other`
        : `${name}: https_port ${shown(https)}: its certificate or key is not there: put the files in place and set ${section}.port${files}`,
    );
  }

  function common(file: OldFile, key: string, value: Value): void {
    const from = `${file.name}: ${key}`;
    const reason = NOT_NEEDED[key];
    if (reason !== undefined) notes.push(`${from} is not needed: ${reason}`);
    else if (value instanceof Unread)
      notes.push(
        `${from} is ${value.isFunction ? "a function" : "code"} (line ${value.line}), which is not run: see what it does, and set that`,
      );
    else notes.push(`${from} is not known`);
  }

  const pathIn = ({ directory }: OldFile, value: Value): string | undefined =>
    typeof value === "string" && !value.includes("-----BEGIN") ? resolve(directory, value) : undefined;

  /** The path of a file that a vendor's entry names, and what is wrong with it. */
  function named(file: OldFile, key: string, value: Value, wrong: string[]): Value {
    if (value instanceof Unread) return value;
    if (typeof value === "string" && value.includes("-----BEGIN")) {
      wrong.push(`${key} is PEM text: write it into a file and name that`);
      return "FILE.pem";
    }
    const path = pathIn(file, value);
    if (path === undefined) wrong.push(`${key} is missing`);
    else if (!exists(path)) wrong.push(`there is no file ${path}`);
    return path;
  }

  const listOf = (value: Value): readonly Value[] => (Array.isArray(value) ? value : [value]);

  /** Each object of a list, or the only one. */
  function each(
    file: OldFile,
    key: string,
    value: Value,
    act: (one: Readonly<Record<string, Value>>, from: string) => void,
  ): void {
    for (const [at, one] of listOf(value).entries()) {
      const from = Array.isArray(value) ? `${file.name}: ${key}[${at}]` : `${file.name}: ${key}`;
      if (isFields(one)) act(one, from);
      else if (one instanceof Unread) common(file, key, one);
      else notes.push(`${from} is no object`);
    }
  }

  /** Xiaomi, Umeng and FCM had one entry for every app. */
  const appOf = (one: Readonly<Record<string, Value>>, wrong: string[]): Value => {
    const name = one["package_name"] ?? one["packageName"] ?? app;
    if (name === undefined) wrong.push("it names no app: give it with --app, or write package_name");
    return name ?? "com.example.app";
  };
  const needed = (one: Readonly<Record<string, Value>>, key: string, wrong: string[]): Value => {
    const value = one[key];
    if (value === undefined || value === null || value === "") wrong.push(`${key} is missing`);
    return typeof value === "number" ? String(value) : value;
  };

  function apns(file: OldFile, value: Value): void {
    each(file, "apns", value, (one, from) => {
      const wrong: string[] = [];
      const bundle = needed(one, "bundleId", wrong);
      const environment =
        typeof one["production"] === "boolean" ? (one["production"] ? "production" : "sandbox") : undefined;
      const { token } = one;
      if (isFields(token)) {
        const key = named(file, "token.key", token["key"], wrong);
        const [keyId, teamId] = [needed(token, "keyId", wrong), needed(token, "teamId", wrong)];
        entry("apns", from, { bundle_id: bundle, key_file: key, key_id: keyId, team_id: teamId, environment }, wrong);
      } else {
        const [cert, key] = [named(file, "cert", one["cert"], wrong), named(file, "key", one["key"], wrong)];
        entry("apns", from, { bundle_id: bundle, cert_file: cert, key_file: key, environment }, wrong);
      }
    });
  }

  function vendor(file: OldFile, key: string, value: Value): void {
    switch (key) {
      case "apns":
        return apns(file, value);
      case "huawei":
        return each(file, key, value, (one, from) => {
          const wrong: string[] = [];
          const values = {
            package_name: appOf(one, wrong),
            client_id: needed(one, "client_id", wrong),
            client_secret: needed(one, "client_secret", wrong),
          };
          entry(key, from, values, wrong);
        });
      case "xiaomi":
        return each(file, key, value, (one, from) => {
          const wrong: string[] = [];
          const silent = one["notify_foreground"] === 0 || one["notify_foreground"] === false;
          const values = {
            package_name: appOf(one, wrong),
            app_secret: needed(one, "app_secret", wrong),
            ...(silent ? { notify_foreground: false } : {}),
          };
          entry(key, from, values, wrong);
        });
      case "umeng":
        return each(file, key, value, (one, from) => {
          const wrong: string[] = [];
          const values = {
            package_name: appOf(one, wrong),
            app_key: needed(one, "appKey", wrong),
            master_secret: needed(one, "masterSecret", wrong),
          };
          entry(key, from, values, wrong);
        });
      case "fcm":
        return each(file, key, value, (one, from) => {
          const wrong: string[] = [];
          const account = named(file, "serviceAccount", one["serviceAccount"], wrong);
          entry(key, from, { package_name: appOf(one, wrong), service_account_file: account }, wrong);
        });
    }
  }

  function onlineFilter(file: OldFile, value: Value): void {
    const from = `${file.name}: topicOnlineFilter`;
    if (value instanceof Unread) return common(file, "topicOnlineFilter", value);
    const filter = Array.isArray(value) ? value : isFields(value) ? { ...value } : undefined;
    if (filter !== undefined) set("api.topic_online_filter", filter, from);
  }

  function proxy(file: OldFile, key: string, value: Value): void {
    const from = `${file.name}: ${key}`;
    if (value instanceof Unread && key !== "bindUid") return common(file, key, value);
    switch (key) {
      case "host":
        return set("client.host", value, from);
      case "pingInterval":
        return set("client.ping_interval_v3", value, from);
      case "pingTimeout":
        return set("client.ping_timeout_v3", value, from);
      case "disconnect_delay":
        return set("client.disconnect_delay", value, from);
      case "topicOnlineFilter":
        return onlineFilter(file, value);
      case "packetDropThreshold":
        // That was of ten seconds.
        if (typeof value === "number" && value > 0) set("client.max_packets_per_second", Math.ceil(value / 10), from);
        return;
      case "bindUid":
        notes.push(
          `${from} is a function, which is not run: clients prove who they are by a token ([client.auth], pushbox token --help), or the backend binds (/api/uid/bind); trust_client_uid believes anybody`,
        );
        return;
      default:
        return common(file, key, value);
    }
  }

  function api(file: OldFile, key: string, value: Value): void {
    const from = `${file.name}: ${key}`;
    switch (key) {
      case "apns":
      case "huawei":
      case "xiaomi":
      case "umeng":
      case "fcm":
        return vendor(file, key, value);
      case "topicOnlineFilter":
        return onlineFilter(file, value);
      case "apiAuth":
        notes.push(
          `${from} is a function, which is not run: callers prove who they are by [[api.keys]]; api.broadcast_keys and api.broadcast_addresses say who may push to everybody or to a tag`,
        );
        return;
      case "apnApiUrls":
        notes.push(
          `${from}: where this machine does not reach Apple itself, write relays = ${value instanceof Unread ? "[...]" : literal(listOf(value))} beside bundle_id in [[vendors.apns]], instead of the key`,
        );
        return;
      default:
        return common(file, key, value);
    }
  }

  for (const file of files) {
    const kind = kindOf(file.name);
    const old = file.module.exports;
    for (const { line, text } of file.module.unread)
      if (!/^(const|let|var)?\s*[\w{},\s]*=?\s*require\(/.test(text))
        notes.push(`${file.name}:${line}: not read: ${text}`);
    if (kind === "proxy") listener("client", file, old);
    if (kind === "api") {
      listener("api", file, old);
      const { host } = old;
      if (host === "localhost" || host === "127.0.0.1" || host === "::1") set("api.host", host, `${file.name}: host`);
      else
        notes.push(
          `${file.name}: host: the API listened on ${host === undefined ? "every address" : shown(host)}, for anybody; it stays on this machine until there are [[api.keys]] and api.host`,
        );
    }
    for (const [key, value] of Object.entries(old)) {
      if (/^https?_(port|key|cert)$/.test(key)) {
        if (kind === "admin" || kind === "apn-proxy")
          notes.push(`${file.name}: ${key} is not needed: the console and /api/apn are parts of the one server`);
        continue;
      }
      if (key === "prefix" && value !== undefined) {
        if (kind === "proxy")
          notes.push(
            `${file.name}: prefix: the devices are in the collection ${shown(value)}_devices: mongoexport --collection ${shown(value)}_devices --out devices.json, then pushbox import --devices devices.json`,
          );
        continue;
      }
      if (kind === "proxy") proxy(file, key, value);
      else if (kind === "api" && key !== "host") api(file, key, value);
      else if (kind === "apn-proxy" && key === "apns") vendor(file, key, value);
      else if (kind === "log" && key === "level")
        set("log_level", value instanceof Unread ? undefined : value, `${file.name}: level`);
      else if (key !== "host") common(file, key, value);
    }
  }
  return { text: written(files, taken, [...new Set(entries)]), notes: [...new Set(notes)] };
}

function written(files: readonly OldFile[], taken: ReadonlyMap<string, unknown>, entries: readonly string[]): string {
  const parts = [
    `# Made by pushbox import of ${files.map(({ name }) => name).join(", ")}. pushbox init writes every setting there is.`,
  ];
  for (const section of sections) {
    const inside = rows.filter((row) => row.section === section && taken.has(row.name));
    if (inside.length === 0) continue;
    const lines = inside.map(({ key, name }) => `${key} = ${literal(taken.get(name))}`);
    parts.push([...(section === "" ? [] : [`[${section}]`]), ...lines].join("\n"));
  }
  return `${[...parts, ...entries].join("\n\n")}\n`;
}

const shown = (value: Value): string => (value instanceof Unread ? `code (line ${value.line})` : literal(value));
