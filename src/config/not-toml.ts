// Of a file that is not TOML: what it is instead, and how that is written. It shows no value, which may be a secret.

const UTF_16 = /^\ufffd\ufffd|^.?\0/;

/** @param line from 1; `fault`: what the parser says of it */
export function wayOut(text: string, line: number, fault: string): string {
  if (UTF_16.test(text)) return "the file is UTF-16, and has to be UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW";
  if (text.includes("\0")) return "the file is no text; name the one that pushbox init has written";
  if (/^\s*\{/.test(text))
    return "the file is JSON, and has to be TOML: [client] on a line, then port = 11000 and so on";
  const row = text.split("\n")[line - 1] ?? "";
  const [, section] = /^\s*\[\[?\s*([\w.-]+)/.exec(row) ?? [];
  const [, name, sign, value = ""] = /^\s*([\w.-]+)\s*([:=])\s*(.*)$/.exec(row) ?? [];
  if (fault.includes("redefine")) {
    if (section !== undefined) return `section ${section} is here once more; put its settings below one heading`;
    if (name !== undefined) return `${name} is here once more; leave one`;
  }
  if (section !== undefined || (sign === ":" && value === ""))
    return `in TOML a section is [${section ?? name}] on a line of its own, with its settings below`;
  if (sign === ":" && /^[\w.-]+:\s/.test(row.trimStart()))
    return `in TOML a setting is ${name} = ..., where a text stands in quotes`;
  if (sign === "=" && /^[^\s"'[{=#]/.test(value))
    return `in TOML what is no number, true or false stands in straight quotes: ${name} = "..."`;
  return `${fault}; the line is not TOML`;
}
