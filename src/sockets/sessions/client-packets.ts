// What clients send by `packetProxy`: for the business server, or for the page of examples.
import type { PushId } from "../../core/device.ts";
import type { Events, Happening } from "../../core/events.ts";
import type { Asking } from "./asking.ts";
import { type ClientPacket, type EventLimits, identifier, parsePacket, record } from "./events.ts";
import { dataOf, fitsPacket, whenSo } from "./questions.ts";
import type { Refusal } from "./refusals.ts";
import type { Refuser } from "./refuser.ts";
import type { Session } from "./session.ts";
import type { Writes } from "./writes.ts";

interface ClientPacketsOptions {
  readonly asking: Asking;
  readonly refuser: Refuser;
  readonly writes: Writes;
  readonly engine: { readonly events: Events };
  readonly limits: EventLimits;
  /** Answers what visitors of the page of examples say; undefined: it is no path of theirs. Absent: there is no such page. */
  readonly examples?: (pushId: PushId, path: string, data: unknown) => Promise<object> | undefined;
  readonly now: () => number;
  readonly error: (fields: object, message: string) => void;
}

export class ClientPackets {
  readonly #options: ClientPacketsOptions;

  constructor(options: ClientPacketsOptions) {
    this.#options = options;
  }

  /** Somebody has to want it: else it is ignored, whatever it is. */
  take(session: Session, value: unknown): undefined | Promise<void> {
    const { asking, engine, limits } = this.#options;
    if (this.#options.examples !== undefined && this.#example(session, value)) return undefined;
    const asks = asking.asker.asks("packet");
    if (!asks && !engine.events.wants("client.packet")) return undefined;
    const { pushId, uid } = session;
    const refused: Refusal[] = [];
    if (pushId === undefined)
      refused.push({ code: "push_id_needed", message: "packetProxy needs a pushId event before it" });
    const packet = pushId === undefined ? undefined : parsePacket(value, limits, refused);
    for (const refusal of refused) {
      const asked = identifier(record(value)?.["sequenceId"], limits.idLength);
      const answer = asked === undefined ? refusal : { ...refusal, sequenceId: asked };
      this.#options.refuser.refuse(session, "packetProxy", answer);
    }
    if (pushId === undefined || packet === undefined) return undefined;
    if (!asks) {
      this.#tellPacket(session, pushId, packet);
      return undefined;
    }
    const { path, sequenceId } = packet;
    const question = { pushId, uid, path, sequenceId, data: record(value)?.["data"] };
    return whenSo(asking.asker.ask("packet", question, fitsPacket, ""), (verdict): undefined => {
      if (session.gone) return;
      if (!verdict.allow) return asking.refuse(session, "packetProxy", verdict, sequenceId) as undefined;
      if (verdict.failed) this.#tellPacket(session, pushId, packet);
      const data = dataOf(verdict.said);
      const answer = JSON.stringify({ path, sequenceId });
      session.connection.send(
        `42["packetProxy",${data === undefined ? answer : `${answer.slice(0, -1)},"data":${data}}`}]`,
      );
    });
  }

  /** @returns whether it was one */
  #example(session: Session, value: unknown): boolean {
    const { path, sequenceId, data } = record(value) ?? {};
    if (session.pushId === undefined || typeof path !== "string") return false;
    if (sequenceId !== undefined && identifier(sequenceId, 64) === undefined) return false;
    const answer = this.#options.examples?.(session.pushId, path, data);
    answer?.then(
      (answered) => {
        if (session.gone) return;
        session.connection.send(`42["packetProxy",${JSON.stringify({ path, sequenceId, data: answered })}]`);
      },
      (error: unknown) => this.#options.error({ err: error, path }, "an example could not be answered"),
    );
    return answer !== undefined;
  }

  #tellPacket(session: Session, pushId: PushId, packet: ClientPacket): void {
    const { engine, now, writes } = this.#options;
    const { uid } = session;
    if (!engine.events.wants("client.packet") || !writes.allows(session, "packetProxy", 1)) return;
    const happening: Happening = {
      kind: "packet",
      pushId,
      ...(uid === undefined ? {} : { uid }),
      ...packet,
      at: now(),
    };
    writes.own(session, "packetProxy", 1, engine.events.note([happening]));
  }
}
