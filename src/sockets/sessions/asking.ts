// What the business server is asked before something is done for a client, and what comes of its word (sockets/README.md 4.18).
import { type Asker, NO_ASKER, type Verdict } from "../../core/ask.ts";
import { bind as bindUid } from "../../core/connect.ts";
import type { PushId, Uid } from "../../core/device.ts";
import type { Engine } from "../../core/engine.ts";
import { topicChannel } from "../../core/packet.ts";
import type { Report } from "../../core/report.ts";
import type { ConnectRefusal } from "../transport/socketio.ts";
import type { Handshake } from "../transport/types.ts";
import { bindingOf } from "./changes.ts";
import type { Command, EventLimits, Subscription } from "./events.ts";
import type { Gate } from "./gate.ts";
import type { Logins } from "./logins.ts";
import {
  boundBy,
  connectQuestion,
  fitsAnything,
  fitsBound,
  fitsWelcome,
  NOT_ALLOWED,
  welcomeOf,
  whenSo,
} from "./questions.ts";
import type { Refuser } from "./refuser.ts";
import type { Session } from "./session.ts";
import type { Writes } from "./writes.ts";

/** Of a question, what the client wrote, in characters; of its key; and how many of a client's topics are asked about at once. */
const LONGEST_ASKED = 65_536;
const LONGEST_KEY = 512;
const ASKED_AT_ONCE = 8;

const REFUSED_BY_BACKEND = "the business server refused it";

interface AskingOptions {
  readonly asker?: Asker;
  /** Does what the client asked for. */
  readonly obey: (session: Session, event: string, command: Command) => void;
  readonly refuser: Refuser;
  readonly writes: Writes;
  readonly gate: Gate;
  readonly logins: Logins;
  readonly engine: Pick<Engine, "devices" | "broker">;
  readonly limits: EventLimits;
  readonly report: Report;
  readonly now: () => number;
}

export class Asking {
  readonly #options: AskingOptions;
  asker: Asker;

  constructor(options: AskingOptions) {
    this.#options = options;
    this.asker = options.asker ?? NO_ASKER;
  }

