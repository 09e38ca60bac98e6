// What is posted and to whom, made from a seed: the same seed, the same devices, calls and dice.
export interface Device {
  readonly pushId: string;
  readonly vendor: string;
  readonly token: string;
  /** dead: the vendor knows the token no more. mute: the vendor takes the token, but refuses to show anything on it. */
  readonly state: "fine" | "dead" | "mute";
  readonly tagged: boolean;
}

export interface Call {
  readonly id: string;
  readonly kind: "one" | "list" | "all" | "tag";
  /** Whom it is to reach. */
  readonly devices: readonly Device[];
  /** The body of the call, as JSON. */
  readonly body: string;
}

/** A number in [0, 1). */
export type Dice = () => number;

/** Mulberry32: small, and even enough to choose faults by. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How many of 20 devices are of which vendor. Web Push costs an encryption for each, so there are few. */
const SHARES: Readonly<Record<string, number>> = {
  apns: 4,
  fcm: 4,
  harmony: 1,
  honor: 1,
  huawei: 2,
  meizu: 1,
  oppo: 1,
  umeng: 1,
  vivo: 2,
  webpush: 1,
  xiaomi: 2,
};

const DEAD = 0.02;
const MUTE = 0.02;
/** Umeng tells of no dead token. */
const TELLS_NO_DEATH = "umeng";
/** How the fakes are told that a token is refused for good although it lives. */
export const MUTE_STATES: ReadonlyMap<string, string> = new Map([
  ["oppo", "blocked"],
  ["vivo", "inactive"],
]);
export const TAG = "quarter";

/** @param tokenOf what the device says of itself, by vendor and number */
export function makeDevices(
  count: number,
  random: Dice,
  tokenOf: (vendor: string, n: number) => string,
): readonly Device[] {
  const vendors = Object.entries(SHARES).flatMap(([vendor, share]) => Array<string>(share).fill(vendor));
  return Array.from({ length: count }, (_, n) => {
    const vendor = vendors[n % vendors.length]!;
    const dead = random() < DEAD && vendor !== TELLS_NO_DEATH;
    const mute = random() < MUTE && MUTE_STATES.has(vendor);
    return {
      pushId: `torture${String(n).padStart(9, "0")}`,
      vendor,
      token: tokenOf(vendor, n),
      state: dead ? "dead" : mute ? "mute" : "fine",
      tagged: random() < 0.25,
    };
  });
}

/** Calls that come to about so many deliveries: one to all, one to a tag, a twentieth to single devices, the rest to lists. */
export function makeCalls(deliveries: number, devices: readonly Device[], random: Dice, seed: number): readonly Call[] {
  const calls: Call[] = [];
  let made = 0;
  const add = (kind: Call["kind"], to: readonly Device[], target: object): void => {
    const id = `t${seed}-${calls.length}`;
    const text = `notification ${calls.length}`;
    const notification = {
      id,
      android: { title: "Torture", message: text, payload: { n: calls.length } },
      apn: { alert: text },
    };
    const body = JSON.stringify({ ...target, notification, timeToLive: 3_600_000, idempotencyKey: id });
    calls.push({ id, kind, devices: to, body });
    made += to.length;
  };
  add("all", devices, { pushAll: "true" });
  add(
    "tag",
    devices.filter(({ tagged }) => tagged),
    { tag: TAG },
  );
  for (let n = 0; n < deliveries / 20; n++) {
    const device = devices[Math.floor(random() * devices.length)]!;
    add("one", [device], { pushId: device.pushId });
  }
  while (made < deliveries) {
    const size = Math.min(1000, devices.length, deliveries - made);
    const from = Math.floor(random() * devices.length);
    const to = Array.from({ length: size }, (_, n) => devices[(from + n) % devices.length]!);
    add("list", to, { pushId: to.map(({ pushId }) => pushId) });
  }
  return shuffled(calls, random);
}

function shuffled<T>(items: readonly T[], random: Dice): readonly T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
  }
  return mixed;
}
