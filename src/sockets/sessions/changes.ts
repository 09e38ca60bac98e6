// What a client changes in its device's record: tags, its vendor's token, its user.
import { bind, unbind } from "../../core/connect.ts";
import type { PushId, Uid } from "../../core/device.ts";
import type { Binding, Engine } from "../../core/engine.ts";
import type { Report } from "../../core/report.ts";
import { type Command, type EventLimits, tagsLimit } from "./events.ts";
import type { Hub } from "./hub.ts";
import type { Refuser } from "./refuser.ts";
import type { Session } from "./session.ts";
import { rowsOf, type Writes } from "./writes.ts";

/** A client's own, or by its token: with no limit of devices per platform and no end. */
export const bindingOf = (pushId: PushId, uid: Uid, platform: string | undefined): Binding => ({
  pushId,
  uid,
  platformLimit: 0,
  timeToLive: 0,
  by: "client",
  ...(platform === undefined ? {} : { platform }),
});

/** Commands that change the record. */
export type Change = Extract<Command, { kind: "setTags" | "changeTag" | "token" | "bindUid" | "unbindUid" }>;

interface ChangesOptions {
  readonly engine: Pick<Engine, "devices" | "broker">;
  readonly hub: Hub;
  readonly limits: EventLimits;
  readonly refuser: Refuser;
  readonly report: Report;
  /** Whether a client's own `bindUid` is believed. */
  readonly trustClientUid: boolean;
  readonly writes: Writes;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export class Changes {
  readonly #options: ChangesOptions;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  /** Its calls of the store keep the order in which the client asked (D20). @param event the client's, for refusals */
  make(session: Session, event: string, command: Change): void {
    const { refuser, writes } = this.#options;
    const { pushId } = session;
    if (pushId === undefined)
      refuser.refuse(session, event, { code: "push_id_needed", message: `${event} needs a pushId event before it` });
    else if (writes.allows(session, event, rowsOf(command))) {
      const written = this.#write(session, pushId, command);
      if (written !== undefined) writes.own(session, command.kind, rowsOf(command), written);
    }
  }

  /** @returns undefined: it was refused */
  #write(session: Session, pushId: PushId, command: Change): Promise<unknown> | undefined {
    const { engine, hub, now, report } = this.#options;
    switch (command.kind) {
      case "setTags":
        return engine.devices.setTags(pushId, command.tags, now());
      case "changeTag":
        return this.#changeTag(session, pushId, command);
      case "token":
        return engine.devices.setToken(pushId, command.token, now());
      case "unbindUid":
        hub.unbindSession(session);
        report.count("unbindUid", { success: 1 });
        return unbind(engine, { pushIds: [pushId] }, now(), "client");
      case "bindUid":
        return this.#bindUid(session, pushId, command.uid);
    }
  }

  async #changeTag(
    session: Session,
    pushId: PushId,
    { tag, present }: Extract<Command, { kind: "changeTag" }>,
  ): Promise<void> {
    const { engine, limits, now, refuser } = this.#options;
    if (await engine.devices.changeTag(pushId, tag, present, now(), limits.tags)) return;
    refuser.refuse(session, present ? "addTag" : "removeTag", { code: "tags_limit", message: tagsLimit(limits) });
  }

  #bindUid(session: Session, pushId: PushId, uid: Uid): Promise<void> | undefined {
    const { engine, now, refuser, report, trustClientUid } = this.#options;
    const trusted = trustClientUid || session.sub === uid;
    report.count("bindUid", { total: 1, success: trusted ? 1 : 0 });
    if (trusted) return bind(engine, bindingOf(pushId, uid, session.platform), now());
    const message = "nobody vouches for a client's own uid: bind with /api/uid/bind, or set trust_client_uid";
    refuser.refuse(session, "bindUid", { code: "uid_not_trusted", message });
    return undefined;
  }
}
