// Reads the configuration: flags before environment before file before defaults. Every problem is found in one go, each with its
// place and with what to write instead. What comes out is complete, checked and frozen.
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { isObject } from "../core/object.ts";
import { isReadable, secretBytes } from "../core/secret.ts";
import { similar } from "../core/similar.ts";
import { askProblems } from "./ask.ts";
import { readEnvironment } from "./environment.ts";
import { lineOf, type Path } from "./line.ts";
import { wayOut } from "./not-toml.ts";
import { postgresUrl } from "./postgres.ts";
import { literal } from "./setting.ts";
import {
  type Config,
  camel,
  pathOf,
  type Row,
  rows,
  sections,
  type VendorEntries,
  type VendorEntry,
  valueIn,
} from "./settings.ts";
import { authKeyProblems, checkAuthorities, checkPair } from "./tls.ts";

export type { Config } from "./settings.ts";

/** Where settings are looked for. */
export interface Given {
  /** Path of the file, from --config or PUSHBOX_CONFIG. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The texts given for a flag, by its name without dashes. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

export type Reading =
  | {
      readonly problems: readonly string[];
      readonly warnings: readonly string[];
      /** As far as they could be read: they may have problems of their own, which are told together with these. */
      readonly vendors: Config["vendors"];
    }
  | {
      readonly problems?: undefined;
      readonly config: Config;
      /** Where a setting's value came from, by name: `default`, `pushbox.toml:3`, `PUSHBOX_DATA`, `--data`. */
      readonly origins: ReadonlyMap<string, string>;
      readonly warnings: readonly string[];
    };

type Table = Readonly<Record<string, unknown>>;
const isTables = (value: unknown): value is readonly Table[] => Array.isArray(value) && value.every(isObject);

/** Collects while the sources are read. */
interface Draft {
  readonly problems: string[];
  readonly values: Map<string, unknown>;
  readonly origins: Map<string, string>;
  /** Settings with a problem: rules that join settings say nothing more of them. */
  readonly spoiled: Set<string>;
  readonly entries: VendorEntry[];
}

/** Reads files, and changes nothing. Never throws for what an operator wrote: see `problems`. */
export function readConfig(given: Given): Reading {
  const draft: Draft = { problems: [], values: new Map(), origins: new Map(), spoiled: new Set(), entries: [] };
  for (const row of rows) {
    draft.values.set(row.name, row.setting.fallback);
    draft.origins.set(row.name, "default");
  }
  if (given.file !== undefined) readFile(given.file, draft);
  const environment = readEnvironment(given.env);
  draft.problems.push(...environment.problems);
  for (const { row, texts, variable } of environment.found) take(row, row.setting.fromText(texts), variable, draft);
  for (const row of rows) {
    const texts = given.flags.get(row.flag);
    if (texts !== undefined) take(row, row.setting.fromText(texts), `--${row.flag}`, draft);
  }
  const warnings = [...environment.warnings, ...(given.file === undefined ? [] : readableByOthers(given.file, draft))];
  const config = assemble(draft.values, {
    entries: draft.entries,
    directory: draft.entries.length === 0 ? "" : dirname(resolve(given.file ?? "")),
  });
  join(config, draft, warnings);
  if (draft.problems.length > 0) return { problems: draft.problems, warnings, vendors: config.vendors };
  return { config: freeze(config), origins: draft.origins, warnings };
}

// ---- the file

function readFile(file: string, draft: Draft): void {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const why = {
      ENOENT: "there is no such file; write one with: pushbox init",
      EISDIR: "this is a directory; name the file in it",
      EACCES: "this user may not read it; change its owner or mode",
    }[(error as NodeJS.ErrnoException).code ?? ""];
    draft.problems.push(`${file}: ${why ?? String(error)}`);
    return;
  }
  let document: Table;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [message = ""] = error.message.split("\n");
    const fault = message.replace(/^Invalid TOML document: /, "");
    draft.problems.push(`${file}:${error.line}:${error.column}: ${wayOut(text, error.line, fault)}`);
    return;
  }
  const at = (path: Path): string => {
    const line = lineOf(text, path);
    return line === undefined ? file : `${file}:${line}`;
  };
  for (const [key, value] of Object.entries(document)) {
    if (sections.some((name) => name === key || name.startsWith(`${key}.`))) {
      if (isObject(value)) readSection(key, value, file, at, draft);
      else
        draft.problems.push(
          `${at([key])}: ${key} is a section; write [${key}] on a line of its own and its settings below`,
        );
    } else readKey("", key, value, file, at, draft);
  }
}

type At = (path: Path) => string;

