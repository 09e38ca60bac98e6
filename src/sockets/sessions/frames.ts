// A packet as the text that shipped SDKs decode. The body is spliced in as it came; R-numbers are rules that an SDK breaks on.
import type { Channel, Packet, Standing } from "../../core/packet.ts";
import { channelKind, channelName } from "../../core/packet.ts";

/**
 * One frame for every receiver of the channel, as an Engine.IO message without attachments or ack id (R1).
 * @param now the sending time, shown by notifications
 */
export function encodeFrame(channel: Channel, packet: Packet, now: number): string {
  switch (packet.event) {
    case "reach":
      return `42["p",${packet.body},${position(channel, packet)}]`;
    case "p":
      return `42["p",${packet.body}${packet.expires > 0 ? `,${position(channel, packet)}` : ""}]`; // R2, R3
    case "noti":
      return `42["noti",{"id":${JSON.stringify(packet.id)},"timestamp":${now}${inner(packet.body)}${kept(channel, packet)}}]`; // R6
    case "push":
      return `42["push",{${inner(packet.body).slice(1)}${packet.expires > 0 ? `,"id":"${packet.id}"` : ""}${kept(channel, packet)}}]`;
  }
}

/** Where a client stands that keeps exact positions; without `topic` on its device's own channel (README 4.16). */
export function encodeStanding(channel: Channel, { at, recovered }: Standing, epoch: string): string {
  const topic = channelKind(channel) === "topic" ? { topic: channelName(channel) } : {};
  return `42["position",${JSON.stringify({ ...topic, epoch, at, recovered })}]`;
}

/** `["room2","hnDztbJWD9XV",0]`: exactly three, the last one a number (R3, R4). */
function position(channel: Channel, packet: Packet): string {
  return `[${JSON.stringify(channelName(channel))},${JSON.stringify(packet.id)},${unicast(channel) ? 1 : 0}]`;
}

/** R5: an SDK takes the mere presence of `ttl` or `unicast` for true. */
function kept(channel: Channel, packet: Packet): string {
  if (packet.expires === 0) return "";
  return `,"ttl":1,"topic":${JSON.stringify(channelName(channel))}${unicast(channel) ? ',"unicast":1' : ""}`;
}

const unicast = (channel: Channel) => channelKind(channel) === "device";

/** The members of a JSON object's text, each led by a comma. */
const inner = (object: string) => (object === "{}" ? "" : `,${object.slice(1, -1)}`);
