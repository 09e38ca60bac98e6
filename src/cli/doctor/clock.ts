// The clock of this machine against those of the vendors that are configured: they refuse signatures of another time. Each tells its own
// in the header Date of any answer.
import { once } from "node:events";
import { request as plainRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as safeRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { connect as secure } from "node:tls";
import type { VendorEntry } from "../../config/settings.ts";
import { MINUTE } from "../../core/time.ts";
import { causeOf } from "../../http/causes.ts";
import { trusting } from "../../http/trust.ts";

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
  honor: "https://push-api.cloud.honor.com",
  xiaomi: "https://api.xmpush.xiaomi.com",
  oppo: "https://api.push.oppomobile.com",
  vivo: "https://api-push.vivo.com.cn",
};
/** These speak HTTP/2 only. */
const ONLY_HTTP2: ReadonlySet<string> = new Set(["apns"]);
const MOST_OFF = MINUTE;
const PATIENCE = 3000;

/** How vendors are reached: `vendors.ca_file`, read, and `vendors.proxy`; as the server does. */
interface Way {
  readonly ca?: string;
  /** Empty: none. */
  readonly proxy?: string;
}

/** A finding for each place that is asked, also where it does not answer; with no vendor one that says so. */
export async function clocks(
  entries: readonly Pick<VendorEntry, "vendor" | "value">[],
  way: Way = {},
): Promise<readonly Finding[]> {
  const places = new Map<string, string>();
  for (const { vendor, value } of entries) {
    const own = value["base_url"];
    const place = typeof own === "string" ? URL.parse(own)?.origin : PLACES[vendor];
    if (place !== undefined) places.set(place, vendor);
  }
  if (places.size === 0)
    return [{ part: "clock", level: "ok", text: `${new Date().toISOString()}; compared with nobody's` }];
  return await Promise.all([...places].map(([place, vendor]) => clockOf(place, vendor, way)));
}

async function clockOf(place: string, vendor: string, way: Way): Promise<Finding> {
  const part = "clock";
  let date: string | undefined;
  try {
    date = await dateOf(new URL(place), ONLY_HTTP2.has(vendor), way);
  } catch (error) {
    const text = `${place} cannot be reached (${causeOf(error)}), so its clock is not known`;
    return { part, level: "warning", text };
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

async function dateOf(place: URL, http2: boolean, way: Way): Promise<string | undefined> {
  const signal = AbortSignal.timeout(PATIENCE);
  const late = once(signal, "abort").then(() => Promise.reject(fault("UND_ERR_HEADERS_TIMEOUT")));
  const sockets: Socket[] = [];
  try {
    return await Promise.race([late, ask(place, http2, await Promise.race([late, line(place, http2, way, sockets)]))]);
  } finally {
    late.catch(() => {});
    for (const socket of sockets) socket.destroy();
  }
}

/** @param sockets takes all that are opened on the way */
async function line(place: URL, http2: boolean, { ca, proxy = "" }: Way, sockets: Socket[]): Promise<Socket> {
  const port = Number(place.port) || (place.protocol === "https:" ? 443 : 80);
  const host = place.hostname.replace(/^\[|\]$/g, "");
  const opened = (socket: Socket): Socket => {
    sockets.push(socket.on("error", () => {})); // of those that are given up
    return socket;
  };
  let socket: Socket;
  if (proxy === "") {
    socket = opened(connect(port, host));
    await once(socket, "connect");
  } else socket = opened(await tunnel(new URL(proxy), `${place.hostname}:${port}`));
  if (place.protocol !== "https:") return socket;
  const asked = { socket, host, servername: /^[\d.]+$|:/.test(host) ? "" : host, secureContext: trusting(ca) };
  const safe = opened(secure({ ...asked, ALPNProtocols: [http2 ? "h2" : "http/1.1"] }));
  await once(safe, "secureConnect");
  return safe;
}

async function tunnel(proxy: URL, to: string): Promise<Socket> {
  const { username, password } = proxy;
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  const headers = { host: to, ...(username === "" ? {} : { "proxy-authorization": `Basic ${login}` }) };
  const request = proxy.protocol === "https:" ? safeRequest : plainRequest;
  const asked = request(new URL("/", proxy.origin), { method: "CONNECT", path: to, headers, agent: false }).end();
  const [{ statusCode }, socket] = await once(asked, "connect");
  if (statusCode === 200) return socket;
  socket.destroy();
  throw fault(`vendors.proxy answers ${statusCode}`);
}

const fault = (code: string): Error => Object.assign(new Error(code), { code });

async function ask(place: URL, http2: boolean, socket: Socket): Promise<string | undefined> {
  if (!http2) {
    const asked = plainRequest({ method: "HEAD", host: place.host, path: "/", createConnection: () => socket }).end();
    const [{ headers }] = await once(asked, "response");
    return headers.date;
  }
  const session = connectHttp2(place, { createConnection: () => socket });
  const failed = once(session, "error").then(([error]) => Promise.reject(error));
  const stream = session.request({ ":method": "HEAD", ":path": "/" });
  const [{ date }] = await Promise.race([once(stream, "response"), failed]);
  return date === undefined ? undefined : String(date);
}
