// The method of each call, made of the parts; named as those of the storage thread.
import type { Wanted } from "../../core/events.ts";
import type { Traits } from "../../core/traits.ts";
import type { Keep } from "../keep.ts";
import { Wants } from "../wants.ts";
import { addressees } from "./addressees.ts";
import { admins } from "./admins.ts";
import { Statement } from "./database.ts";
import { devices } from "./devices.ts";
import { eventLog } from "./events.ts";
import { hookTable } from "./hooks.ts";
import type { Nodes } from "./nodes.ts";
import { online } from "./online.ts";
import { outboxMethods } from "./outbox.ts";
import { packets } from "./packets.ts";
import type { Hands } from "./parcels.ts";
import { revocations } from "./revocations.ts";
import { testDevices } from "./test-devices.ts";
import type { AsyncMethods, TurnParts } from "./turns.ts";

const probe = new Statement<[]>("UPDATE meta SET format = format");

export interface MethodOptions {
  readonly keep: Keep;
  readonly arrivalDays: number;
  readonly traits: Traits;
  readonly started: number;
  readonly epoch: string;
  readonly topic: string;
  readonly hands: Hands;
  readonly nodes: Nodes;
  /** Events up to this seq have been written and committed here. */
  onWritten(newest: number): void;
}

export function methods(options: MethodOptions): {
  readonly methods: AsyncMethods;
  readonly parts: readonly TurnParts[];
} {
  const { keep, arrivalDays, traits, started, epoch, topic, hands, nodes, onWritten } = options;
  const node = nodes.node;
  const wants = new Wants();
  const kept = packets(keep, hands, epoch, topic, node);
  const hooks = hookTable(epoch, nodes, node);
  const log = eventLog(wants, hooks, epoch, topic, onWritten, (newest) =>
    nodes.alone() ? undefined : `e${node()}.0.0|${newest}`,
  );
  const present = online(log, wants, nodes, started);
  const table = devices(kept, addressees, traits, present, log, node);
  const clock = nodes.leaseTime;
  const outbox = outboxMethods({ packets: kept, devices: table, traits, log, arrivalDays, node, clock });
  const all: AsyncMethods = {
    append: (turn, ...parcels) => kept.append(turn, parcels), // the whole call is one list
    sweepPackets: kept.sweepPackets,
    ...table,
    ...revocations,
    ...admins,
    ...testDevices,
    ...outbox.methods,
    probe: (turn) => probe.put(turn),
    async want(turn, wanted: Wanted, topicsChanged: boolean) {
      wants.use(wanted);
      hooks.use(wanted.hooks);
      if (!wants.tracksDevices) present.drop(turn, "devices");
      if (!wants.tracksTopics) present.drop(turn, "topics");
      else if (topicsChanged) present.dropOtherTopics(turn);
      return epoch;
    },
    noteEvents: present.noteEvents,
    presentDevices: present.presentDevices,
    listEvents: log.list,
    newestEvent: log.newest,
    tellAbsent: present.tellAbsent,
    sweepEvents: async (turn, now, keep, limit) =>
      (log.wants("uid.unbound") && (await table.endBindings(turn, now, limit))) ||
      (await log.sweepLog(turn, now - keep, limit)),
    claimEvents: hooks.claimEvents,
    settleEvents: hooks.settleEvents,
    hurryEvents: hooks.hurryEvents,
    hookDepths: hooks.hookDepths,
    deadLetters: hooks.deadLetters,
    replayDead: hooks.replayDead,
    replayEvents: hooks.replayEvents,
    sweepHooks: hooks.sweepHooks,
    hookMemory: hooks.hookMemory,
    memorize: hooks.memorize,
  };
  return {
    methods: all,
    parts: [{ ...none, ...table.parts }, outbox.parts, log.parts, kept.parts],
  };
}

const none: TurnParts = {
  async flush() {},
  forget() {},
  undone() {},
  async committed() {},
  settling() {},
};
