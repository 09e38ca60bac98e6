// `pushbox lab`: every vendor's push service on this machine, with a configuration that points a server at them. What devices
// would show is told line by line.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { fakeApns } from "./apns.ts";
import { createAuthority } from "./authority.ts";
import type { LabDevice } from "./devices.ts";
import type { FakeReply, FakeRequest, FakeVendor, Shown } from "./fake.ts";
import { FAULTS } from "./faults.ts";
import { fakeFcm } from "./fcm.ts";
import { fakeHonor } from "./honor.ts";
import { fakeHarmony, fakeHuawei } from "./huawei.ts";
import { fakeMeizu } from "./meizu.ts";
import { fakeOppo } from "./oppo.ts";
import { type LabServer, serve } from "./server.ts";
import { fakeUmeng } from "./umeng.ts";
import { fakeVivo } from "./vivo.ts";
import { fakeWebPush } from "./webpush.ts";
import { fakeXiaomi } from "./xiaomi.ts";

export const CONFIG_FILE = "pushbox-lab.toml";
export const DEVICES_FILE = "devices.json";

interface Service {
  readonly fake: FakeVendor;
  readonly platform: "ios" | "android" | "browser";
  /** Of the token, as a device tells it. */
  readonly type: string;
  readonly token: (url: string) => string;
}

function services(): readonly Service[] {
  const webpush = fakeWebPush();
  const phone = (fake: FakeVendor): Service => ({
    fake,
    platform: "android",
    type: fake.name,
    token: () => `lab-token-${fake.name}`,
  });
  return [
    { fake: fakeApns(), platform: "ios", type: "apn", token: () => "1ab0".repeat(16) },
    phone(fakeFcm()),
    phone(fakeHarmony()),
    phone(fakeHonor()),
    phone(fakeHuawei()),
    phone(fakeMeizu()),
    phone(fakeOppo()),
    phone(fakeUmeng()),
    phone(fakeVivo()),
    { fake: webpush, platform: "browser", type: "webpush", token: (url) => webpush.subscribe(url, "lab") },
    phone(fakeXiaomi()),
  ];
}

export interface LabOptions {
  /** Made when missing; files of an earlier lab are replaced. */
  readonly directory: string;
  /** The first of as many ports in a row; any free ones without it. */
  readonly port?: number;
  /** As written: "xiaomi=hang". */
  readonly faults: readonly string[];
  readonly now: () => number;
  /** One line, without its end. */
  readonly tell: (line: string) => void;
}

export interface Lab {
  /** In the order of their names. */
  readonly devices: readonly (LabDevice & { readonly url: string })[];
  /** The path of the configuration. */
  readonly config: string;
  close(): Promise<void>;
}

/** A fault that was asked for and does not exist, or a directory that is not the lab's. The text says what to do. */
export class LabMistake extends Error {}

/** Rejects with LabMistake, or as `listen` and writing files do. */
export async function startLab({ directory, port, faults, now, tell }: LabOptions): Promise<Lab> {
  const all = services();
  const chosen = faults.map((text) => faultOf(text, all));
  prepare(directory);
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return name;
  };
  const authority = createAuthority(now());
  const certificate = authority.server(["127.0.0.1"]);
  const servers: LabServer[] = [];
  const close = async () => void (await Promise.all(servers.map((server) => server.close())));
  try {
    const entries: Record<string, unknown> = {};
    const devices: Lab["devices"][number][] = [];
    for (const [index, { fake, platform, type, token }] of all.entries()) {
      const own = chosen.filter(({ vendor }) => vendor === fake.name);
      const server = await serve(
        failing(
          fake,
          own.flatMap(({ fault }) => fault.own ?? []),
        ),
        {
          certificate,
          now,
          keep: 0,
          ...(port === undefined ? {} : { port: port + index }),
          onRequest: (request, reply) => report(fake, app, request, reply, tell),
        },
      );
      servers.push(server);
      const entry = fake.config(server.url, write);
      const app = String(entry["bundle_id"] ?? entry["package_name"] ?? entry["app"]);
      entries[fake.name] = [entry];
      const device = { vendor: fake.name, platform, type, app, token: token(server.url) };
      devices.push({ ...device, url: server.url });
      for (const { fault } of own) {
        if (fault.network !== undefined) server.misbehave({ fault: fault.network, times: Number.POSITIVE_INFINITY });
        else if (fault.own === undefined) fake.tokens.set(device.token, "dead");
      }
    }
    const config = {
      data: join(directory, "data"),
      client: { host: "127.0.0.1" },
      vendors: { ca_file: write("ca.pem", authority.ca), ...entries },
    };
    write(DEVICES_FILE, `${JSON.stringify(devices, undefined, 2)}\n`);
    const text = `# Written by pushbox lab: a server with it pushes through the lab's vendors, while the lab runs.\n${stringify(config)}`;
    return { devices, config: join(directory, write(CONFIG_FILE, text)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function faultOf(text: string, all: readonly Service[]) {
  const [vendor = "", name = "", ...more] = text.split("=");
  const fault = Object.hasOwn(FAULTS, name) && more.length === 0 ? FAULTS[name] : undefined;
  const names = all.map(({ fake }) => fake.name);
  if (!names.includes(vendor)) throw new LabMistake(`${text}: write VENDOR=FAULT with a vendor of ${names.join(", ")}`);
  if (fault === undefined)
    throw new LabMistake(`${text}: write ${vendor}=FAULT with a fault of ${Object.keys(FAULTS).join(", ")}`);
  return { vendor, fault };
}

/** The vendor, failing its own way at every request. */
function failing(fake: FakeVendor, kinds: readonly string[]): FakeVendor {
  if (kinds.length === 0) return fake;
  return {
    ...fake,
    handle(request, now) {
      for (const kind of kinds) fake.fail(kind, 1);
      return fake.handle(request, now);
    },
  };
}

/** Its old files go; a directory with anything else in it is somebody's. */
function prepare(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (readdirSync(directory).length > 0 && !existsSync(join(directory, CONFIG_FILE)))
    throw new LabMistake(`${directory} holds files that are not a lab's: name another directory with --dir`);
}

const LOGIN = /token|\/auth$/;

function report(
  fake: FakeVendor,
  app: string,
  request: FakeRequest,
  reply: FakeReply | undefined,
  tell: (line: string) => void,
): void {
  const shown = fake.shown.splice(0);
  for (const one of shown) tell(lineOf(one, app));
  if (shown.length > 0 || (LOGIN.test(request.path) && reply?.status === 200)) return;
  const what = reply === undefined ? "no proper answer" : `${reply.status} ${excerpt(reply.body ?? "")}`;
  tell(`answer  vendor=${fake.name} ${request.method} ${excerpt(request.path)}: ${what}`);
}

/** What the device shows, on one line. */
export function lineOf({ vendor, token, title = "", message = "", payload, id }: Shown, app: string): string {
  const texts = `title=${quoted(title)} text=${quoted(message)} payload=${quoted(payload ?? {})} id=${quoted(id ?? "")}`;
  return `shown   vendor=${vendor} app=${app} token=${excerpt(token)} ${texts}`;
}

/** What came over the network must not write over the terminal: JSON leaves some control characters as they are. */
function quoted(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function excerpt(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
