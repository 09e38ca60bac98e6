// The vendors this server can push through, opened from the configuration's entries. A further vendor is one file, and one line at
// the end of this one.
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { Wording } from "../core/language.ts";
import type { VendorTraits } from "../core/traits.ts";
import type { AppId, Receipt, Vendor, VendorName } from "../core/vendor.ts";
import { apns } from "./apns.ts";
import { apnsRelay } from "./apns-relay.ts";
import { createVendor } from "./client.ts";
import type { CommonApp, Dialect, Key, ReadFile } from "./dialect.ts";
import { secretKey } from "./entry-keys.ts";
import { fcm } from "./fcm.ts";
import { isFields } from "./fields.ts";
import { honor } from "./honor.ts";
import { harmony, huawei } from "./huawei.ts";
import type { Network } from "./line.ts";
import { meizu } from "./meizu.ts";
import { oppo } from "./oppo.ts";
import { umeng } from "./umeng.ts";
import { vivo } from "./vivo.ts";
import { webpush } from "./webpush.ts";
import { xiaomi } from "./xiaomi.ts";

/** One `[[vendors.<name>]]` as it was read: plain values, and where they stand. */
export interface Entry {
  readonly vendor: string;
  readonly value: unknown;
  /** Of the entry and of each of its keys, as in "pushbox.toml:12". */
  readonly place: string;
  readonly places: Readonly<Record<string, string>>;
}

interface CallbackRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: string;
  readonly body: string;
}

/** What the vendor posted for one app. @throws PushError: "denied" for a wrong signature, "invalid" for nonsense */
interface Receive {
  (request: CallbackRequest): readonly Receipt[];
  /** The entry's `receipt_secret`: only a URL with it in its path is the vendor's. No two apps of a vendor share one. */
  readonly receiptSecret?: string;
  /** What the vendor wants to read then, where a 200 is not enough. */
  readonly answer?: Readonly<Record<string, unknown>>;
}

export interface Vendors {
  /** The first of a vendor's `apps` is that of the first entry: the default where a token names none. */
  readonly byName: ReadonlyMap<VendorName, Vendor>;
  /** Of the vendors that post receipts. */
  readonly receipts: ReadonlyMap<VendorName, ReadonlyMap<AppId, Receive>>;
  /** Which vendor serves a token's type (core/device.ts); only of vendors that are open. */
  readonly tokenTypes: ReadonlyMap<string, VendorName>;
  /** Apps that are reached through another server: not to be offered to others, or it could go in a circle. */
  readonly relayed: ReadonlySet<AppId>;
  /** Each with its place and key; nothing else is of use while there are any. */
  readonly problems: readonly string[];
}

/**
 * Checks the entries, one per app, and opens each vendor that has some. Connects nothing yet, so what is not used need not be
 * closed. To reload, open again, use the new ones when there are no problems, and close the old vendors: that waits for what
 * they are sending.
 * @param definitions of the vendors there are
 */
export function openVendors(
  entries: readonly Entry[],
  read: ReadFile,
  now: number,
  network: Network = {},
  definitions: readonly VendorDefinition[] = VENDORS,
): Vendors {
  const known = definitions.map(({ name }) => name);
  const problems = entries
    .filter(({ vendor }) => !known.includes(vendor))
    .map(({ vendor, place }) => `${place}: vendors.${vendor}: unknown vendor; one of ${known.join(", ")}`);
  const byName = new Map<VendorName, Vendor>();
  const receipts = new Map<VendorName, ReadonlyMap<AppId, Receive>>();
  const tokenTypes = new Map<string, VendorName>();
  const relayed = new Set<AppId>();
  for (const definition of definitions) {
    const own = entries
      .filter((entry) => entry.vendor === definition.name)
      .map((entry, index) => ({ ...entry, which: `vendors.${definition.name}[${index + 1}]` }));
    if (own.length === 0) continue;
    const opened = definition.open(own, read, now, network);
    problems.push(...opened.problems);
    byName.set(definition.name, opened.vendor);
    if (opened.receipts.size > 0) receipts.set(definition.name, opened.receipts);
    for (const app of opened.relayed ?? []) relayed.add(app);
    for (const type of definition.tokenTypes) tokenTypes.set(type, definition.name);
  }
  return { byName, receipts, tokenTypes, relayed, problems };
}

