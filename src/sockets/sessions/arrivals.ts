// What shows that messages have arrived: replies of clients, acknowledgements, and what a replay sends.
import { NOTI_TOPIC } from "../../core/notify.ts";
import type { Outbox } from "../../core/outbox.ts";
import { type Channel, type KeptPacket, type PacketId, topicChannel } from "../../core/packet.ts";
import type { Report } from "../../core/report.ts";
import { Acks } from "./acks.ts";
import type { Background } from "./background.ts";
import type { Command } from "./events.ts";
import type { Hub } from "./hub.ts";
import type { Session } from "./session.ts";

/** The latency of a notification's reply is a sample only within so many milliseconds. */
const REPLY_WINDOW = 10_000;

interface ArrivalsOptions {
  readonly hub: Pick<Hub, "wasAsked">;
  readonly outbox: Pick<Outbox, "acknowledged">;
  readonly report: Report;
  readonly background: Background;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #acks: Acks;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    const { background, now, outbox } = options;
    this.#acks = new Acks(async (acks) => {
      const stored = outbox.acknowledged(acks, now());
      background.own(stored, "acknowledged");
      await stored;
    });
  }

  /** Stores what was acknowledged; what cannot be stored is tried again with the next call. */
  flush(): Promise<void> {
    return this.#acks.flush();
  }

  /** The client says that a notification has arrived, or was opened. */
  replied(session: Session, { id, counter, sentAt }: Extract<Command, { kind: "arrival" }>): void {
    const { hub, report, now } = this.#options;
    if (counter === "arrive_android" && hub.wasAsked(id)) this.#acknowledge(session, id);
    else if (session.pushId !== undefined) report.evidence({ id, pushId: session.pushId, counter });
    if (counter !== "arrive_android" || sentAt === undefined) return;
    const latency = Math.max(0, now() - sentAt); // a phone's clock may be ahead (D28)
    if (latency < REPLY_WINDOW) report.count("noti", { success: 1, latency });
  }

  /** The client acknowledges what was sent with this ack id. */
  acked(session: Session, ack: number): void {
    const id = session.acked(ack);
    if (id !== undefined) this.#acknowledge(session, id);
  }

  /** Somebody has got a message that is to be acknowledged. Who is in the background does not see it. */
  #acknowledge({ pushId, background }: Session, id: PacketId): void {
    if (pushId === undefined || background) return;
    this.#acks.add({ id, pushId });
    this.#options.report.evidence({ id, pushId, counter: "arrive_android" });
  }

  /** Those who were online are counted when it is sent to everybody; those who come later, now. */
  replayed({ pushId }: Session, channel: Channel, { event, id }: KeptPacket): void {
    if (event === "noti" && channel === topicChannel(NOTI_TOPIC) && pushId !== undefined)
      this.#options.report.evidence({ id, pushId, counter: "target_android" });
  }
}
