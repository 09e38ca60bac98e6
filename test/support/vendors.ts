// The lab's vendors over real TLS, for an app of a test: what they were asked, what their phones showed, with promises for what
// is yet to come.
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "smol-toml";
import type { Test } from "tap";
import type { Config } from "../../src/config/index.ts";
import { createAuthority } from "../../src/lab/authority.ts";
import type { FakeReply, FakeRequest, Shown } from "../../src/lab/fake.ts";
import { type LabServer, serve } from "../../src/lab/server.ts";
import { fakeApns } from "../../src/lab/vendors/apns.ts";
import { fakeFcm } from "../../src/lab/vendors/fcm.ts";
import { fakeHonor } from "../../src/lab/vendors/honor.ts";
import { fakeHarmony, fakeHuawei } from "../../src/lab/vendors/huawei.ts";
import { fakeMeizu } from "../../src/lab/vendors/meizu.ts";
import { fakeOppo } from "../../src/lab/vendors/oppo.ts";
import { fakeUmeng } from "../../src/lab/vendors/umeng.ts";
import { fakeVivo } from "../../src/lab/vendors/vivo.ts";
import { type FakePushService, fakeWebPush } from "../../src/lab/vendors/webpush.ts";
import { fakeXiaomi } from "../../src/lab/vendors/xiaomi.ts";

/** Milliseconds without a request after which a test has failed: far more than any needs, on a busy machine too. */
const HANGS = 120_000;

const makers = {
  apns: () => fakeApns(),
  fcm: fakeFcm,
  harmony: fakeHarmony,
  honor: fakeHonor,
  huawei: fakeHuawei,
  meizu: () => fakeMeizu(),
  oppo: () => fakeOppo(),
  umeng: () => fakeUmeng(),
  vivo: () => fakeVivo(),
  webpush: fakeWebPush,
  xiaomi: () => fakeXiaomi(),
};

type Makers = typeof makers;
export type VendorName = keyof Makers;
export const VENDORS = Object.keys(makers) as readonly VendorName[];

export const PACKAGE = "com.example.lab";

const authority = createAuthority(Date.now());
const certificate = authority.server(["127.0.0.1"]);

type Entry = Readonly<Record<string, unknown>>;

export interface TestVendor<Name extends VendorName = VendorName> {
  readonly fake: ReturnType<Makers[Name]>;
  readonly server: LabServer;
  readonly requests: readonly FakeRequest[];
  /** The configuration's entry. */
  readonly entry: Entry;
  /** How a device names its token: `apn`, `fcm` ... */
  readonly type: string;
  /** `package_name` of its token. */
  readonly app: string;
  /** A token of this vendor's form, another one for each number. */
  token(n: number): string;
  /** One more server of the same vendor, at another address: browsers that subscribed with the same key. */
  another(): Promise<LabServer>;
  /** Resolves when so many notifications with this id were shown, with all of them. */
  shown(id: string, count?: number): Promise<readonly Shown[]>;
  /** Resolves at the first request after this call, or when so many have come since the start. */
  asked(count?: number): Promise<void>;
}

export interface TestVendors {
  /** For `startTestApp`, or with other entries for `reload`. */
  config(entries?: Readonly<Partial<Record<VendorName, readonly Entry[]>>>): Config["vendors"];
  /** The same as a file's text, for a server process. */
  toml(entries?: Readonly<Partial<Record<VendorName, readonly Entry[]>>>): string;
  /** Where the file has to be for its paths to lead somewhere. */
  readonly directory: string;
  get<Name extends VendorName>(name: Name): TestVendor<Name>;
}

/** @param entries merged over each fake's own configuration entry */
export async function startVendors(
  t: Test,
  names: readonly VendorName[],
  entries: Readonly<Partial<Record<VendorName, Entry>>> = {},
): Promise<TestVendors> {
  // A test has one `testdir`, and that is the app's.
  const directory = mkdtempSync(join(tmpdir(), "pushbox-vendors-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const write = (file: string, text: string): string => {
    writeFileSync(join(directory, file), text, { mode: 0o600 });
    return file;
  };
  const caFile = join(directory, write("ca.pem", authority.ca));
  const open = new Map<VendorName, TestVendor>();
  for (const name of names) open.set(name, await startVendor(t, name, write, entries[name] ?? {}));
  return {
    config: (own = {}) => ({
      caFile,
      proxy: "",
      directory,
      entries: [...open].flatMap(([vendor, { entry }]) =>
        (own[vendor] ?? [entry]).map((value) => ({ vendor, value, place: "test", places: {} })),
      ),
    }),
    toml: (own = {}) => {
      const tables = [...open].map(([vendor, { entry }]) => [vendor, own[vendor] ?? [entry]]);
      return stringify({ vendors: { ca_file: caFile, ...Object.fromEntries(tables) } });
    },
    directory,
    get: (name) => open.get(name) as TestVendor<typeof name>,
  };
}

async function startVendor(
  t: Test,
  name: VendorName,
  write: (file: string, text: string) => string,
  more: Entry,
): Promise<TestVendor> {
  const fake = makers[name]();
  const events = new EventEmitter();
  const open = async () => {
    const onRequest = (_: unknown, reply?: FakeReply) => void events.emit("request", reply);
    const opened = await serve(fake, { certificate, now: Date.now, onRequest });
    t.teardown(() => opened.close());
    return opened;
  };
  const server = await open();
  let latest = "none yet";
  events.on("request", (reply: FakeReply | undefined) => {
    latest = reply === undefined ? "none" : `${reply.status} ${(reply.body ?? "").slice(0, 200)}`;
  });
  const nextRequest = async (soFar: string): Promise<void> => {
    try {
      await once(events, "request", { signal: AbortSignal.timeout(HANGS) });
    } catch (cause) {
      throw new Error(`${soFar}, and no request came for ${HANGS / 1000} s; its latest answer: ${latest}`, { cause });
    }
  };
  const entry: Entry = { ...fake.config(server.url, write), ...more };
  return {
    fake,
    server,
    requests: server.requests,
    another: open,
    entry,
    type: name === "apns" ? "apn" : name,
    app: String(entry["bundle_id"] ?? entry["package_name"] ?? entry["app"]),
    token(n) {
      // Of all fakes this one has browsers.
      if (name === "webpush") return (fake as FakePushService).subscribe(server.url, `browser${n}`);
      return name === "apns" ? n.toString(16).padStart(64, "0") : `${name}-token-${n}`;
    },
    async shown(id, count = 1) {
      for (;;) {
        const found = fake.shown.filter((one) => one.id === id);
        if (found.length >= count) return found;
        await nextRequest(`${name} showed ${found.length} of ${count} with the id ${id}`);
      }
    },
    async asked(count) {
      do await nextRequest(`${name} was asked ${server.requests.length} times, not ${count ?? "once more"}`);
      while (server.requests.length < (count ?? 0));
    },
  };
}
