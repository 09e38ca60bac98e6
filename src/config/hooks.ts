// `[[hooks.tell]]`: where events are sent to.
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { EVENT_TYPES, isPattern } from "../core/events.ts";
import { EXPECTED_SECRET, secretBytes, secretText } from "../core/secret.ts";
import { similar } from "../core/similar.ts";
import { namesPrivate } from "../http/public.ts";
import { keyName, type Setting } from "./setting.ts";

/** As in the file. */
export interface HookEntry {
  readonly name: string;
  readonly url: string;
  /** One, or several while they are exchanged. */
  readonly secret: string | readonly string[];
  /** Patterns: `user.offline`, `user.*`, `*`. */
  readonly events: readonly string[];
  readonly ca_file?: string | undefined;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
  readonly allow_private?: boolean | undefined;
}

const families = [...new Set(EVENT_TYPES.map((type) => `${type.slice(0, type.indexOf("."))}.*`))];

const expectedUrl = 'an address such as "https://backend.example.com/pushbox"';
const expectedEvents = `a list of types (${EVENT_TYPES.join(", ")}), families (${families.join(", ")}) or "*"`;
const expectedTimeout = "a whole number of milliseconds from 100 to 60_000";
const expected = "[[hooks.tell]] with name, url, secret and events in the file, a JSON object of these elsewhere";

/** Completes "write ...", for an address that nothing is sent to. */
export function wrongUrl(text: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(text)) return expectedUrl;
  const { protocol, hostname, username, password, hash } = new URL(text);
  if (protocol !== "https:" && protocol !== "http:") return expectedUrl;
  if (username + password !== "") return "it without user and password: the signature says who calls";
  if (hash !== "") return "it without the part behind #";
  if (protocol === "http:" && !allowPrivate && !namesPrivate(hostname))
    return "https:// (http:// only for an address of your own network, for localhost, or with allow_private = true)";
  return undefined;
}

const text = (message: string) => z.string({ error: message });
const secret = text(EXPECTED_SECRET).refine((one) => secretBytes(one) !== undefined, { error: EXPECTED_SECRET });
const entry = z
  .strictObject({
    name: text(keyName.expected).regex(keyName.pattern, { error: keyName.expected }),
    url: text(expectedUrl),
    secret: z.union([secret, z.array(secret).min(1).max(10).readonly()], {
      error: `${EXPECTED_SECRET}; or a list of those, while they are exchanged`,
    }),
    events: z
      .array(text(expectedEvents).refine(isPattern, { error: ({ input }) => meant(String(input)) }), {
        error: expectedEvents,
      })
      .min(1, { error: expectedEvents })
      .readonly(),
    ca_file: text("the path of a PEM file").optional(),
    timeout: z.number({ error: expectedTimeout }).int().min(100).max(60_000).optional(),
    allow_private: z.boolean({ error: "true or false" }).optional(),
  })
  .check(({ value, issues }) => {
    const message = wrongUrl(value.url, value.allow_private === true);
    if (message !== undefined) issues.push({ code: "custom", path: ["url"], message, input: value.url });
  });

function meant(pattern: string): string {
  const guess = similar(pattern, [...EVENT_TYPES, ...families]);
  return guess === undefined ? expectedEvents : `${expectedEvents}; did you mean "${guess}"?`;
}

/** In a flag or a variable a JSON array, or one object each time. */
export function hookEntries(why: string): Setting<readonly HookEntry[]> {
  return {
    schema: z.array(entry).readonly(),
    fallback: [],
    why,
    expected,
    argument: "<json>",
    fromText: (texts) => texts.flatMap(parsed),
    list: true,
    secret: true,
    open: shown,
    beside: "ca_file",
    live: true,
    example: () =>
      [
        "[[hooks.tell]]",
        'name = "backend"',
        'url = "https://backend.example.com/pushbox"',
        `secret = "${secretText(randomBytes(32))}"`,
        'events = ["device.*", "user.*", "topic.*"]',
        "timeout = 15000",
      ].join("\n"),
  };
}

/** What is no JSON is refused by the schema. */
function parsed(given: string): unknown {
  try {
    return JSON.parse(given) as unknown;
  } catch {
    return given;
  }
}

/** All but the secrets, and what may be one in an address. */
function shown(key: string, value: unknown): unknown {
  if (key === "secret") return undefined;
  return key === "url" ? String(value).replace(/\?.*$/, "?********") : value;
}
