// Names of faults, and what each does to the vendors of a lab.
import type { FakeVendor } from "./fake.ts";
import { FAULTS, type Misdeed, type Named, own } from "./faults.ts";
import { isLogin } from "./oauth.ts";
import { type Manner, TELLERS } from "./receipts.ts";
import type { Fault, LabServer, Rule } from "./server.ts";

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

function isAble(fake: FakeVendor, named: Named): boolean {
  if (named.vendors !== undefined) return named.vendors.includes(fake.name);
  if ("lifetime" in named) return fake.login !== undefined;
  if ("receipts" in named) return Object.hasOwn(TELLERS, fake.name);
  if ("token" in named) return true;
  const { fault, of } = named;
  if (of === "logins" || fault.kind === "revoked") return fake.logsIn === true;
  if (fault.kind === "own") return fake.kinds?.includes(fault.failure) ?? true;
  if (fault.kind === "no-h2" || fault.kind === "no-ping" || fault.kind === "settings") return fake.http2;
  return fault.kind !== "no-h1" || fake.http2Only !== true;
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
