// Who is online where there is one process: its hub knows all.
import type { PushId } from "../core/device.ts";
import type { Live, Presence } from "../core/live.ts";
import { Pace } from "../core/pace.ts";

/** Devices looked up before the clock is. */
const LOOKED_UP = 256;

export function localLive(hub: Presence): Live {
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
    isConnected: (pushIds) => each(pushIds, (pushId) => hub.isConnected(pushId)),
    count: async (topic) => hub.count(topic),
    members: (topic) => hub.members(topic),
    sessions: async () => hub.sessions(),
    connectionsOf: (pushIds) => each(pushIds, (pushId) => hub.connectionsOf(pushId)),
  };
}
