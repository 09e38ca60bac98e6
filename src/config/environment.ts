// Settings in the environment: PUSHBOX_CLIENT_PORT, and for a secret also PUSHBOX_API_KEYS_FILE, the file that holds it.
import { readFileSync } from "node:fs";
import { similar } from "../core/similar.ts";
import { type Row, rows } from "./settings.ts";

type Env = Readonly<Record<string, string | undefined>>;

export interface Environment {
  readonly found: readonly { readonly row: Row; readonly texts: readonly string[]; readonly variable: string }[];
  readonly problems: readonly string[];
  /** Variables that nothing reads. Something else may have set them, so they keep nobody from starting. */
  readonly warnings: readonly string[];
}

/** Read by commands themselves. */
const others = ["PUSHBOX_CONFIG", "PUSHBOX_LANG", "PUSHBOX_API_KEY", "PUSHBOX_API_KEY_FILE"];

/** Where the file of a secret's value is named. */
const fileVariable = (row: Row): string => `${row.variable}_FILE`;

/** Reads the files of secrets too. An empty variable is one that is not set. */
export function readEnvironment(env: Env): Environment {
  const found: { row: Row; texts: readonly string[]; variable: string }[] = [];
  const problems: string[] = [];
  // An empty variable is how compose files spell one that is not set.
  const given = (variable: string): string | undefined =>
    isForeign(variable, env[variable]) ? undefined : env[variable] || undefined;
  for (const row of rows) {
    const text = given(row.variable);
    const file = row.setting.secret === true ? given(fileVariable(row)) : undefined;
    if (text !== undefined && file !== undefined) {
      problems.push(`${fileVariable(row)}: ${row.variable} is set too; leave one of them`);
    } else if (text !== undefined) {
      found.push({ row, texts: [text], variable: row.variable });
    } else if (file !== undefined) {
      const texts = linesOf(file);
      if (typeof texts === "string") problems.push(`${fileVariable(row)}: ${texts}`);
      else found.push({ row, texts, variable: fileVariable(row) });
    }
  }
  return { found, problems, warnings: unknown(env) };
}

function unknown(env: Env): string[] {
  const known = [
    ...rows.map((row) => row.variable),
    ...rows.filter((row) => row.setting.secret === true).map(fileVariable),
    ...others,
  ];
  return Object.keys(env)
    .filter((name) => name.startsWith("PUSHBOX_") && !known.includes(name) && !isForeign(name, env[name]))
    .map((name) => {
      const guess = similar(name, known);
      const advice = guess === undefined ? "pushbox init writes all settings" : `did you mean ${guess}?`;
      return `${name}: unknown variable, without effect; ${advice}`;
    });
}

/**
 * Kubernetes gives every container variables about a service. For those called pushbox, pushbox-api or pushbox-client they look like
 * ours, one even like a port: PUSHBOX_API_PORT=tcp://10.0.0.1:11001
 */
function isForeign(name: string, value = ""): boolean {
  return (
    /^PUSHBOX_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_.*)?)|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)$/.test(name) ||
    (/^PUSHBOX_([A-Z0-9_]+_)?PORT$/.test(name) && (name === "PUSHBOX_PORT" || /^(tcp|udp|sctp):\/\//.test(value)))
  );
}

/** What a file holds, or what is wrong with it. Its text is not shown. */
function linesOf(file: string): readonly string[] | string {
  try {
    const lines = readFileSync(file, "utf8")
      .split(/\r?\n/)
      .filter((line) => line.trim() !== "");
    return lines.length === 0 ? `${file} is empty` : lines;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return `${file} cannot be read (${code}); name a file that this user may read`;
  }
}
