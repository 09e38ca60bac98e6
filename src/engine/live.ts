// Who is online where there is one process: its hubs know all.
import type { PushId } from "../core/device.ts";
import type { Live, Presence, Seen, TopicCount } from "../core/live.ts";
import { Pace } from "../core/pace.ts";

/** Devices looked up before the clock is. */
const LOOKED_UP = 256;

/** @param hubs may become more */
export function localLive(hubs: readonly Presence[]): Live {
  /** A list of 100,000 devices holds nobody up. */
  async function each<Answer>(pushIds: readonly PushId[], ask: (pushId: PushId) => Answer): Promise<Answer[]> {
    const pace = new Pace();
    const answers: Answer[] = [];
    for (const pushId of pushIds) {
      answers.push(ask(pushId));
      if (answers.length % LOOKED_UP === 0 && pace.over()) await pace.turn();
    }
    return answers;
  }
  return {
    isConnected: (pushIds) => each(pushIds, (pushId) => hubs.some((hub) => hub.isConnected(pushId))),
    count: async (topic) => hubs.reduce((sum, hub) => sum + hub.count(topic), 0),
    async members(topic) {
      const members = await Promise.all(hubs.map((hub) => hub.members(topic)));
      return members.length === 1 ? members[0]! : members.flat();
    },
    async sessions() {
      const byPlatform = new Map<string, number>();
      let total = 0;
      let packetsIn10s = 0;
      for (const counts of hubs.map((hub) => hub.sessions())) {
        total += counts.total;
        packetsIn10s += counts.packetsIn10s;
        for (const [platform, count] of counts.byPlatform)
          byPlatform.set(platform, (byPlatform.get(platform) ?? 0) + count);
      }
      return { total, byPlatform, packetsIn10s };
    },
    connectionsOf: (pushIds) =>
      each(pushIds, (pushId) => {
        const found = hubs.flatMap((hub) => hub.connectionsOf(pushId));
        return hubs.length > 1 ? found.toSorted((a, b) => b.since - a.since) : found;
      }),
    reached: (pushIds, id) => each(pushIds, (pushId) => hubs.some((hub) => hub.reached(pushId, id))),
    areAwake: (pushIds) => each(pushIds, (pushId) => hubs.some((hub) => hub.isAwake(pushId))),
    async seen(who) {
      const [first = [], ...more] = await Promise.all(hubs.map((hub) => hub.seen(who)));
      return more.reduce((joined, seen) => joined.map((one, i) => together(one, seen[i]!)), first);
    },
    async topics(prefix, after, limit) {
      const [first = [], ...more] = await Promise.all(hubs.map((hub) => hub.topics(prefix, after, limit)));
      return more.length === 0 ? first : merged([first, ...more], limit);
    },
    async rates(topic) {
      const rates = hubs.map((hub) => hub.rates(topic));
      const sum = (name: "in" | "out" | "kept"): number => rates.reduce((all, one) => all + one[name], 0);
      return {
        in: sum("in"),
        out: sum("out"),
        kept: sum("kept"),
        seconds: Math.max(0, ...rates.map(({ seconds }) => seconds)),
      };
    },
    async connections(filter, limit, most) {
      const samples = await Promise.all(hubs.map((hub) => hub.connections(filter, limit, most)));
      return {
        connections: samples.flatMap(({ connections }) => connections).slice(0, limit),
        looked: samples.reduce((sum, { looked }) => sum + looked, 0),
        open: samples.reduce((sum, { open }) => sum + open, 0),
      };
    },
    async disconnect(connection) {
      return (await Promise.all(hubs.map((hub) => hub.disconnect(connection)))).includes(true);
    },
    async order(who, order) {
      const done = await Promise.all(hubs.map((hub) => hub.order(who, order)));
      return done.reduce((sum, sessions) => sum + sessions, 0);
    },
  };
}

function together(a: Seen, b: Seen): Seen {
  const since = Math.min(a.since ?? Number.POSITIVE_INFINITY, b.since ?? Number.POSITIVE_INFINITY);
  return {
    online: a.online || b.online,
    devices: [...new Set([...a.devices, ...b.devices])],
    ...(since === Number.POSITIVE_INFINITY ? {} : { since }),
  };
}

/** The first `limit` of all by name: whoever has more has told of so many. */
function merged(pages: readonly (readonly TopicCount[])[], limit: number): readonly TopicCount[] {
  const found = new Map<string, TopicCount>();
  for (const one of pages.flat()) {
    const other = found.get(one.topic);
    const leftOut = (one.leftOut ?? 0) + (other?.leftOut ?? 0);
    const count = one.count + (other?.count ?? 0);
    found.set(one.topic, { topic: one.topic, count, ...(leftOut > 0 ? { leftOut } : {}) });
  }
  return [...found.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1)).slice(0, limit);
}
