// How many packets a channel keeps, and what is remembered of those whose time is over.
import { type Channel, channelKind, channelName } from "../core/packet.ts";

/** How many packets a channel keeps. Prefixes are of topic names; the longest that fits decides. */
export interface Keep {
  readonly default: number;
  readonly prefixes: readonly (readonly [prefix: string, count: number])[];
}

/** Packets that a channel keeps: of a topic by the longest prefix of its name that has a number, else the default. */
export function keeper(keep: Keep): (channel: Channel) => number {
  const longestFirst = [...keep.prefixes].sort((a, b) => b[0].length - a[0].length);
  return (channel) => {
    if (longestFirst.length === 0 || channelKind(channel) !== "topic") return keep.default;
    const topic = channelName(channel);
    return longestFirst.find(([prefix]) => topic.startsWith(prefix))?.[1] ?? keep.default;
  };
}

/** Channels share these: one may be told that it missed something because another one's packet expired. Few are. */
const BUCKETS = 65_536;

/** FNV-1a, as good as any to spread names. */
export function bucketOf(channel: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < channel.length; i++) hash = Math.imul(hash ^ channel.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}
