// The configuration as text: the file that `pushbox init` writes, and what `pushbox config` prints.
import { literal } from "./setting.ts";
import { type Config, type Row, rows, sections, type VendorEntry, valueIn } from "./settings.ts";

const mask = "********";

/** The keys of a vendor's entry whose values may be shown; any other is masked. */
export type OpenKeys = (vendor: string) => ReadonlySet<string>;

/** For the file that `init` writes: a vendor and what its entries may hold. */
export interface VendorExample {
  readonly name: string;
  readonly title: string;
  readonly keys: readonly { readonly name: string; readonly why: string; readonly example: unknown }[];
}

/** Every setting with its default and one line of why; all of it commented out, so that it changes nothing as it is. */
/** What the file says in sentences. */
export interface InitWords {
  /** Lines at its beginning. @param live settings that hold after a reload */
  head(live: string): readonly string[];
  why(name: string, english: string): string;
  readonly vendors: readonly string[];
}

const ENGLISH: InitWords = {
  head: (live) => [
    "pushbox: every setting with its default. Remove the # before a setting to change it.",
    "Times are milliseconds, sizes bytes, paths are seen from where pushbox is started; those of vendors from this file.",
    "A flag (--client-port) or a variable (PUSHBOX_CLIENT_PORT) of the same name beats this file.",
    "pushbox check --config FILE finds mistakes. kill -HUP reads the files of the certificates again and applies changes of",
    `${live} and of the entries of vendors; everything else needs a restart.`,
  ],
  why: (_, english) => english,
  vendors: [
    "Push services of vendors. Each entry is for one app: repeat [[vendors.NAME]] for a further one. The first of a vendor is for",
    "the devices that name no app. Values are examples; most keys can be left out, and pushbox check says which are missing.",
    'A secret may be in a file of its own: app_secret_file = "/run/secrets/xiaomi" instead of app_secret.',
  ],
};

export function initText(
  randomKey: string,
  vendors: readonly VendorExample[] = [],
  { head, why, vendors: aboutVendors }: InitWords = ENGLISH,
): string {
  const lines = head(live()).map((line) => `# ${line}`);
  for (const section of sections) {
    lines.push("");
    if (section !== "") lines.push(`[${section}]`);
    for (const { name, key, setting } of rows.filter((row) => row.section === section)) {
      const code = setting.example?.(randomKey) ?? `${key} = ${literal(setting.fallback)}`;
      lines.push(`# ${why(name, setting.why)}`, ...code.split("\n").map((line) => `#${line}`));
    }
  }
  if (vendors.length > 0) lines.push("", ...aboutVendors.map((line) => `# ${line}`), ...vendorLines(vendors));
  return `${lines.join("\n")}\n`;
}

const vendorLines = (vendors: readonly VendorExample[]): readonly string[] =>
  vendors.flatMap(({ name, title, keys }) => [
    "",
    `# ${title}`,
    `#[[vendors.${name}]]`,
    ...keys.flatMap((key) => [`# ${key.why}`, `#${key.name} = ${literal(key.example)}`]),
  ]);

const live = (): string =>
  rows
    .filter((row) => row.setting.live)
    .map((row) => row.name)
    .join(", ");

/** The settings that hold and where each came from. Secrets are masked. Valid TOML. */
export function effectiveText(config: Config, origins: ReadonlyMap<string, string>, open: OpenKeys): string {
  const lines = sections.map((section) => {
    const inside = rows.filter((row) => row.section === section);
    const written = inside.map((row) => `${row.key} = ${literal(shown(config, row))}`);
    const width = Math.min(60, Math.max(...written.map((line) => line.length)));
    const settings = written.map((line, at) => `${line.padEnd(width)}  # ${origins.get(inside[at]!.name)}`);
    return [...(section === "" ? [] : [`[${section}]`]), ...settings].join("\n");
  });
  const entries = config.vendors.entries.map((entry) =>
    [
      `[[vendors.${entry.vendor}]]  # ${entry.place}`,
      ...Object.entries(shownEntry(entry, open)).map(([key, value]) => literal({ [key]: value }).slice(2, -2)),
    ].join("\n"),
  );
  return `${[...lines, ...entries].join("\n\n")}\n`;
}

/** The settings that hold, by the names they have in the file. Secrets are masked. */
export function maskedConfig(config: Config, open: OpenKeys): Readonly<Record<string, unknown>> {
  const tree: Record<string, unknown> = {};
  for (const section of sections) {
    const inside = rows.filter((row) => row.section === section).map((row) => [row.key, shown(config, row)]);
    let table = tree;
    for (const part of section === "" ? [] : section.split(".")) {
      table[part] ??= {};
      table = table[part] as Record<string, unknown>;
    }
    Object.assign(table, Object.fromEntries(inside));
  }
  const { entries } = config.vendors;
  const names = [...new Set(entries.map(({ vendor }) => vendor))];
  const own = names.map((name) => [
    name,
    entries.filter(({ vendor }) => vendor === name).map((entry) => shownEntry(entry, open)),
  ]);
  return { ...tree, vendors: { ...(tree["vendors"] as object), ...Object.fromEntries(own) } };
}

/** One setting as an operator sees it. */
export interface ShownSetting {
  readonly name: string;
  readonly value: unknown;
  readonly origin: string;
  readonly why: string;
  /** A reload applies a change of it. */
  readonly live: boolean;
}

export interface ShownEntry {
  readonly vendor: string;
  readonly origin: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export const shownSettings = (config: Config, origins: ReadonlyMap<string, string>): readonly ShownSetting[] =>
  rows.map((row) => ({
    name: row.name,
    value: shown(config, row),
    origin: origins.get(row.name) ?? "default",
    why: row.setting.why,
    live: row.setting.live === true,
  }));

export const shownEntries = ({ vendors }: Config, open: OpenKeys): readonly ShownEntry[] =>
  vendors.entries.map((entry) => ({
    vendor: entry.vendor,
    origin: entry.place,
    values: shownEntry(entry, open),
  }));

function shownEntry({ vendor, value }: VendorEntry, open: OpenKeys): Readonly<Record<string, unknown>> {
  const shown = open(vendor);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown.has(key) ? inner : mask]));
}

function shown(config: Config, row: Row): unknown {
  const value = valueIn(config, row);
  return row.setting.secret && value !== "" ? masked(value, opened(row)) : value;
}

/** What may be shown of a key's value in a secret table; undefined: nothing. */
function opened({ setting: { open = ["name"] } }: Row): (key: string, value: unknown) => unknown {
  return typeof open === "function" ? open : (key, value) => (open.includes(key) ? value : undefined);
}

/** Every text of a secret but what is open. */
function masked(value: unknown, open: (key: string, value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((inner) => masked(inner, open));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, open(key, inner) ?? masked(inner, open)]),
    );
  return mask;
}
