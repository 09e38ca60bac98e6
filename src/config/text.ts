// The configuration as text: the file that `pushbox init` writes, and what `pushbox config` prints.
import type { Language, Wording } from "../core/language.ts";
import { SETTINGS } from "./chinese.ts";
import { literal } from "./setting.ts";
import { type Config, type Row, rows, sections, type VendorEntry, valueIn } from "./settings.ts";

const mask = "********";

/** The keys of a vendor's entry whose values may be shown; any other is masked. */
export type OpenKeys = (vendor: string) => ReadonlySet<string>;

/** What the keys of a vendor's entry are for, by name. */
export type KeyWords = (vendor: string) => ReadonlyMap<string, Wording>;

/** For the file that `init` writes: a vendor and what its entries may hold. */
export interface VendorExample {
  readonly name: string;
  readonly title: Wording;
  readonly keys: readonly { readonly name: string; readonly why: Wording; readonly example: unknown }[];
}

/** What the file says besides what each setting is for. */
interface FileWords {
  /** Lines at its beginning. @param live settings that hold after a reload */
  head(live: string): readonly string[];
  readonly vendors: readonly string[];
}

const FILE: Readonly<Record<Language, FileWords>> = {
  en: {
    head: (live) => [
      "pushbox: every setting with its default. Remove the # before a setting to change it.",
      "Times are milliseconds, sizes bytes, paths are seen from where pushbox is started; those of vendors from this file.",
      "A flag (--client-port) or a variable (PUSHBOX_CLIENT_PORT) of the same name beats this file.",
      "pushbox check --config FILE finds mistakes. kill -HUP reads the files of the certificates again and applies changes of",
      `${live} and of the entries of vendors; everything else needs a restart.`,
    ],
    vendors: [
      "Push services of vendors. Each entry is for one app: repeat [[vendors.NAME]] for a further one. The first of a vendor is for",
      "the devices that name no app. Values are examples; most keys can be left out, and pushbox check says which are missing.",
      'A secret may be in a file of its own: app_secret_file = "/run/secrets/xiaomi" instead of app_secret.',
    ],
  },
  zh: {
    head: (live) => [
      "pushbox：全部配置项及其默认值。要修改某项，去掉它前面的 #。",
      "时间单位为毫秒，大小单位为字节；路径相对于启动 pushbox 的目录，厂商条目中的路径相对于本文件。",
      "同名的命令行参数（--client-port）和环境变量（PUSHBOX_CLIENT_PORT）优先于本文件。",
      "pushbox check --config FILE 检查错误。kill -HUP 重新读取证书文件，并使以下配置项和厂商条目的更改生效，其余需要重启：",
      live,
    ],
    vendors: [
      "厂商推送服务。每个条目对应一个应用：再写一个 [[vendors.名称]] 即可增加一个。每个厂商的第一个条目用于没有指明应用的设备。",
      "值为示例；多数项可以省略，缺少哪些由 pushbox check 指出。",
      '密钥也可放在单独的文件中：用 app_secret_file = "/run/secrets/xiaomi" 代替 app_secret。',
    ],
  },
};

const whyOf = ({ name, setting }: Row, language: Language): string =>
  language === "zh" ? SETTINGS[name] : setting.why;

/** Every setting with its default and one line of why; all of it commented out, so that it changes nothing as it is. */
export function initText(randomKey: string, vendors: readonly VendorExample[] = [], language: Language = "en"): string {
  const words = FILE[language];
  const lines = words.head(live()).flatMap((line) => wrapped(line).map((part) => `# ${part}`));
  for (const section of sections) {
    lines.push("");
    if (section !== "") lines.push(`[${section}]`);
    for (const row of rows.filter((one) => one.section === section)) {
      const { key, setting } = row;
      const code = setting.example?.(randomKey) ?? `${key} = ${literal(setting.fallback)}`;
      lines.push(`# ${whyOf(row, language)}`, ...code.split("\n").map((line) => `#${line}`));
    }
  }
  if (vendors.length > 0)
    lines.push("", ...words.vendors.map((line) => `# ${line}`), ...vendorLines(vendors, language));
  return `${lines.join("\n")}\n`;
}

const vendorLines = (vendors: readonly VendorExample[], language: Language): readonly string[] =>
  vendors.flatMap(({ name, title, keys }) => [
    "",
    `# ${title[language]}`,
    `#[[vendors.${name}]]`,
    ...keys.flatMap((key) => [`# ${key.why[language]}`, `#${key.name} = ${literal(key.example)}`]),
  ]);

const WIDEST = 130;

/** As lines that an editor and a terminal show whole, broken at spaces. */
function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDEST) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

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
  /** What each of them is for. */
  readonly why: Readonly<Record<string, string>>;
}

/** Secrets are masked. @param origins by the setting's name */
export const shownSettings = (
  config: Config,
  origins: ReadonlyMap<string, string>,
  language: Language = "en",
): readonly ShownSetting[] =>
  rows.map((row) => ({
    name: row.name,
    value: shown(config, row),
    origin: origins.get(row.name) ?? "default",
    why: whyOf(row, language),
    live: row.setting.live === true,
  }));

/** Values whose keys `open` does not name are masked. */
export const shownEntries = (
  { vendors }: Config,
  open: OpenKeys,
  words: KeyWords,
  language: Language,
): readonly ShownEntry[] =>
  vendors.entries.map((entry) => ({
    vendor: entry.vendor,
    origin: entry.place,
    values: shownEntry(entry, open),
    why: whyOfEntry(entry, words(entry.vendor), language),
  }));

/** A secret that is in a file of its own is for what the key without `_file` is for. */
function whyOfEntry(
  { value }: VendorEntry,
  words: ReadonlyMap<string, Wording>,
  language: Language,
): Readonly<Record<string, string>> {
  const named = Object.keys(value).map((key) => [key, words.get(key) ?? words.get(key.replace(/_file$/, ""))] as const);
  return Object.fromEntries(named.flatMap(([key, why]) => (why === undefined ? [] : [[key, why[language]]])));
}

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
