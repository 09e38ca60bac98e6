// One setting: what may be written, what holds when nothing is, and how a flag's or a variable's text becomes a value.
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { z } from "zod";
import { ALGORITHMS, type Algorithm } from "../core/login.ts";
import { isWeakKey } from "./weak.ts";

export interface Setting<T> {
  /** Its message, and that of every part with rules of its own, completes the sentence "write ...". */
  readonly schema: z.ZodType<T>;
  readonly fallback: T;
  /** One line, for the file that `init` writes and for --help. */
  readonly why: string;
  /** Completes "write ...". */
  readonly expected: string;
  /** What --help shows for the value. */
  readonly argument: string;
  /** Text of a flag or variable as a value for `schema`. Of a list, all of it: given again, or separated by commas. */
  readonly fromText: (texts: readonly string[]) => unknown;
  readonly list?: boolean;
  readonly boolean?: boolean;
  /** The value is never shown. */
  readonly secret?: boolean;
  /** Of a secret list of tables: the keys that are shown all the same, or what is shown of each. Absent: `name`. */
  readonly open?: readonly string[] | ((key: string, value: unknown) => unknown);
  /** A path that in the file is seen from the file's own directory; of a list of tables, the key that is one. */
  readonly beside?: boolean | string;
  /** SIGHUP applies a change; any other setting needs a restart. */
  readonly live?: boolean;
  /** Where it is not the section and the name with dashes. */
  readonly flag?: string;
  /** Lines for `init` instead of `name = default`: for what is written as a table of its own. */
  readonly example?: (randomKey: string) => string;
}

type Options = Partial<Pick<Setting<unknown>, "live" | "secret" | "flag" | "beside" | "argument" | "expected">>;

/** The last one counts, as with any flag that is given twice. */
const last = (texts: readonly string[]): string => texts.at(-1) ?? "";

const parts = (texts: readonly string[]): string[] =>
  texts
    .flatMap((text) => text.split(","))
    .map((part) => part.trim())
    .filter((part) => part !== "");

/** `a=1` as a pair; what has no sign in it keeps its whole text as the name, and the schema refuses the missing value. */
function pair(text: string, sign: string): [string, string | undefined] {
  const at = text.indexOf(sign);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** `a=1,b=2` as an object. */
export const pairs = (texts: readonly string[]): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(parts(texts).map((part) => pair(part, "=")));

const number = (text: string | undefined): unknown =>
  text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;

const count = (n: number): string => n.toString().replace(/\B(?=(\d{3})+$)/g, "_");

/** As text with `_` between its digits, too. */
export function integer(
  fallback: number,
  min: number,
  max: number,
  why: string,
  options: Options = {},
): Setting<number> {
  return {
    schema: z.number().int().min(min).max(max),
    fallback,
    why,
    expected: `a whole number from ${count(min)} to ${count(max)}`,
    argument: "<number>",
    fromText: (texts) => number(last(texts).replaceAll("_", "")),
    ...options,
  };
}

/** A time or a span: said where it is asked for, so that nobody writes seconds. */
export const milliseconds = (fallback: number, min: number, max: number, why: string, options: Options = {}) =>
  integer(fallback, min, max, why, {
    argument: "<milliseconds>",
    expected: `a whole number of milliseconds from ${count(min)} to ${count(max)}`,
    ...options,
  });

/** A flag may be given without a value. */
export function yesNo(fallback: boolean, why: string, options: Options = {}): Setting<boolean> {
  return {
    schema: z.boolean(),
    fallback,
    why,
    expected: "true or false",
    argument: "[true|false]",
    fromText: (texts) => ({ true: true, false: false })[last(texts)] ?? last(texts),
    boolean: true,
    ...options,
  };
}

/** @param words in the order in which --help shows them */
export function choice<const T extends string>(
  fallback: NoInfer<T>,
  words: readonly T[],
  why: string,
  options: Options = {},
): Setting<T> {
  return {
    schema: z.enum(words),
    fallback,
    why,
    expected: `one of ${words.map((word) => JSON.stringify(word)).join(", ")}`,
    argument: `<${words.join("|")}>`,
    fromText: last,
    ...options,
  };
}

/** @param expected completes "write ..." when it does not fit */
export function text(
  fallback: string,
  fits: RegExp | ((text: string) => boolean),
  expected: string,
  argument: string,
  why: string,
  options: Options = {},
): Setting<string> {
  const schema = z.string().refine(typeof fits === "function" ? fits : (text) => fits.test(text), { error: expected });
  return { schema, fallback, why, expected, argument, fromText: last, ...options };
}

/** An address, in brackets too, or a name; without a port. */
export function host(fallback: string, why: string): Setting<string> {
  const expected = 'an address such as "0.0.0.0", "::1" or a host name';
  return {
    ...text(fallback, /^/, expected, "<address>", why),
    schema: z.string().refine(isHost, { error: ({ input }) => apart(String(input)) ?? expected }),
  };
}

/** An address, in brackets too, or a name. What ends in a number is no name, but a wrong address. */
function isHost(text: string): boolean {
  const address = /^\[(.*)\]$/.exec(text)?.[1];
  if (address !== undefined) return isIP(address) === 6;
  return isIP(text) !== 0 || (isHostName(text) && !/(^|\.)\d+$/.test(text));
}

/** The port has a setting of its own. */
function apart(text: string): string | undefined {
  const [, name = "", port] = /^(?:\w+:\/\/)?(\[[^\]]+\]|[^:/]+)(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  if (name === text || !isHost(name)) return undefined;
  return port === undefined ? `host = "${name}"` : `host = "${name}" and port = ${port}`;
}

/** A name that an authority can ask for over HTTP; "" for none. */
export const domain = (why: string): Setting<string> => {
  const expected = 'a name such as "push.example.com"';
  return {
    ...text("", /^/, expected, "<name>", why),
    schema: z
      .string()
      .refine((name) => name === "" || isDomain(name), { error: ({ input }) => domainHint(String(input)) ?? expected })
      .transform((name) => name.toLowerCase()),
  };
};

const isDomain = (name: string): boolean =>
  name.length <= 253 && isIP(name) === 0 && /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.(?!$|\d+$)|$))+$/i.test(name);