function readSection(section: string, table: Table, file: string, at: At, draft: Draft): void {
  for (const [key, value] of Object.entries(table)) {
    const inner = `${section}.${key}`;
    if (sections.includes(inner) && isObject(value)) readSection(inner, value, file, at, draft);
    else readKey(section, key, value, file, at, draft);
  }
}

function readKey(section: string, key: string, value: unknown, file: string, at: At, draft: Draft): void {
  const path = section === "" ? [key] : [...section.split("."), key];
  const row = rows.find((candidate) => candidate.section === section && candidate.key === key);
  if (row !== undefined) {
    take(row, besideFile(row, value, dirname(file)), at(path), draft, (rest) => at([...path, ...rest]));
  } else if (section === "vendors" && (isObject(value) || isTables(value))) readVendor(key, value, at, draft);
  else
    draft.problems.push(
      `${at(path)}: unknown ${isObject(value) ? "section" : "setting"} ${path.join(".")}${otherName(section, key)}`,
    );
}

/** With its paths as they are seen from the file's directory. */
function besideFile({ setting: { beside } }: Row, value: unknown, directory: string): unknown {
  const seen = (path: unknown): unknown => (typeof path === "string" && path !== "" ? resolve(directory, path) : path);
  if (beside === true) return seen(value);
  if (typeof beside !== "string" || !isTables(value)) return value;
  return value.map((entry) => (entry[beside] === undefined ? entry : { ...entry, [beside]: seen(entry[beside]) }));
}

/** `[[vendors.NAME]]`: which names and keys there are is known to those who speak to the vendors. */
function readVendor(vendor: string, value: Table | readonly Table[], at: At, draft: Draft): void {
  if (isObject(value)) {
    draft.problems.push(
      `${at(["vendors", vendor])}: vendors.${vendor} is a list, of one entry per app; write [[vendors.${vendor}]]`,
    );
    return;
  }
  for (const [index, entry] of value.entries()) {
    const path = ["vendors", vendor, index];
    const places = Object.keys(entry).map((key) => [key, at([...path, key])]);
    draft.entries.push({ vendor, value: entry, place: at(path), places: Object.fromEntries(places) });
  }
}

/** A setting of that name elsewhere, or of nearly that name here. */
function otherName(section: string, key: string): string {
  const elsewhere = rows
    .filter((row) => row.key === key)
    .map((row) => (row.section === "" ? "the top of the file" : `[${row.section}]`));
  if (elsewhere.length > 0) return `; ${key} belongs in ${elsewhere.join(" or ")}`;
  const here = rows.filter((row) => row.section === section).map((row) => row.key);
  const guess = similar(key, section === "" ? [...here, ...sections.filter((name) => name !== "")] : here);
  if (guess !== undefined) return `; did you mean ${guess}?`;
  const anywhere = rows.find(
    (row) =>
      row.key ===
      similar(
        key,
        rows.map((each) => each.key),
      ),
  );
  return anywhere === undefined ? "; remove it" : `; did you mean ${anywhere.name}?`;
}

function readableByOthers(file: string, draft: Draft): string[] {
  const secrets =
    draft.entries.length > 0 ||
    rows.some((row) => row.setting.secret && draft.origins.get(row.name)?.startsWith(`${file}`));
  if (!secrets || draft.problems.length > 0 || (statSync(file).mode & 0o004) === 0) return [];
  return [`${file} holds keys and every user of this machine can read it: chmod 600 ${file}`];
}

// ---- one value

function take(
  row: Row,
  value: unknown,
  place: string,
  draft: Draft,
  placeOf: (rest: Path) => string = () => place,
): void {
  const { setting } = row;
  const checked = setting.schema.safeParse(value, { error: () => setting.expected });
  if (checked.success) {
    draft.values.set(row.name, checked.data);
    draft.origins.set(row.name, place);
    return;
  }
  draft.spoiled.add(row.name);
  for (const issue of checked.error.issues) {
    const path = issue.path.filter((part) => typeof part !== "symbol");
    const name = path.reduce<string>(
      (so, part) => so + (typeof part === "number" ? `[${part + 1}]` : `.${part}`),
      row.name,
    );
    const where = placeOf(path);
    if (issue.code === "unrecognized_keys") {
      draft.problems.push(`${where}: unknown ${issue.keys.map((key) => `${name}.${key}`).join(", ")}; remove it`);
      continue;
    }
    // What is no list or table has no parts: a text may stand for a list of one.
    const part = typeof value === "object" ? path.reduce<unknown>(inside, value) : value;
    const found = part === undefined ? "is missing" : setting.secret ? "does not fit" : `${shown(part)} does not fit`;
    draft.problems.push(`${where}: ${name}: ${found}; write ${quoteHint(row, value, path) ?? issue.message}`);
  }
}

