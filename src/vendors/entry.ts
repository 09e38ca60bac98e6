// One entry of the configuration, checked: all problems at once, each naming its key and none quoting a secret.
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { Wording } from "../core/language.ts";
import type { Key } from "./dialect.ts";

/** @throws PushError("invalid") */
export function check<T>(vendor: string, shape: z.ZodType<T>, entry: unknown): T {
  const result = shape.safeParse(entry);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => `${[vendor, ...issue.path, key].join(".")}: unknown key`)
      : [`${[vendor, ...issue.path].join(".")}: ${issue.message}`],
  );
  throw new PushError("invalid", problems.join("\n"));
}

/** A text without spaces that fits a header and a form: what ids and secrets are. */
export const word = z
  .string({ error: wanted("a text") })
  .regex(/^[!-~]+$/, "must be ASCII text without spaces, not empty");

/** Vendors' numeric ids, as a number or as text. */
export const numericId = z
  .union([z.int().nonnegative().transform(String), z.string().regex(/^\d{1,15}$/, "must be a number")], {
    error: wanted("a number"),
  })
  .transform(Number);

export const flag = z.boolean({ error: wanted("true or false") });

const url = z
  .string({ error: wanted("a URL") })
  .refine((text) => /^https?:\/\/[^/]/.test(text) && URL.canParse(text), "must be a URL like https://host");

/** Without a name and password in it: those would be shown. */
export const host = url
  .refine((text) => !/^https?:\/\/[^/]*@/.test(text), "must be a URL like https://host")
  .transform((text) => text.replace(/\/+$/, ""));

/** One or more. */
export function list<T>(item: z.ZodType<T>) {
  return z.array(item, { error: wanted("a list") }).min(1, "is empty");
}

const table = z.record(z.string(), z.unknown(), { error: wanted("a table") });

/** One of these texts or numbers and no other. */
export function oneOf<const T extends readonly (string | number)[]>(...values: T) {
  return z.literal(values, { error: wanted(`one of ${values.join(", ")}`) });
}

/** What every vendor's entry may hold. `callback` is the longest URL the vendor takes for its receipts. */
export const common = {
  /** The app these credentials belong to. */
  package_name: word,
  base_url: host.optional(),
  /** Cut what is too long for the vendor; otherwise such a notification is refused. */
  truncate: flag.default(false),
  /** Merged into every message: see fields.ts. */
  fields: table.default({}),
};

export const packageName: Key = {
  name: "package_name",
  why: { en: "The app's package name.", zh: "应用的包名。" },
  example: "com.example.app",
};

/** The keys of `common` but the app's name. `into` is what `fields` are merged into. */
export function commonKeys(host: string, into: string | Wording): readonly Key[] {
  const { en, zh } = typeof into === "string" ? { en: into, zh: ` ${into} ` } : into;
  return [
    {
      name: "base_url",
      why: { en: "Another host, for tests or another region.", zh: "另一个主机地址，用于测试或其他区域。" },
      example: host,
    },
    {
      name: "truncate",
      why: {
        en: "Shorten a text that is too long for the vendor; otherwise such a notification is refused.",
        zh: "文字超过厂商上限时截短；否则拒绝这样的通知。",
      },
      example: false,
    },
    {
      name: "fields",
      why: { en: `Fields of the vendor's own, merged into ${en}.`, zh: `厂商自有字段，合并到${zh}中。` },
      example: {},
    },
  ];
}

/** @param limit characters that the vendor takes */
export function callbackKey(limit: number): Key {
  return {
    name: "callback_url",
    why: {
      en: `Where the vendor tells of arrivals: your address in front of this server, at most ${limit} characters.`,
      zh: `厂商回报送达的地址：您对外转到本服务器的地址，最多 ${limit} 个字符。`,
    },
    example: "https://push.example.com/...",
    secret: true,
  };
}

/** Our address that the vendor tells of arrivals, of which no more than so many characters are taken. */
export function callbackUrl(limit: number) {
  return url.refine((text) => text.length <= limit, `longer than the ${limit} characters the vendor takes`).optional();
}

function wanted(what: string) {
  return (issue: { readonly input?: unknown }) => (issue.input === undefined ? "is missing" : `must be ${what}`);
}
