// The configuration as text: the file that `pushbox init` writes, and what `pushbox config` prints.
import { literal } from "./setting.ts";
import { type Config, type Row, rows, sections, valueIn } from "./settings.ts";

const mask = "********";

/** Every setting with its default and one line of why; all of it commented out, so that it changes nothing as it is. */
export function initText(randomKey: string): string {
  const lines = [
    "# pushbox: every setting with its default. Remove the # before a setting to change it.",
    "# Times are milliseconds, sizes bytes, paths are seen from where pushbox is started.",
    "# A flag (--client-port) or a variable (PUSHBOX_CLIENT_PORT) of the same name beats this file.",
    "# pushbox check --config FILE finds mistakes. kill -HUP reads the files of the certificates again and applies changes of",
    `# ${live()}; everything else needs a restart.`,
  ];
  for (const section of sections) {
    lines.push("");
    if (section !== "") lines.push(`[${section}]`);
    for (const { key, setting } of rows.filter((row) => row.section === section)) {
      const code = setting.example?.(randomKey) ?? `${key} = ${literal(setting.fallback)}`;
      lines.push(`# ${setting.why}`, ...code.split("\n").map((line) => `#${line}`));
    }
  }
  return `${lines.join("\n")}\n`;
}

const live = (): string =>
  rows
    .filter((row) => row.setting.live)
    .map((row) => row.name)
    .join(", ");

/** The settings that hold and where each came from. Secrets are masked. Valid TOML. */
export function effectiveText(config: Config, origins: ReadonlyMap<string, string>): string {
  const lines = sections.map((section) => {
    const inside = rows.filter((row) => row.section === section);
    const written = inside.map((row) => `${row.key} = ${literal(shown(config, row))}`);
    const width = Math.min(60, Math.max(...written.map((line) => line.length)));
    const settings = written.map((line, at) => `${line.padEnd(width)}  # ${origins.get(inside[at]!.name)}`);
    return [...(section === "" ? [] : [`[${section}]`]), ...settings].join("\n");
  });
  return `${lines.join("\n\n")}\n`;
}

/** The settings that hold, by the names they have in the file. Secrets are masked. */
export function maskedConfig(config: Config): Readonly<Record<string, unknown>> {
  const tree: Record<string, unknown> = {};
  for (const section of sections) {
    const inside = rows.filter((row) => row.section === section).map((row) => [row.key, shown(config, row)]);
    if (section === "") Object.assign(tree, Object.fromEntries(inside));
    else tree[section] = Object.fromEntries(inside);
  }
  return tree;
}

function shown(config: Config, row: Row): unknown {
  const value = valueIn(config, row);
  return row.setting.secret ? masked(value) : value;
}

/** Every text of a secret but its name. */
function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, key === "name" ? inner : masked(inner)]),
    );
  return mask;
}
