// The lab's vendors, misbehaving by dice, and a ledger of everything they accepted: when, and what became of the answer.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { createAuthority } from "../../src/lab/authority.ts";
import type { FakeRequest, FakeVendor } from "../../src/lab/fake.ts";
import { type Fault, INTERNAL_ERROR, type LabServer, REFUSED_STREAM, serve } from "../../src/lab/server.ts";
import { fakeApns } from "../../src/lab/vendors/apns.ts";
import { fakeFcm } from "../../src/lab/vendors/fcm.ts";
import { fakeHonor } from "../../src/lab/vendors/honor.ts";
import { fakeHarmony, fakeHuawei } from "../../src/lab/vendors/huawei.ts";
import { fakeMeizu } from "../../src/lab/vendors/meizu.ts";
import { fakeOppo } from "../../src/lab/vendors/oppo.ts";
import { fakeUmeng } from "../../src/lab/vendors/umeng.ts";
import { fakeVivo } from "../../src/lab/vendors/vivo.ts";
import { fakeWebPush } from "../../src/lab/vendors/webpush.ts";
import { fakeXiaomi } from "../../src/lab/vendors/xiaomi.ts";
import { type Device, type Dice, MUTE_STATES } from "./plan.ts";

/** One showing of a notification on a device. Times are epoch milliseconds. */
export interface Acceptance {
  readonly vendor: string;
  readonly token: string;
  readonly id: string;
  /** When its request had arrived, and when the vendor accepted. */
  readonly arrived: number;
  readonly at: number;
  readonly fault: FaultName | undefined;
}

/** A fault that was injected. */
export interface Happened {
  readonly vendor: string;
  readonly fault: FaultName;
  readonly at: number;
}

export type FaultName =
  | "throttle"
  | "own"
  | "busy"
  | "garbage"
  | "reset"
  | "refused stream"
  | "slow"
  | "goaway"
  | "graceful goaway"
  | "goaway with error"
  | "cut"
  | "hang"
  | "unfinished";

const FAULTS: Readonly<Record<Exclude<FaultName, "own">, { readonly weight: number; readonly fault: Fault }>> = {
  throttle: {
    weight: 25,
    fault: { kind: "reply", reply: { status: 429, headers: { "retry-after": "1" } } },
  },
  busy: { weight: 15, fault: { kind: "reply", reply: { status: 503, body: "<html>busy</html>" } } },
  garbage: { weight: 10, fault: { kind: "reply", reply: { status: 200, body: "<html>hello</html>" } } },
  reset: { weight: 8, fault: { kind: "reset", code: INTERNAL_ERROR } },
  "refused stream": { weight: 4, fault: { kind: "reset", code: REFUSED_STREAM } },
  slow: { weight: 10, fault: { kind: "slow", milliseconds: 700 } },
  goaway: { weight: 3, fault: { kind: "goaway", code: 0, reason: "Shutdown" } },
  "graceful goaway": { weight: 3, fault: { kind: "goaway", code: 0, reason: "Shutdown", graceful: true } },
  "goaway with error": { weight: 1, fault: { kind: "goaway", code: INTERNAL_ERROR, reason: "InternalServerError" } },
  cut: { weight: 4, fault: { kind: "cut" } },
  // Of these there are so many in all: each costs a time-out.
  hang: { weight: 0, fault: { kind: "never" } },
  unfinished: { weight: 0, fault: { kind: "unfinished" } },
};
const OWN_WEIGHT = 17;
/** Of the vendor's own: none that needs an operator afterwards (credentials, quotas). */
const OWN: Readonly<Record<string, readonly string[]>> = {
  apns: ["throttle", "busy"],
  fcm: ["unavailable", "internal"],
  harmony: ["throttle", "internal"],
  honor: ["throttle", "internal"],
  huawei: ["throttle", "internal"],
  meizu: ["throttle", "busy"],
  oppo: ["throttle", "garbage"],
  umeng: ["throttle", "busy"],
  vivo: ["throttle", "busy"],
  webpush: ["throttle"],
  xiaomi: ["throttle", "busy"],
};
/** Vendors of one token per request get many more requests, so fewer of them fail. */
const RATE = { single: 0.006, batch: 0.06, login: 0.015 } as const;
const SINGLE = new Set(["apns", "fcm", "vivo", "webpush"]);
/** Its time-out is a minute. */
const NEVER_HANGS = "umeng";
const LOGIN = /token|\/auth$/;

export interface Vendors {
  readonly fakes: ReadonlyMap<string, FakeVendor>;
  /** Every one, in order; told to whoever sets `onAccepted` as it comes. */
  readonly accepted: readonly Acceptance[];
  /** Every fault, in order. */
  readonly faults: readonly Happened[];
  onAccepted: () => void;
  tokenOf(vendor: string, n: number): string;
  /** Whose tokens live, and whose do not. */
  know(devices: readonly Device[]): void;
  /** From now on everything is answered properly. */
  behave(): void;
  /** Writes the configuration that points a server at them, and returns its path. @param more of other sections */
  config(directory: string, more?: object): string;
  close(): Promise<void>;
}

