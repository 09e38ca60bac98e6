// What is done to a device's record and reaches its live sessions as well: bind, unbind, forget.
import type { PushId, Uid } from "./device.ts";
import type { Binding, Engine } from "./engine.ts";
import type { BoundBy } from "./events.ts";

type Ports = Pick<Engine, "devices" | "broker">;

/** Binds the uid, and tells the device and those that the platform limit unbound. */
export async function bind(ports: Ports, binding: Binding, now: number): Promise<void> {
  const evicted = await ports.devices.bind(binding, now);
  await Promise.all([
    ports.broker.tell([binding.pushId], { kind: "bind", uid: binding.uid }),
    ports.broker.tell(evicted, { kind: "unbind" }),
  ]);
}

/** Takes the uid off these devices, or off every device of these uids, live sessions included. */
export async function unbind(
  ports: Ports,
  who: { readonly pushIds: readonly PushId[] } | { readonly uids: readonly Uid[] },
  now: number,
  by: BoundBy = "api",
): Promise<void> {
  const released = await ports.devices.unbind(who, now, by);
  await ports.broker.tell(released, { kind: "unbind" });
}

/** Forgets the devices. Their live connections stay and keep their topics, but no uid reaches them. */
export async function forget(ports: Ports, pushIds: readonly PushId[]): Promise<void> {
  await ports.devices.delete(pushIds);
  await ports.broker.tell(pushIds, { kind: "unbind" });
}