/** What can be known and opened of a vendor without the kind of app that its dialect has: nobody else needs to know. */
export interface VendorDefinition {
  readonly name: VendorName;
  readonly title: Wording;
  readonly tokenTypes: readonly string[];
  readonly traits: VendorTraits;
  /** All that an entry may hold. */
  readonly keys: readonly Key[];
  /** @param taken apps that have entries elsewhere */
  open(entries: readonly OwnEntry[], read: ReadFile, now: number, network: Network, taken?: readonly AppId[]): Opened;
}

interface OwnEntry extends Entry {
  /** For problems: "vendors.apns[1]" is the first of its vendor. */
  readonly which: string;
}

interface Opened {
  readonly vendor: Vendor;
  readonly receipts: ReadonlyMap<AppId, Receive>;
  readonly relayed?: readonly AppId[];
  readonly problems: readonly string[];
}

const receiptSecretKey = secretKey("receipt_secret", {
  en: "In the path of the address that the vendor posts its receipts to, so that nobody else can: 16 characters or more.",
  zh: "放在厂商回执地址的路径中，使他人无法冒充：至少 16 个字符。",
});
const secretShape = z
  .string("must be a text")
  .regex(/^[\w.~-]{16,}$/, "must be 16 or more letters, digits and - . _ ~")
  .optional();

/** What the server knows of a vendor before any entry of it is opened. */
export function define<App extends CommonApp>(dialect: Dialect<App>): VendorDefinition {
  const { name, title, tokenTypes } = dialect;
  const keys = dialect.receipts === undefined ? dialect.keys : [...dialect.keys, receiptSecretKey];
  return {
    name,
    title,
    tokenTypes,
    traits: traitsOf(dialect),
    keys,
    open(entries, read, now, network, taken = []) {
      const problems: string[] = [];
      const apps = new Map<AppId, App>();
      const secrets = new Map<AppId, string>();
      for (const entry of entries) {
        const say = (key: string | undefined, text: string): void => {
          const place = entry.places[key?.split(".")[0] ?? ""] ?? entry.place;
          problems.push(`${place}: ${entry.which}${key === undefined ? "" : `.${key}`}: ${text}`);
        };
        const { own, secret } = withoutSecret(dialect, withSecretFiles(entry.value, keys, read, say));
        const checked = secretShape.safeParse(secret);
        if (!checked.success) say("receipt_secret", checked.error.issues[0]!.message);
        else if ([...secrets.values()].includes(checked.data ?? "")) say("receipt_secret", "another app has the same");
        try {
          const app = dialect.parse(own, read, now);
          if (apps.has(app.app) || taken.includes(app.app)) say(undefined, `${app.app} has an entry already`);
          apps.set(app.app, app);
          if (checked.data !== undefined) secrets.set(app.app, checked.data);
        } catch (error) {
          if (!(error instanceof PushError)) throw error;
          for (const line of error.message.split("\n")) {
            const [, key, text = line] = /^\w+(?:\.(\S+))?: (.*)$/.exec(line) ?? [];
            const hint = text === "unknown key" ? `; the keys are ${keys.map((each) => each.name).join(", ")}` : "";
            say(key, text + hint);
          }
        }
      }
      return {
        vendor: createVendor(dialect, [...apps.values()], network),
        receipts: receive(dialect, apps, secrets),
        problems,
      };
    },
  };
}

/** Plain values: a thread gets a copy. */
function traitsOf<App extends CommonApp>(dialect: Dialect<App>): VendorTraits {
  const {
    name,
    tokenTypes,
    statistics,
    tellsNoArrival,
    alsoConnected,
    shows,
    datesDeaths,
    noise,
    hexadecimal,
    typeAfterDeath,
  } = dialect;
  return {
    name,
    tokenTypes,
    ...(statistics === undefined ? {} : { statistics }),
    ...(tellsNoArrival === undefined ? {} : { tellsNoArrival }),
    ...(alsoConnected === undefined ? {} : { alsoConnected }),
    ...(shows === undefined ? {} : { shows }),
    ...(datesDeaths === undefined ? {} : { datesDeaths }),
    ...(noise === undefined ? {} : { noise }),
    ...(hexadecimal === undefined ? {} : { hexadecimal }),
    ...(typeAfterDeath === undefined ? {} : { typeAfterDeath }),
  };
}