function domainHint(given: string): string | undefined {
  if (given.includes("*"))
    return "each name without a star: who owns a whole zone is asked by DNS, which pushbox does not speak";
  if (given.includes(",")) return "one name";
  const name = domainToASCII(given.replace(/^\w+:\/\//, "").replace(/[/:].*$/, ""));
  return name !== given && isDomain(name) ? JSON.stringify(name) : undefined;
}

/** 0 is any free one. */
export const port = (fallback: number, why: string): Setting<number> => ({
  ...integer(fallback, 0, 65_535, why),
  argument: "<port>",
});

/** @param argument what --help shows for one of them */
export function list(
  fallback: readonly string[],
  element: { readonly test: (text: string) => boolean; readonly expected: string },
  argument: string,
  why: string,
  options: Options = {},
): Setting<readonly string[]> {
  return {
    schema: z.array(z.string({ error: element.expected }).refine(element.test, { error: element.expected })).readonly(),
    fallback,
    why,
    expected: `a list: [${JSON.stringify(fallback[0] ?? argument)}]`,
    argument,
    fromText: parts,
    list: true,
    ...options,
  };
}

/** A table of prefixes, in the order written. Which of several that fit decides is for whoever reads it. */
function byPrefix<T>(
  value: z.ZodType<T>,
  fromText: (text: string | undefined) => unknown,
  expected: string,
  argument: string,
  why: string,
  options: Options = {},
): Setting<Readonly<Record<string, T>>> {
  return {
    schema: z.record(z.string(), value).readonly(),
    fallback: {},
    why,
    expected,
    argument,
    fromText: (texts) =>
      Object.fromEntries(
        parts(texts)
          .map((part) => pair(part, "="))
          .map(([k, v]) => [k, fromText(v)]),
      ),
    list: true,
    ...options,
  };
}

/** Of several prefixes that fit the longest decides. */
export const countByPrefix = (
  min: number,
  max: number,
  why: string,
  options: Options = {},
): Setting<Readonly<Record<string, number>>> => {
  const expected = `a whole number from ${count(min)} to ${count(max)} for each prefix, as in { "chat" = 100 }`;
  return byPrefix(
    z.number({ error: expected }).int(expected).min(min, expected).max(max, expected),
    number,
    expected,
    "<prefix=number>",
    why,
    options,
  );
};

export type OnlineDetail = "count" | "devices";

/** The first prefix that fits decides (api 3.7). A plain list of prefixes means counting for each. */
export function onlineFilter(why: string): Setting<Readonly<Record<string, OnlineDetail>>> {
  const expected =
    'a table of prefixes with "count" or "devices", as in { "chatRoom" = "devices" }, or a list of prefixes to count';
  const table = z.record(z.string(), z.enum(["count", "devices"], { error: expected }));
  const setting = byPrefix<OnlineDetail>(
    z.enum(["count", "devices"]),
    (text) => text ?? "count",
    expected,
    "<prefix[=devices]>",
    why,
  );
  return {
    ...setting,
    schema: z
      .preprocess(
        (given) => (Array.isArray(given) ? Object.fromEntries(given.map((prefix) => [prefix, "count"])) : given),
        table,
      )
      .readonly(),
  };
}

export interface ApiKey {
  readonly name: string;
  readonly key: string;
}

export const keyName = {
  pattern: /^[A-Za-z0-9._-]{1,64}$/,
  expected: "a name of up to 64 letters, digits and . _ -",
};

const randomKeyHint =
  "a random one, not an example or a pattern that others guess, as made by pushbox init or: openssl rand -hex 24";

/** Keys that others guess are refused. */
export function apiKeys(why: string, options: Options = {}): Setting<readonly ApiKey[]> {
  const key = "a key of 16 to 256 letters, digits and - . _ ~ + / =";
  const entry = z.strictObject({
    name: z.string({ error: keyName.expected }).regex(keyName.pattern, { error: keyName.expected }),
    // What may follow "Bearer" in a header as it is.
    key: z
      .string({ error: `${key}; in a flag, a variable or its file behind a name, as "backend:KEY"` })
      .regex(/^[A-Za-z0-9._~+/=-]{16,256}$/, { error: key, abort: true })
      .refine((text) => !isWeakKey(text), { error: randomKeyHint }),
  });
  return {
    schema: z.array(entry).readonly(),
    fallback: [],
    why,
    expected: '[[api.keys]] with a name and a key in the file, "name:key" elsewhere',
    argument: "<name:key>",
    fromText: (texts) =>
      parts(texts)
        .map((part) => pair(part, ":"))
        .map(([name, value]) => ({ name, key: value })),
    list: true,
    secret: true,
    example: (randomKey) => `[[api.keys]]\nname = "backend"\nkey = "${randomKey}"`,
    ...options,
  };
}

export interface AuthKey {
  readonly id: string;
  readonly alg: Algorithm;
  /** Of HS256. */
  readonly secret?: string | undefined;
  /** PEM, of all others; as the file spells it. */
  readonly public_key_file?: string | undefined;
}

/** The files are read later: see `authKeyProblems`. */
export function authKeys(why: string, options: Options = {}): Setting<readonly AuthKey[]> {
  const alg = `one of ${ALGORITHMS.map((name) => JSON.stringify(name)).join(", ")}`;
  const id = "the id that tokens name as kid, of 1 to 128 characters";
  const secret = "a secret of 32 characters or more, as RFC 7518 asks for";
  const pem = "the path of a PEM file";
  const entry = z
    .strictObject({
      id: z.string({ error: id }).regex(/^[\x21-\x7e]{1,128}$/, { error: id }),
      alg: z.enum(ALGORITHMS, { error: alg }),
      secret: z
        .string({ error: secret })
        .min(32, { error: secret, abort: true })
        .refine((text) => !isWeakKey(text), { error: randomKeyHint })
        .optional(),
      public_key_file: z
        .string({ error: pem })
        .regex(/^[^\0]+$/, { error: pem })
        .optional(),
    })
    .superRefine((key, context) => {
      const [needs, other] =
        key.alg === "HS256" ? (["secret", "public_key_file"] as const) : (["public_key_file", "secret"] as const);
      if (key[needs] === undefined)
        context.addIssue({ code: "custom", path: [needs], message: needs === "secret" ? secret : pem });
      if (key[other] !== undefined)
        context.addIssue({ code: "custom", path: [other], message: `nothing here: ${key.alg} has a ${needs}` });
    });
  return {
    schema: z.array(entry).max(32).readonly(),
    fallback: [],
    why,
    expected: "at most 32 [[client.auth.keys]], each with id, alg and secret or public_key_file",
    argument: "<id:alg:secret or file>",
    fromText: (texts) =>
      parts(texts).map((part) => {
        const [name, rest = ""] = pair(part, ":");
        const [algorithm, value] = pair(rest, ":");
        return { id: name, alg: algorithm, [algorithm === "HS256" ? "secret" : "public_key_file"]: value };
      }),
    list: true,
    secret: true,
    open: ["id", "alg", "public_key_file"],
    beside: "public_key_file",
    example: (randomKey) =>
      `[[client.auth.keys]]\nid = "1"\nalg = "HS256"                # RS256, ES256, EdDSA: public_key_file\nsecret = "${randomKey}"`,
    ...options,
  };
}

export const origin = {
  expected: '"*" for any, or an origin such as "https://example.com" or "https://*.example.com"',
  test: (text: string): boolean => {
    if (text === "*") return true;
    // The star is one label; a whole top-level domain is nobody's.
    const plain = text.replace(/^(\w[\w+.-]*:\/\/)\*\.(?=[\w-]+\.[\w-])/, "$1star.");
    if (plain.includes("*")) return false;
    try {
      const url = new URL(plain);
      return url.origin === plain || `${url.protocol}//${url.host}` === plain;
    } catch {
      return false;
    }
  },
};

export const hostName = {
  expected: 'a name such as "push.example.com", without scheme, port or star; addresses need not be listed',
  test: (text: string): boolean => isHostName(text) && isIP(text) === 0,
};

const isHostName = (text: string): boolean =>
  text.length <= 253 && /^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/.test(text) && !text.includes("..");

/** One address, or a network such as 10.0.0.0/8. */
export const network = {
  expected: 'an address or a network, such as "10.1.2.3", "10.0.0.0/8" or "::1"',
  test: (text: string): boolean => {
    const [address = "", bits] = pair(text, "/");
    const family = isIP(address);
    if (family === 0) return false;
    return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  },
};

/** A value as TOML writes it on one line. */
export function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(
      ([key, inner]) => `${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)} = ${literal(inner)}`,
    );
    return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
