// `pushbox lab`: every vendor's push service on this machine, with a configuration that points a server at them. What devices
// would show is told line by line.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { createAuthority } from "./authority.ts";
import type { LabDevice } from "./devices.ts";
import type { FakeReply, FakeRequest, FakeVendor, Shown } from "./fake.ts";
import { faultHelp } from "./faults.ts";
import { type Chosen, type Culprit, chosenFrom, LabMistake, misbehave } from "./misbehave.ts";
import { isLogin } from "./oauth.ts";
import { Postman } from "./postman.ts";
import { receiptEntry, TELLERS } from "./receipts.ts";
import { type LabServer, serve } from "./server.ts";
import { fakeApns } from "./vendors/apns.ts";
import { fakeFcm } from "./vendors/fcm.ts";
import { fakeHonor } from "./vendors/honor.ts";
import { fakeHarmony, fakeHuawei } from "./vendors/huawei.ts";
import { fakeMeizu } from "./vendors/meizu.ts";
import { fakeOppo } from "./vendors/oppo.ts";
import { fakeUmeng } from "./vendors/umeng.ts";
import { fakeVivo } from "./vendors/vivo.ts";
import { fakeWebPush } from "./vendors/webpush.ts";
import { fakeXiaomi } from "./vendors/xiaomi.ts";

export const CONFIG_FILE = "pushbox-lab.toml";
export const DEVICES_FILE = "devices.json";
export const FAULTS_FILE = "faults.txt";

export interface Service {
  readonly fake: FakeVendor;
  readonly platform: "ios" | "android" | "browser";
  /** Of the token, as a device tells it. */
  readonly type: string;
  readonly token: (url: string) => string;
}

/** Every vendor's fake, in the order of their names. */
export function services(): readonly Service[] {
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
  /** As written: "xiaomi=hang", "apns=goaway:3", "all=slow". */
  readonly faults: readonly string[];
  /** The URL of a server's API, to which vendors post receipts; they post none without it. */
  readonly receipts?: string;
  readonly now: () => number;
  /** Those of all vendors without it. */
  readonly services?: readonly Service[];
  /** One line, without its end. */
  readonly tell: (line: string) => void;
}

export interface Lab {
  /** In the order of their names. */
  readonly devices: readonly (LabDevice & { readonly url: string })[];
  /** The path of the configuration. */
  readonly config: string;
  /** The path of the file that lists the faults. */
  readonly faults: string;
  /** From now on these faults and no others. @throws LabMistake, and then everything stays as it is */
  misbehave(faults: readonly string[]): void;
  close(): Promise<void>;
}

/** Rejects with LabMistake, or as `listen` and writing files do. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const { directory, port, faults, receipts, now, tell, services: all = services() } = options;
  const fakes = new Map(all.map(({ fake }) => [fake.name, fake]));
  const choose = (texts: readonly string[]): readonly Chosen[] => texts.flatMap((text) => chosenFrom(text, fakes));
  const chosen = choose(faults);
  prepare(directory);
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return name;
  };
  const authority = createAuthority(now());
  const certificate = authority.server(["127.0.0.1"]);
  const servers: LabServer[] = [];
  const postmen: Postman[] = [];
  const close = async (): Promise<void> => {
    await Promise.all([...servers, ...postmen].map((part) => part.close()));
  };
  try {
    const entries: Record<string, unknown> = {};
    const devices: Lab["devices"][number][] = [];
    const culprits = new Map<string, Culprit>();
    for (const [index, { fake, platform, type, token }] of all.entries()) {
      const { name } = fake;
      const secret = randomBytes(16).toString("base64url");
      const address = `${receipts?.replace(/\/$/, "")}/api/receipt/${name}/${secret}`;
      const teller = receipts === undefined ? undefined : TELLERS[name];
      const postman = teller && new Postman({ vendor: name, teller, address, now, tell });
      if (postman !== undefined) postmen.push(postman);
      const { streams } = fake;
      const server = await serve(fake, {
        certificate,
        now,
        keep: 0,
        interposed: true,
        ...(streams === undefined ? {} : { streams }),
        ...(port === undefined ? {} : { port: port + index }),
        onRequest: (request, reply) => report(fake, app, request, reply, tell, postman),
      });
      servers.push(server);
      const entry = { ...fake.config(server.url, write), ...(postman && receiptEntry(name, address, secret)) };
      const app = String(entry["bundle_id"] ?? entry["package_name"] ?? entry["app"]);
      entries[name] = [entry];
      const device = { vendor: name, platform, type, app, token: token(server.url) };
      devices.push({ ...device, url: server.url });
      culprits.set(name, { fake, server, token: device.token, receipts: postman });
    }
    misbehave(culprits, chosen);
    const config = {
      data: join(directory, "data"),
      client: { host: "127.0.0.1" },
      vendors: { ca_file: write("ca.pem", authority.ca), ...entries },
    };
    write(DEVICES_FILE, `${JSON.stringify(devices, undefined, 2)}\n`);
    const text = `# Written by pushbox lab: a server with it pushes through the lab's vendors, while the lab runs.\n${stringify(config)}`;
    return {
      devices,
      config: join(directory, write(CONFIG_FILE, text)),
      faults: join(
        directory,
        write(FAULTS_FILE, `${FAULTS_INTRODUCTION}${faults.map((fault) => `${fault}\n`).join("")}`),
      ),
      misbehave: (texts) => misbehave(culprits, choose(texts)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const FAULTS_INTRODUCTION = `How the lab's vendors misbehave, one fault a line, as after --fault: xiaomi=hang
With all= for every vendor that can, with :3 after it for the next 3 requests only: all=slow, apns=goaway:3
What is saved here counts at once, while the lab runs. An empty file ends all faults.

${faultHelp}
`
  .replaceAll(/^/gm, "# ")
  .replace(/# $/, "");

/** What a faults file asks for. */
export function faultsIn(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

/** Its old files go; a directory with anything else in it is somebody's. */
function prepare(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (readdirSync(directory).length > 0 && !existsSync(join(directory, CONFIG_FILE)))
    throw new LabMistake(`${directory} holds files that are not a lab's: name another directory with --dir`);
}

function report(
  fake: FakeVendor,
  app: string,
  request: FakeRequest,
  reply: FakeReply | undefined,
  tell: (line: string) => void,
  postman: Postman | undefined,
): void {
  const shown = fake.shown.splice(0);
  for (const one of shown) tell(lineOf(one, app));
  if (reply !== undefined) postman?.after(request, reply, shown);
  if (shown.length > 0 || (isLogin(request) && reply?.status === 200)) return;
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
