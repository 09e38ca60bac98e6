// The clock of this machine against those of the vendors that are configured: they refuse signatures of another time. Each tells its own
// in the header Date of any answer.
import { connect } from "node:http2";
import type { VendorEntry } from "../../config/settings.ts";
import { MINUTE } from "../../core/time.ts";

interface Finding {
  readonly part: "clock";
  readonly level: "ok" | "warning" | "wrong";
  readonly text: string;
}

/** Where each answers anybody, unless its entry names another place by `base_url`. */
const PLACES: Readonly<Record<string, string>> = {
  apns: "https://api.push.apple.com",
  fcm: "https://fcm.googleapis.com",
  huawei: "https://push-api.cloud.huawei.com",
  honor: "https://push-api.cloud.hihonor.com",
  xiaomi: "https://api.xmpush.xiaomi.com",
  oppo: "https://api.push.oppomobile.com",
  vivo: "https://api-push.vivo.com.cn",
};
/** These speak HTTP/2 only. */
const ONLY_HTTP2: ReadonlySet<string> = new Set(["apns"]);
const MOST_OFF = MINUTE;
const PATIENCE = 3000;

/** A finding for each place that is asked, also where it does not answer; with no vendor one that says so. */
export async function clocks(entries: readonly Pick<VendorEntry, "vendor" | "value">[]): Promise<readonly Finding[]> {
  const places = new Map<string, string>();
  for (const { vendor, value } of entries) {
    const own = value["base_url"];
    const place = typeof own === "string" ? URL.parse(own)?.origin : PLACES[vendor];
    if (place !== undefined) places.set(place, vendor);
  }
  if (places.size === 0)
    return [{ part: "clock", level: "ok", text: `${new Date().toISOString()}; compared with nobody's` }];
  return await Promise.all([...places].map(([place, vendor]) => clockOf(place, vendor)));
}

async function clockOf(place: string, vendor: string): Promise<Finding> {
  const part = "clock";
  let date: string | undefined;
  try {
    date = await (ONLY_HTTP2.has(vendor) ? dateByHttp2(place) : dateOf(place));
  } catch {
    return { part, level: "warning", text: `${place} cannot be reached, so its clock is not known` };
  }
  const their = Date.parse(date ?? "");
  if (Number.isNaN(their)) return { part, level: "ok", text: `${place} answers without telling its time` };
  const off = Math.round((Date.now() - their) / 1000);
  const text = off === 0 ? `as that of ${place}` : `${Math.abs(off)} s ${off < 0 ? "behind" : "ahead of"} ${place}`;
  if (Math.abs(off) * 1000 <= MOST_OFF) return { part, level: "ok", text };
  return {
    part,
    level: "wrong",
    text: `${text}: its signatures are refused; set the clock (timedatectl set-ntp true)`,
  };
}

async function dateOf(place: string): Promise<string | undefined> {
  const { headers } = await fetch(place, {
    method: "HEAD",
    redirect: "manual",
    signal: AbortSignal.timeout(PATIENCE),
  });
  return headers.get("date") ?? undefined;
}

async function dateByHttp2(place: string): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const session = connect(place);
  session.once("error", reject);
  const timer = setTimeout(() => reject(new Error("no answer in time")), PATIENCE);
  try {
    const stream = session.request({ ":method": "HEAD", ":path": "/" });
    stream.once("error", reject);
    stream.once("response", ({ date }) => resolve(date === undefined ? undefined : String(date)));
    return await promise;
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}