const inside = (value: unknown, part: string | number): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string | number, unknown>)[part] : undefined;

/** A right value of the wrong type, such as port = "80" or origins = "*", as it has to be written. */
function quoteHint(row: Row, value: unknown, path: Path): string | undefined {
  if (path.length > 0 || row.setting.secret) return undefined;
  const text =
    typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
  if (text === undefined) return undefined;
  const meant = row.setting.fromText([text]);
  if (meant === value || !row.setting.schema.safeParse(meant).success) return undefined;
  return `${row.key} = ${literal(meant)}`;
}

function shown(value: unknown): string {
  const text = literal(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

// ---- all values together

function assemble(values: ReadonlyMap<string, unknown>, entries: VendorEntries): Config {
  const root: Record<string, unknown> = {};
  for (const row of rows) {
    let section = root;
    for (const part of pathOf(row)) {
      section[part] ??= {};
      section = section[part] as Record<string, unknown>;
    }
    section[camel(row.key)] = values.get(row.name);
  }
  Object.assign(root["vendors"] as object, entries);
  // Each value passed the schema of its row, and the type is made of the same rows.
  return root as Config;
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, "");
  return host === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}

const everywhere = new Set(["0.0.0.0", "::", "[::]"]);

/** The sections of ports that can be encrypted. */
export type TlsSection = "client" | "api" | "admin";

/** Those of them that are listened on. */
export const listeners = ({ admin }: Pick<Config, "admin">): readonly TlsSection[] =>
  admin.enabled ? ["client", "api", "admin"] : ["client", "api"];

/** All sections with a port. */
export type PlaceSection = TlsSection | "acme";

/** Those whose port is listened on. */
export const places = (config: Config): readonly PlaceSection[] =>
  domainsOf(config).size === 0 ? listeners(config) : [...listeners(config), "acme"];

/** The rules between settings. A rule with a spoiled setting is left for the next try. */
function join(config: Config, draft: Draft, warnings: string[]): void {
  const rule = (names: readonly string[], check: () => string | readonly string[] | undefined): void => {
    if (names.some((name) => draft.spoiled.has(name))) return;
    const broken = check();
    if (broken === undefined) return;
    const isSet = (name: string): boolean => draft.origins.get(name) !== "default";
    const set = names.find(isSet) ?? names[0]!;
    for (const text of [broken].flat()) {
      const about = names.find((name) => isSet(name) && text.startsWith(`${name}:`)) ?? set;
      draft.problems.push(`${isSet(about) ? draft.origins.get(about) : "configuration"}: ${text}`);
    }
  };
  const { client, api, admin } = config;
  const meet = (one: TlsSection, other: TlsSection): boolean => {
    const [a, b] = [config[one], config[other]];
    return a.port !== 0 && a.port === b.port && (a.host === b.host || everywhere.has(a.host) || everywhere.has(b.host));
  };
  rule(["client.port", "api.port", "client.host", "api.host"], () =>
    meet("client", "api") ? `client.port and api.port are both ${api.port}; give the API a port of its own` : undefined,
  );
  for (const other of ["client", "api"] as const)
    rule(["admin.port", "admin.host", "admin.enabled", `${other}.port`, `${other}.host`], () =>
      admin.enabled && meet(other, "admin")
        ? `${other}.port and admin.port are both ${admin.port}; give the console a port of its own`
        : undefined,
    );
  for (const name of listeners(config)) {
    const { domain, tlsCert, tlsKey } = config[name];
    rule([`${name}.domain`, `${name}.tls_cert`], () =>
      domain !== "" && tlsCert !== ""
        ? `${name}.domain gets its certificate by itself and ${name}.tls_cert names one; leave one of them`
        : undefined,
    );
    const names = [`${name}.tls_cert`, `${name}.tls_key`];
    rule(names, () => {
      if (tlsCert !== "" && tlsKey === "")
        return `${name}.tls_cert is set and ${name}.tls_key is not; name the certificate's key too`;
      if (tlsKey !== "" && tlsCert === "")
        return `${name}.tls_key is set and ${name}.tls_cert is not; name the key's certificate too`;
      if (tlsCert === "") return undefined;
      const pair = checkPair(tlsCert, tlsKey, Date.now());
      warnings.push(...pair.warnings.map((warning) => `${name}: ${warning}`));
      return pair.problems.map((problem) => `${name}.${problem}`);
    });
  }
  acmeRules(config, rule, warnings);
  for (const revision of ["", "_v3"] as const) {
    const [interval, timeout] =
      revision === "" ? [client.pingInterval, client.pingTimeout] : [client.pingIntervalV3, client.pingTimeoutV3];
    rule([`client.ping_interval${revision}`, `client.ping_timeout${revision}`], () =>
      interval + timeout > 900_000
        ? `client.ping_interval${revision} and client.ping_timeout${revision} are ${interval + timeout} together; at most 900000`
        : undefined,
    );
  }
  rule(["api.host", "api.keys", "api.insecure"], () =>
    !isLoopback(api.host) && api.keys.length === 0 && !api.insecure
      ? `api.host ${api.host} can be reached by others and there is no key; add [[api.keys]], or use "127.0.0.1", or accept that anybody can push with --insecure-api`
      : undefined,
  );
  const adminIsSecure = admin.tlsCert + admin.domain !== "";
  rule(["admin.host", "admin.tls_cert", "admin.domain", "admin.insecure", "admin.enabled"], () =>
    admin.enabled && !isLoopback(admin.host) && !adminIsSecure && !admin.insecure
      ? `admin.host ${admin.host} can be reached by others and there is no certificate; set admin.domain, or admin.tls_cert and admin.tls_key, or use "127.0.0.1" with a tunnel (ssh -L ${admin.port}:127.0.0.1:${admin.port}), or accept that passwords can be read on the way with --insecure-admin`
      : undefined,
  );
  rule(["api.keys"], () => {
    const names = api.keys.map((key) => key.name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) return `two api.keys are called ${JSON.stringify(twice)}; give each key a name of its own`;
    return new Set(api.keys.map((key) => key.key)).size < names.length
      ? "two api.keys have the same key; give each name a key of its own"
      : undefined;
  });
  rule(["api.broadcast_keys", "api.keys"], () => {
    const names = api.keys.map((key) => key.name);
    const unknown = api.broadcastKeys.find((name) => !names.includes(name));
    if (unknown === undefined) return undefined;
    const guess = similar(unknown, names);
    return `api.broadcast_keys: no key is called ${JSON.stringify(unknown)}; ${guess === undefined ? "name one of api.keys" : `did you mean ${JSON.stringify(guess)}?`}`;
  });
  const { auth } = client;
  rule(["client.auth.keys", "client.auth.jwks_url", "client.auth.required", "client.auth.required_topics"], () =>
    !hasLogin(config) && (auth.required || auth.requiredTopics.length > 0)
      ? `client.auth.${auth.required ? "required" : "required_topics"} is set and no token could be checked; add [[client.auth.keys]] or jwks_url`
      : undefined,
  );
  rule(["client.auth.jwks_url", "client.auth.issuer", "client.auth.audience"], () => {
    if (auth.jwksUrl === "") return undefined;
    const missing = (["issuer", "audience"] as const).filter((name) => auth[name] === "");
    if (auth.jwksUrl.startsWith("http:") && !isLoopback(new URL(auth.jwksUrl).hostname))
      warnings.push("client.auth.jwks_url is not https: whoever is on the way there can make tokens");
    return missing.length === 0
      ? undefined
      : `client.auth.jwks_url needs client.auth.${missing.join(" and client.auth.")}: its keys sign tokens for others too`;
  });
  rule(["client.auth.keys"], () => authKeyProblems(auth.keys));
  rule(["hooks.ask.url", "hooks.ask.secret", "hooks.ask.questions", "hooks.ask.subscribe_topics"], () =>
    askProblems(config.hooks.ask),
  );
  rule(["hooks.ask.ca_file"], () => {
    const { caFile } = config.hooks.ask;
    return caFile === "" ? undefined : checkAuthorities(caFile).map((problem) => `hooks.ask.ca_file: ${problem}`);
  });
  rule(["engine", "postgres.url", "postgres.url_file"], () => {
    if (config.engine !== "postgres") return undefined;
    const found = postgresUrl(config.postgres);
    return "problem" in found ? found.problem : undefined;
  });
  rule(["postgres.ca_file"], () => {
    const { caFile } = config.postgres;
    return caFile === "" ? undefined : checkAuthorities(caFile).map((problem) => `postgres.ca_file: ${problem}`);
  });
  rule(["vendors.ca_file"], () => {
    const { caFile } = config.vendors;
    return caFile === "" ? undefined : checkAuthorities(caFile).map((problem) => `vendors.ca_file: ${problem}`);
  });
  rule(["hooks.tell"], () => {
    const { tell, topics } = config.hooks;
    const names = tell.map(({ name }) => name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) return `two hooks.tell are called ${JSON.stringify(twice)}; give each a name of its own`;
    if (topics.length === 0 && tell.some(({ events }) => events.some((pattern) => pattern.startsWith("topic."))))
      warnings.push("hooks.topics is empty, so no event of a topic is told: list the beginnings of their names");
    for (const { name, secret } of tell)
      if ([secret].flat().some((text) => isReadable(secretBytes(text) ?? new Uint8Array(1))))
        warnings.push(
          `hooks.tell ${name}: its secret is readable text, as of a manual, so others can guess it: echo whsec_$(openssl rand -base64 32)`,
        );
    return tell.flatMap(({ name, ca_file: file = "" }) =>
      file === "" ? [] : checkAuthorities(file).map((problem) => `hooks.tell ${name}: ca_file: ${problem}`),
    );
  });
  if (admin.insecure && (adminIsSecure || isLoopback(admin.host)))
    warnings.push("admin.insecure has no effect: the console is not served to others without https");
  if (api.insecure && api.keys.length > 0)
    warnings.push("api.insecure has no effect: there are keys, and every call needs one");
  if (api.origins.includes("*") && api.keys.length === 0)
    warnings.push('api.origins is "*" and there is no key: any web page that somebody here looks at can push');
}

type Rule = (names: readonly string[], check: () => string | readonly string[] | undefined) => void;

/** The rules of certificates that are got by naming a domain. */
function acmeRules(config: Config, rule: Rule, warnings: string[]): void {
  const [section] = listeners(config).filter((name) => config[name].domain !== "");
  if (section === undefined) return;
  const { acme } = config;
  rule([`${section}.domain`, "acme.accept_terms", "acme.directory"], () => {
    const { host } = new URL(acme.directory);
    const terms = host.endsWith("letsencrypt.org") ? " (https://letsencrypt.org/repository/)" : "";
    return acme.acceptTerms
      ? undefined
      : `${section}.domain asks ${host} for a certificate, whose terms of service you have to agree to${terms}: write acme.accept_terms = true`;
  });
  for (const name of listeners(config))
    rule([`${name}.port`, "acme.port"], () =>
      acme.port === config[name].port && acme.port !== 0
        ? `${name}.port and acme.port are both ${acme.port}; the authority's question needs a port of its own`
        : undefined,
    );
  rule(["acme.ca_file"], () =>
    acme.caFile === "" ? undefined : checkAuthorities(acme.caFile).map((problem) => `acme.ca_file: ${problem}`),
  );
  for (const name of listeners(config)) {
    const { domain, host } = config[name];
    if (domain !== "" && isLoopback(host))
      warnings.push(`${name}.domain is ${domain}, but ${name}.host ${host} can only be reached from this machine`);
  }
}

/** The domains that are named, each once, with the sections that name it. */
export function domainsOf(config: Config): ReadonlyMap<string, readonly TlsSection[]> {
  const domains = new Map<string, TlsSection[]>();
  for (const section of listeners(config)) {
    const { domain } = config[section];
    if (domain !== "") domains.set(domain, [...(domains.get(domain) ?? []), section]);
  }
  return domains;
}

/** Whether tokens of clients are looked at. */
export const hasLogin = ({ client: { auth } }: Pick<Config, "client">): boolean =>
  auth.keys.length > 0 || auth.jwksUrl !== "";

// ---- changes at run time

export interface Change {
  /** What may hold from now on: the old settings with the new values of those that can change while running. */
  readonly config: Config;
  readonly applied: readonly string[];
  /** Changed in the sources and without effect until the next start. */
  readonly restart: readonly string[];
}

const contents = (entries: readonly VendorEntry[]): string =>
  JSON.stringify(entries.map(({ vendor, value }) => [vendor, value]));

/** What of `next` can be had without a restart. */
export function changes(old: Config, next: Config): Change {
  const values = new Map<string, unknown>();
  const applied: string[] = [];
  const restart: string[] = [];
  for (const row of rows) {
    const [before, after] = [valueIn(old, row), valueIn(next, row)];
    const changed = literal(before) !== literal(after);
    // An API that asks for keys does not begin to let everybody in.
    const opened = row.name === "api.keys" && old.api.keys.length > 0 && next.api.keys.length === 0;
    // Nor does a port that looks at tokens.
    const blinded = row.section === "client.auth" && hasLogin(old) && !hasLogin(next);
    const live = row.setting.live === true && !opened && !blinded;
    values.set(row.name, live ? after : before);
    if (changed) (live ? applied : restart).push(row.name);
  }
  const { entries, directory } = next.vendors;
  if (contents(old.vendors.entries) !== contents(entries)) applied.push("the entries of vendors");
  return { config: freeze(assemble(values, { entries, directory })), applied, restart };
}
