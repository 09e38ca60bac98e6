// A hub where nobody is.
import type { Presence } from "../../src/core/live.ts";

export const nobody: Presence = {
  isConnected: () => false,
  count: () => 0,
  members: async () => [],
  sessions: () => ({ total: 0, byPlatform: new Map(), packetsIn10s: 0 }),
  connectionsOf: () => [],
  reached: () => false,
  isAwake: () => false,
  seen: async () => [],
  topics: async () => [],
  rates: () => ({ in: 0, out: 0, kept: 0, seconds: 0 }),
  connections: async () => ({ connections: [], looked: 0, open: 0 }),
  disconnect: async () => false,
  order: async () => 0,
};
