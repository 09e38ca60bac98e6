// How a vendor of the lab can be made to misbehave, by name: `--fault`, and the file that changes it while the lab runs. Every
// command's help is made with this one's, so nothing else is loaded here.
import type { Manner } from "./receipts.ts";
import type { Fault } from "./server.ts";

/** RFC 9113, 7. */
const INTERNAL_ERROR = 2;
const REFUSED_STREAM = 7;
const ENHANCE_YOUR_CALM = 11;

/** What a name does. */
export type Misdeed =
  /** To requests that send, or to those for a credential. */
  | { readonly fault: Fault; readonly of?: "logins" }
  /** To the token of the lab's device. */
  | { readonly token: string }
  /** Seconds that credentials live. */
  | { readonly lifetime: number }
  /** To receipts. */
  | { readonly receipts: Manner };

export type Named = Misdeed & {
  readonly why: string;
  /** Without it: all that can. */
  readonly vendors?: readonly string[];
};

/** One that the vendor's fake answers in the vendor's own words. */
export const own = (failure: string): Misdeed => ({ fault: { kind: "own", failure } });
const reply = (status: number, body: string): Misdeed => ({ fault: { kind: "reply", reply: { status, body } } });

const GROUPS: Readonly<Record<string, Readonly<Record<string, Named>>>> = {
  "The vendor refuses, in its own words": {
    throttle: { ...own("throttle"), why: "too many requests" },
    quota: { ...own("quota"), why: "the day's quota is spent" },
    deny: { ...own("denied"), why: "the credentials are refused" },
    dead: { token: "dead", why: "the device's token is not valid any more" },
    partial: { ...own("partial"), why: "the last recipient of each request fails" },
  },
  "Its servers are in trouble": {
    busy: { ...reply(503, "<html>busy</html>"), why: "HTTP 503" },
    "bad-gateway": { ...reply(502, "<html>Bad gateway</html>"), why: "HTTP 502 with another server's page" },
    garbage: { ...reply(200, "<html>hello</html>"), why: "HTTP 200 with another server's page" },
    half: { ...reply(200, '{"code":'), why: "HTTP 200 with half of an answer" },
    "slow-0.2s": { fault: { kind: "slow", milliseconds: 200 }, why: "answers after 0.2 s" },
    slow: { fault: { kind: "slow", milliseconds: 5000 }, why: "answers after 5 s" },
    "slow-20s": { fault: { kind: "slow", milliseconds: 20_000 }, why: "answers after 20 s" },
    hang: { fault: { kind: "never" }, why: "no answer" },
    unfinished: { fault: { kind: "unfinished" }, why: "an answer that never ends" },
    endless: { fault: { kind: "endless", bytes: 30_000_000 }, why: "an answer of 30 MB" },
    reset: { fault: { kind: "reset", code: INTERNAL_ERROR }, why: "the request is cut off (HTTP/2: INTERNAL_ERROR)" },
    refuse: { fault: { kind: "reset", code: REFUSED_STREAM }, why: "the stream is refused (HTTP/2: REFUSED_STREAM)" },
  },
  "Connections break": {
    cut: { fault: { kind: "cut" }, why: "accepts, and TCP is reset before the answer" },
    torn: { fault: { kind: "torn" }, why: "accepts, and TCP is reset in the middle of the answer" },
    "black-hole": { fault: { kind: "black-hole" }, why: "the connection stays and nothing comes through any more" },
    "no-ping": { fault: { kind: "no-ping" }, why: "answers, but no PING (HTTP/2)" },
    "no-tls": { fault: { kind: "no-tls" }, why: "the TLS handshake fails" },
    "no-h2": { fault: { kind: "no-h2" }, why: "refuses HTTP/2" },
    "no-h1": { fault: { kind: "no-h1" }, why: "refuses HTTP/1.1" },
    "one-stream": { fault: { kind: "settings", streams: 1 }, why: "lowers SETTINGS to one stream at a time (HTTP/2)" },
    "no-stream": { fault: { kind: "settings", streams: 0 }, why: "lowers SETTINGS to no stream at all (HTTP/2)" },
  },
  "The server goes away": {
    goaway: {
      fault: { kind: "goaway", code: 0, reason: "Shutdown" },
      why: "answers up to this request and closes the connection (HTTP/2: GOAWAY)",
    },
    "goaway-graceful": {
      fault: { kind: "goaway", code: 0, reason: "Shutdown", graceful: true },
      why: "answers all that are on their way and closes the connection",
    },
    "goaway-silent": {
      fault: { kind: "goaway", code: 0, reason: "Shutdown", silent: true },
      why: "answers none of what it took",
    },
    intolerant: {
      fault: { kind: "intolerant", refusals: 3 },
      why: "closes a connection with the third refusal on it, as APNs does after bad tokens",
    },
    "goaway-error": {
      fault: { kind: "goaway", code: ENHANCE_YOUR_CALM, reason: "IdleTimeout" },
      why: "GOAWAY with error 11, ENHANCE_YOUR_CALM",
    },
  },
  "Its login": {
    revoked: { fault: { kind: "revoked" }, why: "revokes what it has issued, at each request" },
    "short-login": { lifetime: 20, why: "issues credentials for 20 s" },
    "login-busy": { ...reply(503, "<html>busy</html>"), of: "logins", why: "its token endpoint answers HTTP 503" },
    "login-slow": { fault: { kind: "slow", milliseconds: 5000 }, of: "logins", why: "its token endpoint takes 5 s" },
    "login-hang": { fault: { kind: "never" }, of: "logins", why: "its token endpoint does not answer" },
  },
  "Its receipts (with --receipts)": {
    "receipt-twice": { receipts: "twice", why: "each comes twice" },
    "receipt-late": { receipts: "late", why: "each comes after the next one" },
    "receipt-unknown": { receipts: "unknown", why: "with a status that nobody knows" },
    "receipt-forged": { receipts: "forged", why: "with a wrong signature, token or secret" },
  },
  "What only some vendors know": {
    "other-environment": {
      ...own("other-environment"),
      vendors: ["apns"],
      why: "the key is for the other environment",
    },
    "sandbox-key": {
      ...own("sandbox-key"),
      vendors: ["apns"],
      why: "the key is for the sandbox only: production answers 403, the sandbox as always",
    },
    "sandbox-key-odd": {
      ...own("sandbox-key-odd"),
      vendors: ["apns"],
      why: "the same in the word that the live service is said to use",
    },
    "production-key": {
      ...own("production-key"),
      vendors: ["apns"],
      why: "the key is for production only: the sandbox answers 403",
    },
    "counts-jwts": {
      ...own("counts-jwts"),
      vendors: ["apns"],
      why: "a second text of a JWT within 20 minutes is one too many, though it says the same",
    },
    shutdown: { ...own("shutdown"), vendors: ["apns"], why: "503 Shutdown: the server is about to go" },
    idle: { ...own("idle"), vendors: ["apns"], why: "400 IdleTimeout: the connection is about to go" },
    "other-key": {
      ...own("other-key"),
      vendors: ["apns"],
      why: "the connection belongs to another key",
    },
    expired: { ...own("expired-credential"), why: "says that the credential has expired" },
    unavailable: { ...own("unavailable"), why: "UNAVAILABLE" },
    "unavailable-after": {
      ...own("unavailable-after"),
      vendors: ["fcm"],
      why: "UNAVAILABLE, to be asked in 2 minutes",
    },
    "throttle-date": {
      ...own("throttle-date"),
      vendors: ["fcm"],
      why: "too many requests, to be asked at a given date",
    },
    forbidden: { ...own("forbidden"), vendors: ["fcm"], why: "PERMISSION_DENIED" },
    "partial-login": {
      ...own("partial-login"),
      vendors: ["oppo"],
      why: "the last recipient of each request needs a new login",
    },
    "partial-quota": { ...own("partial-quota"), vendors: ["oppo"], why: "the quota ends with the last recipient" },
    "list-quota": { ...own("list-quota"), vendors: ["vivo"], why: "the day's quota of lists is spent" },
    internal: { ...own("internal"), why: "an error of its own" },
    "not-found": { ...own("not-found"), why: "a bare 404" },
    "third-party": { ...own("third-party"), why: "the credentials for another service are missing" },
    "no-right": { ...own("no-right"), vendors: ["harmony"], why: "the app lacks a right" },
    "too-large": { ...own("too-large"), why: "says that the message is too long" },
    sandbox: { token: "sandbox", vendors: ["apns"], why: "the device's token is of the sandbox" },
    "bad-token": { token: "bad", vendors: ["apns"], why: "the device's token is none" },
    "other-topic": { token: "com.example.other", vendors: ["apns"], why: "the device's token is another app's" },
    malformed: { token: "malformed", vendors: ["fcm"], why: "the device's token is none" },
    "third-party-token": {
      token: "third-party",
      vendors: ["fcm"],
      why: "the device's token is Apple's or a browser's, and the project's credentials for those are bad",
    },
    foreign: { token: "foreign", vendors: ["fcm"], why: "the device's token is of another project" },
    failing: { token: "failing", vendors: ["honor"], why: "the device is not reached" },
    blocked: {
      token: "blocked",
      vendors: ["meizu", "oppo", "vivo", "xiaomi"],
      why: "the device is not to be notified",
    },
    inactive: { token: "inactive", vendors: ["vivo"], why: "the device has not been seen for long" },
    daily: { token: "daily", vendors: ["meizu"], why: "the device has had enough for today" },
  },
};

export const FAULTS: Readonly<Record<string, Named>> = Object.assign({}, ...Object.values(GROUPS));

/** A line of help for each. */
export const faultHelp: string = Object.entries(GROUPS)
  .map(([title, names]) => {
    const lines = Object.entries(names).map(
      ([name, { why, vendors }]) =>
        `  ${name.padEnd(18)} ${why}${vendors === undefined ? "" : ` (${vendors.join(", ")})`}`,
    );
    return `${title}:\n${lines.join("\n")}`;
  })
  .join("\n");
