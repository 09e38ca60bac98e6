// Web pages do not call the API, or the console, uninvited. A browser sends what any page asks it to, to this machine and its network too, so a page
// elsewhere could push through whoever looks at it. What tells are `Origin`, `Sec-Fetch-Site` and, against a name that its owner
// lets point here (DNS rebinding), `Host`.
import { isIP } from "node:net";
import type { Head, Header } from "../http/message.ts";
import { askedHeaders, type OriginList, originList } from "../http/origins.ts";

export interface PageRule {
  /** Names, besides `localhost` and any address, that a server answers to that would let in whoever is led here. */
  readonly hosts: readonly string[];
  /** Whose pages may call: see `originList`. */
  readonly origins: readonly string[];
}

export interface Pages {
  /** Why it is not answered to the name that it was called by; undefined: it is. */
  refusesHost(head: Head): string | undefined;
  /** Why the page that called may not; undefined: it may, or it was no page. An invited one gets the headers to read the answer. */
  refusesPage(head: Head): string | undefined;
  set(rule: PageRule): void;
}

/** How a refusal puts it. */
export interface PageWords {
  readonly host: (name: string) => string;
  readonly site: (site: string) => string;
  readonly origin: (origin: string) => string;
}

const API_WORDS: PageWords = {
  host: (name) =>
    `this API has no keys, so it does not answer to the name ${name}: call it by its address, or list the name in api.hosts`,
  site: (site) => `a web page of another site may not call this API (Sec-Fetch-Site: ${site})`,
  origin: (origin) => `web pages of ${origin} may not call this API: list that origin in api.origins to let them`,
};

/** @param words of refusals; those of the API when absent */
export function createPages(initial: PageRule, words = API_WORDS): Pages {
  let origins: OriginList;
  let names: ReadonlySet<string>;
  /** The usual caller calls by one name, again and again. */
  let lastHost = "";

  function set(rule: PageRule): void {
    origins = originList(rule.origins);
    names = new Set(rule.hosts.map((name) => name.toLowerCase()));
    lastHost = "";
  }
  set(initial);

  return {
    refusesHost(head) {
      const host = head.header("host");
      // Without it, it is no browser.
      if (host === lastHost || host === "") return undefined;
      const name = nameIn(host);
      if (unspecified.has(name) || name.startsWith(MAPPED))
        return `${name} is no address to call: call 127.0.0.1 or [::1]`;
      if (name !== "localhost" && isIP(name) === 0 && !names.has(name)) return words.host(shownText(name));
      lastHost = host;
      return undefined;
    },

    refusesPage(head) {
      const origin = head.header("origin");
      const site = head.header("sec-fetch-site");
      if (origin === "" && (site === "" || site === "none" || site === "same-origin")) return undefined;
      if (origin !== "" && origins.has(origin)) {
        head.answerHeaders = corsOf(origins.any ? "*" : origin);
        return undefined;
      }
      if (origins.any || site === "same-origin") return undefined;
      if (site === "" && sameHost(origin, head.header("host"))) return undefined;
      return origin === "" ? words.site(shownText(site)) : words.origin(shownText(origin));
    },

    set,
  };
}

/** What the answer to a preflight says besides: only to an invited page. */
export function preflightHeaders(head: Head): readonly Header[] {
  if (head.answerHeaders.length === 0) return [["Allow", METHODS]];
  return [
    ["Access-Control-Allow-Methods", METHODS],
    ["Access-Control-Allow-Headers", askedHeaders(head.header("access-control-request-headers")) || USUAL_HEADERS],
    ["Access-Control-Max-Age", "600"],
  ];
}

const METHODS = "GET, POST, PUT, DELETE, OPTIONS";
const USUAL_HEADERS = "Content-Type, Authorization, X-Api-Key, Idempotency-Key, X-Request-Id";

/** Some systems take these for this machine, browsers do not, and so say nothing of the page that asked. */
const unspecified = new Set(["0.0.0.0", "::"]);
/** IPv4 written as IPv6 (`::ffff:7f00:1` is 127.0.0.1): leads here too, and is not among what browsers tell the page's site to. */
const MAPPED = "::ffff:";

const corsOf = (origin: string): readonly Header[] => [
  ["Access-Control-Allow-Origin", origin],
  ["Access-Control-Expose-Headers", "X-Request-Id"],
  ...(origin === "*" ? [] : [["Vary", "Origin"] as const]),
];

/** Without port, brackets and the dot of a complete name. */
function nameIn(host: string): string {
  const name = host.startsWith("[") ? host.slice(1).replace(/\].*$/, "") : host.replace(/:\d*$/, "");
  return name.toLowerCase().replace(/\.$/, "");
}

/** The page is one of this very server, in a browser that does not say so itself. */
const sameHost = (origin: string, host: string): boolean =>
  host !== "" && origin.slice(origin.indexOf("://") + 3).toLowerCase() === host.toLowerCase() && origin.includes("://");

/** A stranger's text for a person: short, and nothing in it that a terminal obeys. */
export const shownText = (text: string): string => text.replace(/[^!-~]/g, "?").slice(0, 100);