/** @param hangs requests that are never answered, in all */
export async function startVendors(random: Dice, hangs: number): Promise<Vendors> {
  const webpush = fakeWebPush();
  const fakes = [
    ...[fakeApns(), fakeFcm(), fakeHarmony(), fakeHonor(), fakeHuawei(), fakeMeizu()],
    ...[fakeOppo(), fakeUmeng(), fakeVivo(), webpush, fakeXiaomi()],
  ];
  const authority = createAuthority(Date.now());
  const certificate = authority.server(["127.0.0.1"]);
  const accepted: Acceptance[] = [];
  const faults: Happened[] = [];
  const chosen = new WeakMap<FakeRequest, { readonly arrived: number; readonly fault: FaultName | undefined }>();
  const servers = new Map<string, LabServer>();
  let behaving = false;
  let hangsLeft = hangs;

  const weights: readonly (readonly [FaultName, number])[] = [
    ["own", OWN_WEIGHT],
    ...Object.entries(FAULTS).map(([name, { weight }]) => [name as FaultName, weight] as const),
  ];
  const sum = weights.reduce((total, [, weight]) => total + weight, 0);

  function choose(vendor: string, login: boolean): FaultName | undefined {
    const rate = RATE[login ? "login" : SINGLE.has(vendor) ? "single" : "batch"];
    const thrown = random();
    if (behaving || thrown >= rate) return undefined;
    if (!login && vendor !== NEVER_HANGS && hangsLeft > 0 && random() < 0.1) {
      hangsLeft--;
      return random() < 0.7 ? "hang" : "unfinished";
    }
    let at = (thrown / rate) * sum;
    const name = weights.find(([, weight]) => {
      at -= weight;
      return at < 0;
    })?.[0];
    return login && name === "own" ? "busy" : name;
  }

  function decide(vendor: string, request: FakeRequest): void {
    const fault = choose(vendor, LOGIN.test(request.path));
    const arrived = Date.now();
    chosen.set(request, { arrived, fault });
    if (fault !== undefined) faults.push({ vendor, fault, at: arrived });
  }

  const self: Vendors = {
    fakes: new Map(fakes.map((fake) => [fake.name, fake])),
    accepted,
    faults,
    onAccepted: () => undefined,
    tokenOf(vendor, n) {
      if (vendor === "apns") return n.toString(16).padStart(64, "0");
      return vendor === "webpush" ? webpush.subscribe(servers.get(vendor)!.url, `b${n}`) : `${vendor}-token-${n}`;
    },
    know(devices) {
      for (const { vendor, token, state } of devices) {
        const { tokens } = self.fakes.get(vendor)!;
        if (state === "dead") tokens.set(token, "dead");
        if (state === "mute") tokens.set(token, MUTE_STATES.get(vendor)!);
      }
    },
    behave() {
      behaving = true;
    },
    config(directory, more = {}) {
      const write = (name: string, text: string): string => {
        writeFileSync(join(directory, name), text, { mode: 0o600 });
        return name;
      };
      const entries = fakes.map((fake) => [fake.name, [fake.config(servers.get(fake.name)!.url, write)]]);
      const config = { ...more, vendors: { ca_file: write("ca.pem", authority.ca), ...Object.fromEntries(entries) } };
      return join(directory, write("torture.toml", stringify(config)));
    },
    async close() {
      await Promise.all([...servers.values()].map((server) => server.close()));
    },
  };

  for (const fake of fakes) {
    const { name } = fake;
    const own: FakeVendor = {
      ...fake,
      handle(request, now) {
        const kinds = OWN[name]!;
        if (chosen.get(request)?.fault === "own") fake.fail(kinds[Math.floor(random() * kinds.length)]!, 1);
        return fake.handle(request, now);
      },
    };
    const server = await serve(own, {
      certificate,
      now: Date.now,
      keep: 0,
      ...(name === "apns" ? { streams: { first: 1, full: 1000 } } : {}),
      onRequest(request) {
        const { arrived, fault } = chosen.get(request)!; // the first rule looks at every request
        for (const { token, id = "" } of fake.shown.splice(0))
          accepted.push({ vendor: name, token, id, arrived, at: Date.now(), fault });
        self.onAccepted();
      },
    });
    servers.set(name, server);
    const always = { times: Number.POSITIVE_INFINITY };
    const first = (request: FakeRequest): boolean => {
      decide(name, request);
      return false;
    };
    server.misbehave({ ...always, match: first, fault: FAULTS.busy.fault });
    for (const [kind, { fault }] of Object.entries(FAULTS))
      server.misbehave({ ...always, match: (request) => chosen.get(request)?.fault === kind, fault });
  }
  return self;
}
