// How a vendor of the lab can be made to misbehave, by name: `--fault`, and the file that changes it while the lab runs.
import type { FakeVendor } from "./fake.ts";
import { isLogin } from "./oauth.ts";
import { type Manner, TELLERS } from "./receipts.ts";
import { ENHANCE_YOUR_CALM, type Fault, INTERNAL_ERROR, type LabServer, REFUSED_STREAM, type Rule } from "./server.ts";

/** What a name does. */
type Misdeed =
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

const own = (failure: string): Misdeed => ({ fault: { kind: "own", failure } });
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
    expired: { ...own("expired-credential"), why: "says that the credential has expired" },
    unavailable: { ...own("unavailable"), why: "UNAVAILABLE" },
    internal: { ...own("internal"), why: "an error of its own" },
    "not-found": { ...own("not-found"), why: "a bare 404" },
    "third-party": { ...own("third-party"), why: "the credentials for another service are missing" },
    "no-right": { ...own("no-right"), vendors: ["harmony"], why: "the app lacks a right" },
    "too-large": { ...own("too-large"), why: "says that the message is too long" },
    sandbox: { token: "sandbox", vendors: ["apns"], why: "the device's token is of the sandbox" },
    "bad-token": { token: "bad", vendors: ["apns"], why: "the device's token is none" },
    "other-topic": { token: "topic", vendors: ["apns"], why: "the device's token is another app's" },
    malformed: { token: "malformed", vendors: ["fcm"], why: "the device's token is none" },
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

/** What was asked for does not exist, or a directory is not the lab's. The text says what to do. */
export class LabMistake extends Error {}

export interface Chosen {
  readonly vendor: string;
  readonly misdeed: Misdeed;
  readonly times: number;
}

/** A vendor of the lab and what belongs to it. */
export interface Culprit {
  readonly fake: FakeVendor;
  readonly server: LabServer;
  /** The token of its device. */
  readonly token: string;
  /** How its receipts come; undefined when it posts none. */
  readonly receipts: { manner: Manner } | undefined;
}

/** "xiaomi=hang", "apns=goaway:3", "all=cut:1". @throws LabMistake */
export function chosenFrom(text: string, vendors: ReadonlyMap<string, FakeVendor>): readonly Chosen[] {
  const [, vendor = "", name = "", times] = /^([^=]+)=([^:]+)(?::(.+))?$/.exec(text.trim()) ?? [];
  const names = vendor === "all" ? [...vendors.keys()] : vendors.has(vendor) ? [vendor] : [];
  if (names.length === 0)
    throw new LabMistake(`${text}: write VENDOR=FAULT with a vendor of ${[...vendors.keys()].join(", ")}, or all`);
  const named = Object.hasOwn(FAULTS, name) ? FAULTS[name] : ownOf(name, vendors);
  if (named === undefined)
    throw new LabMistake(`${text}: write ${vendor}=FAULT with a fault of ${Object.keys(FAULTS).join(", ")}`);
  if (times !== undefined && !/^[1-9]\d{0,8}$/.test(times))
    throw new LabMistake(`${text}: after the colon write how many requests are hit; all are without it`);
  if (times !== undefined && !("fault" in named))
    throw new LabMistake(`${text}: ${name} is not counted; write it without :${times}`);
  const able = names.filter((one) => isAble(vendors.get(one)!, named));
  if (able.length === 0)
    throw new LabMistake(`${text}: ${vendor} cannot; ${name} is for ${ableOf(named, vendors).join(", ")}`);
  return able.map((one) => ({
    vendor: one,
    misdeed: named,
    times: times === undefined ? Number.POSITIVE_INFINITY : Number(times),
  }));
}

/** A failure that a fake knows by this very name. */
function ownOf(kind: string, vendors: ReadonlyMap<string, FakeVendor>): Named | undefined {
  const known = [...vendors.values()].filter(({ kinds = [] }) => kinds.includes(kind)).map(({ name }) => name);
  return known.length === 0 ? undefined : { ...own(kind), vendors: known, why: kind };
}

const ableOf = (named: Named, vendors: ReadonlyMap<string, FakeVendor>): readonly string[] =>
  [...vendors].filter(([, fake]) => isAble(fake, named)).map(([vendor]) => vendor);

/** Vendors that ask for a login before anything is sent. */
const LOGGING_IN = ["fcm", "honor", "huawei", "oppo", "vivo"];

function isAble(fake: FakeVendor, named: Named): boolean {
  if (named.vendors !== undefined) return named.vendors.includes(fake.name);
  if ("lifetime" in named) return fake.login !== undefined;
  if ("receipts" in named) return Object.hasOwn(TELLERS, fake.name);
  if ("token" in named) return true;
  const { fault, of } = named;
  if (of === "logins" || fault.kind === "revoked") return LOGGING_IN.includes(fake.name);
  if (fault.kind === "own") return fake.kinds?.includes(fault.failure) ?? true;
  if (fault.kind === "no-h2" || fault.kind === "no-ping" || fault.kind === "settings") return fake.http2;
  return fault.kind !== "no-h1" || fake.name !== "apns";
}

/** From now on these, and no others. */
export function misbehave(culprits: ReadonlyMap<string, Culprit>, chosen: readonly Chosen[]): void {
  for (const { fake, server, token, receipts } of culprits.values()) {
    server.behave();
    fake.tokens.delete(token);
    if (fake.login !== undefined) fake.login.lifetime = 3600;
    if (receipts !== undefined) receipts.manner = "once";
  }
  for (const { vendor, misdeed, times } of chosen) {
    const { fake, server, token, receipts } = culprits.get(vendor)!;
    if ("token" in misdeed) fake.tokens.set(token, misdeed.token);
    else if ("lifetime" in misdeed) fake.login!.lifetime = misdeed.lifetime;
    else if (!("receipts" in misdeed)) server.misbehave(ruleOf(misdeed, times));
    else if (receipts !== undefined) receipts.manner = misdeed.receipts;
  }
}

function ruleOf({ fault, of }: Extract<Misdeed, { fault: Fault }>, times: number): Rule {
  // A login that fails its own way is another's failure, left for the request after it.
  const sends = fault.kind === "own" || fault.kind === "revoked";
  if (of === "logins") return { fault, times, match: isLogin };
  return sends ? { fault, times, match: (request) => !isLogin(request) } : { fault, times };
}
