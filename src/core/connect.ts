// What a device's connection asks of the store: hello, bind, unbind, forget. Each step reaches the live sessions as well.
import type { Device, PushId, Uid } from "./device.ts";
import type { Binding, Engine, Hello } from "./engine.ts";
import type { Channel, KeptPacket, Position } from "./packet.ts";

type Ports = Pick<Engine, "devices" | "broker">;

/** The record as it is after the hello, and what each channel with a position has missed. */
export interface Greeting {
  readonly device: Device;
  readonly backlogs: ReadonlyMap<Channel, readonly KeptPacket[]>;
}

/** Registers the device and reads its backlogs: calls of one turn, so one commit. */
export async function greet(
  ports: Ports,
  hello: Hello,
  positions: ReadonlyMap<Channel, Position>,
  now: number,
): Promise<Greeting> {
  const connected = ports.devices.connect(hello, now);
  const channels = [...positions.keys()];
  const backlogs = channels.map((channel) => ports.broker.backlog(channel, positions.get(channel)!, now));
  const [device, ...read] = await Promise.all([connected, ...backlogs]);
  return { device, backlogs: new Map(channels.map((channel, i) => [channel, read[i] ?? []])) };
}

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
): Promise<void> {
  const released = await ports.devices.unbind(who, now);
  await ports.broker.tell(released, { kind: "unbind" });
}

/** Forgets the devices. Their live connections stay and keep their topics, but no uid reaches them. */
export async function forget(ports: Ports, pushIds: readonly PushId[]): Promise<void> {
  await ports.devices.delete(pushIds);
  await ports.broker.tell(pushIds, { kind: "unbind" });
}
