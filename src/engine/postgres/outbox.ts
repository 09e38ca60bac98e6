// The outbox and the statistics on PostgreSQL, put together.
import type { Evidence } from "../../core/engine.ts";
import type { Traits } from "../../core/traits.ts";
import { dropAt } from "../sqlite/counts.ts";
import { addressees } from "./addressees.ts";
import { auditTable } from "./audit.ts";
import { counters } from "./counters.ts";
import { deliveries } from "./deliveries.ts";
import type { DeviceTable } from "./devices.ts";
import type { EventLog } from "./events.ts";
import { failures } from "./failures.ts";
import { finished } from "./finished.ts";
import { importing } from "./import.ts";
import { outbox } from "./jobs.ts";
import { listing } from "./listing.ts";
import { calls } from "./once.ts";
import { orders } from "./orders.ts";
import type { Packets } from "./packets.ts";
import { progress } from "./progress.ts";
import { reach } from "./reach.ts";
import { receipts } from "./receipts.ts";
import { sweep } from "./sweep.ts";
import type { Turn } from "./turns.ts";

export interface OutboxParts {
  readonly packets: Packets;
  readonly devices: DeviceTable;
  readonly traits: Traits;
  readonly log: Pick<EventLog, "wants" | "write">;
  /** How long a notification's statistics are kept. */
  readonly arrivalDays: number;
  /** This node. */
  readonly node: () => number;
  /** The time by which leases are, of the database's (milliseconds). */
  readonly clock: (database: number) => number;
}

export function outboxMethods({ packets, devices, traits, log, arrivalDays, node, clock }: OutboxParts) {
  const ends = finished(log);
  const tallied = progress(traits, ends);
  const reaching = reach(tallied, addressees);
  const repeatable = calls(packets);
  const told = receipts(devices, traits, log);
  const looking = listing(addressees, packets);
  const { sweepHours, ...figures } = counters(looking, told, node);
  const { add, ...accepting } = outbox(packets, tallied, addressees, repeatable, ends, reaching, (heading) =>
    dropAt(heading, arrivalDays),
  );
  const { jobs, jobsByNumber, lastJobTo, jobsOfId, notification, deliveriesOf, deliveriesAt, vendorIds, traceable } =
    looking;
  return {
    parts: tallied.parts,
    methods: {
      ...accepting,
      ...failures(add),
      ...deliveries(tallied, devices, traits, reaching, node, clock),
      ...orders(ends),
      ...importing(devices),
      ...figures,
      /** Whoever tells that a message has come acknowledges it, also to a server that does not know any more whom it sent it to. */
      async arrived(turn: Turn, evidence: readonly Evidence[], now: number): Promise<void> {
        await figures.arrived(turn, evidence, now);
        const came = evidence.filter(({ counter }) => counter === "arrive_android");
        await reaching.acknowledge(
          turn,
          came.map(({ id, pushId }) => [id, pushId] as const),
          now,
        );
      },
      ...sweep(addressees, reaching.forgetReached, [sweepHours, repeatable.sweepCalls]),
      acknowledge: reaching.acknowledge,
      reachedSums: reaching.reachedSums,
      reachedUsers: reaching.reachedUsers,
      received: told.received,
      ...{ jobs, jobsByNumber, lastJobTo, jobsOfId, notification, deliveriesOf, deliveriesAt, vendorIds, traceable },
      ...auditTable,
      appendOnce: repeatable.appendOnce,
      handed: repeatable.handed,
    },
  };
}
