// Devices of a test: each says who it is over a socket of its own, some with a vendor's token, and stays connected.
import type { Test } from "tap";
import type { TestApp } from "./app.ts";
import { RawClient } from "./clients.ts";
import { eventually } from "./until.ts";
import type { TestVendor } from "./vendors.ts";

export type Fields = Readonly<Record<string, unknown>>;

export interface TestDevice {
  readonly client: RawClient;
  readonly id: string;
}

export interface Phone extends TestDevice {
  readonly token: string;
}

let serial = 0;
/** A name that no other device or notification of this process has. */
export const fresh = (what: string): string => `${what}-${++serial}-0123456789`;

/** @param more of what it says of itself */
export async function device(t: Test, at: TestApp, more: Fields = {}): Promise<TestDevice> {
  const client = await RawClient.open(at.clientPort);
  t.teardown(() => client.close());
  const id = fresh("device");
  await client.hello({ id, ...more });
  return { client, id };
}

export async function phone(t: Test, at: TestApp, vendor: TestVendor, more: Fields = {}): Promise<Phone> {
  const token = vendor.token(++serial);
  const { client, id } = await device(t, at, { ...tokenOf(vendor, token), ...more });
  return { client, id, token };
}

export const tokenOf = ({ type, app }: TestVendor, token: string): Fields => ({
  token: { type, token, package_name: app },
});

/** So many phones that went away again: pushId and token each. */
export async function absent(
  at: Pick<TestApp, "clientPort">,
  vendor: TestVendor,
  count: number,
): Promise<readonly Omit<Phone, "client">[]> {
  const phones = Array.from({ length: count }, () => ({ id: fresh(vendor.type), token: vendor.token(++serial) }));
  const left = phones.values();
  // Of many, some at a time: each alone would be a transaction of its own.
  const some = async () => {
    const client = await RawClient.open(at.clientPort);
    for (const { id, token } of left) await client.hello({ id, ...tokenOf(vendor, token) });
    await client.close();
  };
  await Promise.all(Array.from({ length: Math.min(20, Math.ceil(count / 50)) }, some));
  return phones;
}

/** The first argument of an event's frame. */
export const argument = (frame: string): Fields => (JSON.parse(frame.slice(2)) as unknown[])[1] as Fields;

/** Every `noti` that came up to now. */
export const notis = async (client: RawClient): Promise<readonly Fields[]> =>
  (await client.settle()).filter((frame) => frame.startsWith('42["noti"')).map(argument);

/** The job of a notification, once it has come to that state. */
export const jobIn = (at: TestApp, id: unknown, state = "finished"): Promise<Fields> =>
  eventually<Fields>(
    () => at.ok("job/get", { id }),
    (job) => job["state"] === state,
  );

export async function deliveriesOf(at: TestApp, id: unknown): Promise<readonly Fields[]> {
  return (await at.ok("notification/get", { id, limit: 1000 }))["deliveries"] as readonly Fields[];
}

/** What the statistics count of a notification, for one vendor as they name it. */
export async function counted(at: TestApp, id: unknown, name: string): Promise<Fields> {
  await at.app.settled();
  return ((await at.ok("stats/arrival/info", { id }))[name] ?? {}) as Fields;
}
