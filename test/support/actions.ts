// A core behind the API that does nothing and knows nobody: who needs one replaces what it looks at.
import type { Actions } from "../../src/api/actions.ts";
import { Rings } from "../../src/core/rings.ts";
import { localLive } from "../../src/engine/live.ts";
import { nobody } from "./presence.ts";

export const idleActions = (): Actions => ({
  push: () => ({ id: "packet123456", online: 0 }),
  notify: async () => "",
  outbox: {
    jobs: async () => [],
    order: async () => [],
    setRate: async () => [],
    notification: async () => undefined,
    at: async () => undefined,
    deliveries: async () => undefined,
  },
  reached: async () => undefined,
  failures: {
    failed: async () => ({ deliveries: [] }),
    failedGroups: async () => ({ groups: [], complete: true }),
    retry: async () => ({ retried: 0, ids: new Set(), dead: 0, late: 0 }),
  },
  lanes: { list: async () => [], resume: () => [] },
  hooks: { list: async () => [], resume: () => [], test: async () => undefined },
  events: {
    list: async () => ({ events: [] }),
    seqOf: () => undefined,
    dead: async () => [],
    replay: async () => 0,
    follow: async () => ({ newest: 0, close() {} }),
  },
  served: () => false,
  weigh: () => ({ vendors: [], connection: 0 }),
  plainWords: () => undefined,
  relay: async () => undefined,
  receiver: () => undefined,
  bind: async () => {},
  unbind: async () => {},
  revoke: async () => 0,
  deleteDevices: async () => {},
  devices: {
    get: async () => [],
    byUid: async () => [],
    past: async () => [],
    page: async () => ({ devices: [] }),
    named: async () => [],
    byToken: async () => [],
  },
  live: localLive([nobody]),
  counters: {
    add: async () => {},
    chart: async () => [],
    keys: async () => [],
    arrived: async () => {},
    arrivals: async () => [],
    arrivalTypes: async () => [],
    arrivalDays: async () => ({ days: [], complete: true }),
  },
  traces: {
    start: async () => ({ trace: "", running: true, startedAt: 0, until: 0, lines: 0, forgotten: 0 }),
    stop: () => undefined,
    list: () => [],
    get: () => undefined,
  },
  count: () => {},
  ready: async () => [],
  rings: {
    seconds: (count) => new Rings({}).seconds(count),
    minutes: (count) => new Rings({}).minutes(count),
    hours: async () => ({ step: 3_600_000, from: 0, values: {} }),
  },
  audit: { add() {}, list: async () => [] },
  settings: {
    effective: () => ({ settings: [], vendors: [] }),
    compare: async () => ({ changes: [], warnings: [], problems: [] }),
    reload: async () => ({ changes: [], warnings: [], problems: [] }),
  },
  config: () => ({}),
});
