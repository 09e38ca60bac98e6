// Devices whose last session went: their records change after the disconnect delay, unless they come back (holds 7).
import type { Debug } from "../../core/debug.ts";
import type { PushId, Uid } from "../../core/device.ts";
import type { Engine } from "../../core/engine.ts";
import type { Departures as Departed } from "../../core/events.ts";
import { LargeMap } from "../../core/large-map.ts";
import { inTurn } from "../../core/pace.ts";
import { deviceChannel } from "../../core/packet.ts";
import type { CloseReason } from "../transport/types.ts";
import type { Background } from "./background.ts";
import type { Hub } from "./hub.ts";
import type { Members } from "./members.ts";
import type { Session } from "./session.ts";

/** Devices that are taken offline in one turn. */
const AT_ONCE = 500;

/** The reason of connections that the server closes when it stops: their devices are expected back at the next one. */
export const SHUTDOWN: CloseReason = "server shutting down";

/** Why and when a device went, epoch milliseconds. */
interface Gone {
  readonly reason: string;
  readonly at: number;
}

interface DeparturesOptions {
  readonly hub: Hub;
  readonly engine: Pick<Engine, "devices" | "events">;
  readonly members: Members;
  readonly background: Background;
  /** Milliseconds for which a device whose last session went still counts as connected. */
  readonly disconnectDelay: number;
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
  readonly debug: Debug;
}

export class Departures {
  readonly #options: DeparturesOptions;
  /** Devices that are offline, which could not be stored. */
  readonly #unstored = new LargeMap<PushId, Gone>();

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /** Whether nobody who goes for this reason is waited for. */
  atOnce(reason: CloseReason): boolean {
    return reason === "ping timeout" || this.#options.disconnectDelay === 0;
  }

  /**
   * The session is no longer its device's, if it said which. The record changes after the delay, unless a newer session of the
   * device has come (holds 7).
   */
  left(session: Session, reason: CloseReason): void {
    const { debug, hub } = this.#options;
    const { pushId, uid, connection } = session;
    if (pushId === undefined) return;
    hub.release(session, deviceChannel(pushId));
    if (debug.on) debug.line({ pushId, address: connection.address, reason }, "device left");
    if (hub.unname(session)) this.#lastLeft(connection, uid, pushId, reason);
  }

  #lastLeft({ since }: Session["connection"], uid: Uid | undefined, pushId: PushId, reason: CloseReason): void {
    const { background, disconnectDelay, elapsed, engine, hub, now } = this.#options;
    if (!this.atOnce(reason)) hub.lingering.set(pushId, { reason, until: elapsed() + disconnectDelay, uid, since });
    else if (reason === SHUTDOWN) background.own(engine.devices.disconnect([pushId], now(), null), "disconnect");
    else void this.#tell([pushId], [{ reason, at: now() }]);
  }

  /** It was gone before its record was read. */
  wentBefore(pushId: PushId, at: number): void {
    void this.#tell([pushId], [{ reason: "transport close", at }]);
  }

  /** Once a second: whose delay is over goes offline, and what could not be stored is tried again. */
  tick(): void {
    void this.#tellUnstored();
    this.#endDelays();
  }

  /** A part of them in a turn: after a break of the network very many end together. */
  #endDelays(): void {
    const { disconnectDelay, elapsed, hub, now } = this.#options;
    const time = elapsed();
    const over = hub.lingering.over(time, AT_ONCE);
    const gone = over.map(
      ([, { reason, until }]): Gone => ({ reason, at: Math.round(now() - (time - until) - disconnectDelay) }),
    );
    const pushIds = over.map(([pushId]) => pushId);
    if (over.length > 0) void this.#tell(pushIds, gone);
    if (over.length === AT_ONCE) return inTurn(() => this.#endDelays());
    this.#endDelaysOfMembers();
  }

  #endDelaysOfMembers(): void {
    const { hub, members } = this.#options;
    const more = members.endDelays(AT_ONCE, (pushId) => !hub.isConnected(pushId));
    if (more) inTurn(() => this.#endDelaysOfMembers());
  }

  /** What cannot be stored is stored later, unless they have come back. */
  async #tell(pushIds: readonly PushId[], gone: readonly Gone[]): Promise<void> {
    const { background, engine, hub, members, now } = this.#options;
    members.flush();
    try {
      await engine.devices.disconnect(pushIds, now(), this.#departed(gone));
    } catch (error) {
      background.failed(error, "disconnect");
      for (const [i, pushId] of pushIds.entries()) if (!hub.isConnected(pushId)) this.#unstored.set(pushId, gone[i]!);
    }
  }

  #departed(gone: readonly Gone[]): Departed | undefined {
    if (!this.#options.engine.events.tracks) return undefined;
    return { reasons: gone.map(({ reason }) => reason), times: gone.map(({ at }) => at) };
  }

  async #tellUnstored(): Promise<void> {
    const pushIds: PushId[] = [];
    const gone: Gone[] = [];
    for (const part of this.#unstored.parts)
      for (const [pushId, one] of part) {
        if (pushIds.length === AT_ONCE) break;
        pushIds.push(pushId);
        gone.push(one);
      }
    if (pushIds.length === 0) return;
    for (const pushId of pushIds) this.#unstored.delete(pushId);
    await this.#tell(pushIds, gone);
    if (!this.#options.background.fails) await this.#tellUnstored();
  }

  /** Whoever is here or was lately is offline from now on. */
  async stop(): Promise<void> {
    const { hub } = this.#options;
    await this.#tellUnstored();
    for (const gone of [hub.present(), hub.lingering.keys()]) {
      let offline: PushId[] = [];
      for (const pushId of gone) {
        offline.push(pushId);
        if (offline.length < AT_ONCE) continue;
        await this.#offline(offline);
        offline = [];
      }
      await this.#offline(offline);
    }
    hub.lingering.clear();
  }

  async #offline(pushIds: readonly PushId[]): Promise<void> {
    if (pushIds.length > 0) await this.#options.engine.devices.disconnect(pushIds, this.#options.now(), null);
  }
}