/** A secret may be in a file of its own, as Docker and Kubernetes hand them out: `app_secret_file` instead of `app_secret`. */
function withSecretFiles(
  value: unknown,
  keys: readonly Key[],
  read: ReadFile,
  say: (key: string, text: string) => void,
): unknown {
  if (!isFields(value)) return value;
  const given = new Map<string, unknown>(Object.entries(value));
  for (const { name, secret } of keys) {
    const file = value[`${name}_file`];
    if (secret !== true || file === undefined || keys.some((key) => key.name === `${name}_file`)) continue;
    given.delete(`${name}_file`);
    if (value[name] !== undefined) {
      say(`${name}_file`, `${name} is there too; leave one of them`);
      continue;
    }
    try {
      if (typeof file !== "string") throw new Error("must be a file's name");
      const text = read(file).trim();
      if (text === "") throw new Error(`${file} is empty`);
      given.set(name, text);
    } catch (error) {
      say(`${name}_file`, error instanceof Error ? error.message : String(error));
    }
  }
  return Object.fromEntries(given);
}

/** The receipt's secret is no vendor's business, so dialects do not know it. */
function withoutSecret<App extends CommonApp>(dialect: Dialect<App>, value: unknown) {
  if (dialect.receipts === undefined || !isFields(value)) return { own: value, secret: undefined };
  const { receipt_secret: secret, ...own } = value;
  return { own, secret };
}

function receive<App extends CommonApp>(
  dialect: Dialect<App>,
  apps: ReadonlyMap<AppId, App>,
  secrets: ReadonlyMap<AppId, string>,
): ReadonlyMap<AppId, Receive> {
  const { receipts } = dialect;
  if (receipts === undefined) return new Map();
  return new Map(
    [...apps].map(([id, app]) => {
      const receiptSecret = secrets.get(id);
      const take = (request: CallbackRequest) => receipts.call(dialect, app, request);
      return [
        id,
        Object.assign(take, {
          ...(receiptSecret === undefined ? {} : { receiptSecret }),
          ...(dialect.receiptAnswer === undefined ? {} : { answer: dialect.receiptAnswer }),
        }),
      ];
    }),
  );
}

/** One vendor, reached directly or through others who have `key` in their entries. Lanes and statistics do not tell them apart. */
function orRelayed(direct: VendorDefinition, relay: VendorDefinition, key: string): VendorDefinition {
  const known = new Set(direct.keys.map(({ name }) => name));
  const isRelayed = ({ value }: Entry): boolean => isFields(value) && value[key] !== undefined;
  return {
    ...direct,
    keys: [...direct.keys, ...relay.keys.filter(({ name }) => !known.has(name))],
    open(entries, read, now, network) {
      const own = direct.open(
        entries.filter((entry) => !isRelayed(entry)),
        read,
        now,
        network,
      );
      const others = relay.open(entries.filter(isRelayed), read, now, network, own.vendor.apps);
      return {
        vendor: joined(own.vendor, others.vendor, entries[0] !== undefined && isRelayed(entries[0])),
        receipts: own.receipts,
        relayed: others.vendor.apps,
        problems: [...own.problems, ...others.problems],
      };
    },
  };
}

function joined(own: Vendor, others: Vendor, othersFirst: boolean): Vendor {
  if (others.apps.length === 0) return own;
  if (own.apps.length === 0) return others;
  const part = (app: AppId): Vendor => (others.apps.includes(app) ? others : own);
  return {
    ...own,
    apps: othersFirst ? [...others.apps, ...own.apps] : [...own.apps, ...others.apps],
    part,
    weigh: (app, note, now) => part(app).weigh?.(app, note, now) ?? { weights: [] },
    send: (app, note, to, now) => part(app).send(app, note, to, now),
    expires: (app) => part(app).expires?.(app),
    close: async () => void (await Promise.all([own.close(), others.close()])),
  };
}

/** Every vendor that there is, one line each, by name. */
export const VENDORS: readonly VendorDefinition[] = [
  orRelayed(define(apns), define(apnsRelay), "relays"),
  define(fcm),
  define(harmony),
  define(honor),
  define(huawei),
  define(meizu),
  define(oppo),
  define(umeng),
  define(vivo),
  define(webpush),
  define(xiaomi),
];

/** For who counts, stores and connects without knowing any vendor. */
export const TRAITS: readonly VendorTraits[] = VENDORS.map(({ traits }) => traits);
