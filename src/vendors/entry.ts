// One entry of the configuration, checked: all problems at once, each naming its key and none quoting a secret.
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { CommonApp } from "./dialect.ts";

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

/** Our address that the vendor tells of arrivals, of which no more than so many characters are taken. */
export function callbackUrl(limit: number) {
  return url.refine((text) => text.length <= limit, `longer than the ${limit} characters the vendor takes`).optional();
}

/** What an entry says of its app: the entry's own keys as they are, beside what every app has. */
export type AppOf<Own extends { readonly package_name: string }> = CommonApp & Omit<Own, "package_name" | "base_url">;

/**
 * The app of an entry that was checked.
 * @param host where its vendor is, unless the entry says something else
 * @param account whose credential it is there
 */
export function appOf<Own extends { readonly package_name: string; readonly base_url?: string | undefined }>(
  { package_name: app, base_url, ...own }: Own,
  host: string,
  account: string | number,
): AppOf<Own> {
  const baseUrl = base_url ?? host;
  return { app, account: `${account}@${baseUrl}`, baseUrl, ...own };
}

function wanted(what: string) {
  return (issue: { readonly input?: unknown }) => (issue.input === undefined ? "is missing" : `must be ${what}`);
}