  /** A client that could not be asked about is closed without a word where it may not come in: it tries again. */
  connect(
    session: Session,
    payload: string | undefined,
    handshake: Handshake | undefined,
  ): ConnectRefusal | undefined | Promise<ConnectRefusal | undefined> {
    const { connection } = session;
    if (!connection.open) return undefined;
    const { address, transport, revision } = connection;
    const { limits } = this.#options;
    if (payload !== undefined && payload.length > LONGEST_ASKED) {
      const message = `auth may have ${LONGEST_ASKED} characters as JSON`;
      const reason = "its auth is too long for a question";
      return this.#options.logins.turnedAway(session, { code: "not_allowed", reason, message });
    }
    const question = connectQuestion(handshake, payload, { address, transport, revision, uid: session.sub });
    return whenSo(this.asker.ask("connect", question, fitsWelcome(limits), ""), (verdict) => {
      if (!connection.open) return undefined;
      if (verdict.allow) {
        if (!verdict.failed) session.welcome = welcomeOf(verdict.said, limits);
        return undefined;
      }
      if (!verdict.failed)
        return this.#options.logins.turnedAway(session, {
          code: "not_allowed",
          reason: REFUSED_BY_BACKEND,
          message: verdict.reason ?? NOT_ALLOWED,
        });
      connection.close();
      return undefined;
    });
  }

  /** Tells the client the business server's reason, or that it could not be asked. */
  refuse(session: Session, event: string, { failed, reason }: Verdict, sequenceId?: string): void {
    const message = failed ? "it could not be decided now: try again later" : (reason ?? NOT_ALLOWED);
    this.#options.refuser.refuse(session, event, {
      code: "not_allowed",
      message,
      ...(sequenceId === undefined ? {} : { sequenceId }),
    });
  }

  /** Asks before a `bindUid` is done, then binds the uid that the answer names, or else the argument. Refusals go to the client. */
  bind(session: Session, argument: unknown): undefined | Promise<void> {
    const { engine, limits, now, report, writes } = this.#options;
    const { pushId, platform } = session;
    if (pushId === undefined) {
      this.#options.refuser.refuse(session, "bindUid", {
        code: "push_id_needed",
        message: "bindUid needs a pushId event before it",
      });
      return undefined;
    }
    const written = JSON.stringify(argument) ?? "";
    if (written.length > LONGEST_ASKED) {
      const message = `the argument of bindUid may have ${LONGEST_ASKED} characters as JSON`;
      this.#options.refuser.refuse(session, "bindUid", { code: "event_malformed", message });
      return undefined;
    }
    const key = written.length > LONGEST_KEY ? "" : `${pushId} ${platform ?? ""} ${written}`;
    return whenSo(
      this.asker.ask("bind_uid", { pushId, platform, argument }, fitsBound(limits), key),
      (verdict): undefined => {
        if (session.gone || session.pushId !== pushId) return;
        report.count("bindUid", { total: 1, success: verdict.allow ? 1 : 0 });
        if (!verdict.allow) return this.refuse(session, "bindUid", verdict) as undefined;
        const bound = boundBy(verdict, argument, limits);
        if (bound === undefined) {
          this.#options.refuser.refuse(session, "bindUid", {
            code: "uid_invalid",
            message: "neither bindUid nor the backend named a uid",
          });
          return;
        }
        if (!writes.allows(session, "bindUid", 1)) return;
        const { uid, platformLimit, timeToLive } = bound;
        const binding = { ...bindingOf(pushId, uid, bound.platform ?? session.platform), platformLimit, timeToLive };
        writes.own(session, "bindUid", 1, bindUid(engine, binding, now()));
      },
    );
  }

  /** Those that were refused are left out, and the first of them is told. */
  async topics(
    session: Session,
    event: string,
    command: Extract<Command, { kind: "hello" | "subscribe" }>,
  ): Promise<void> {
    const given = command.kind === "hello" ? command.subscriptions : [command];
    const open = given.filter(({ topic }) => this.asker.asksAbout(topic) && this.#isNew(session, topic));
    if (open.length === 0) return this.#options.obey(session, event, command);
    const pushId = command.kind === "hello" ? command.pushId : session.pushId;
    const uid = await this.#uidOf(session, pushId);
    const refused = new Map<string, Verdict>();
    const whose = uid === undefined ? `pushId ${pushId}` : `uid ${uid}`;
    const waiting = open.values();
    const some = async (): Promise<void> => {
      for (const { topic } of waiting) {
        if (session.gone) return;
        const key = pushId === undefined && uid === undefined ? "" : `${whose} ${topic}`;
        const verdict = await this.asker.ask("subscribe", { topic, pushId, uid }, fitsAnything, key);
        if (!verdict.allow) refused.set(topic, verdict);
      }
    };
    await Promise.all(Array.from({ length: Math.min(ASKED_AT_ONCE, open.length) }, some));
    if (session.gone) return;
    for (const verdict of refused.values()) {
      this.refuse(session, event, verdict);
      break;
    }
    const allowed = ({ topic }: Subscription): boolean => !refused.has(topic);
    if (command.kind === "hello")
      this.#options.obey(session, event, { ...command, subscriptions: command.subscriptions.filter(allowed) });
    else if (allowed(command)) this.#options.obey(session, event, command);
  }

  #isNew(session: Session, topic: string): boolean {
    const channel = topicChannel(topic);
    const isIn = session.isJoining(channel) || session.connection.in(channel);
    return !isIn && this.#options.gate.topicFault(session.seat?.login, topic) === undefined;
  }

  /** As far as it is known. Of a device that says only now which one it is, the store knows. */
  async #uidOf(session: Session, pushId: PushId | undefined): Promise<Uid | undefined> {
    const { engine, now } = this.#options;
    if (session.sub !== undefined || pushId === undefined || pushId === session.pushId)
      return session.sub ?? session.uid;
    const [device] = await engine.devices.get([pushId], now()).catch(() => []);
    return device?.uid;
  }
}
