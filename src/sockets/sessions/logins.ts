// Clients that say by a token who they are: what comes of it, at the door and later (sockets/README.md 4.17).
import { bind } from "../../core/connect.ts";
import type { PushId } from "../../core/device.ts";
import type { Engine } from "../../core/engine.ts";
import { isFault, type Login, type LoginFault } from "../../core/login.ts";
import { Tally } from "../../core/tally.ts";
import type { ConnectRefusal } from "../transport/socketio.ts";
import type { CloseReason, Handshake } from "../transport/types.ts";
import { bindingOf } from "./changes.ts";
import type { Gate } from "./gate.ts";
import { payloadToken, tokenOf } from "./login.ts";
import type { Refuser } from "./refuser.ts";
import type { Replay } from "./replay.ts";
import { type Session, topicsOf } from "./session.ts";
import type { Topics } from "./topics.ts";
import type { Writes } from "./writes.ts";

/** Of a token that names its device. */
export const OTHER_DEVICE = "the token is for another pushId";

interface LoginsOptions {
  readonly gate: Gate;
  readonly refuser: Refuser;
  readonly replay: Replay;
  readonly topics: Topics;
  readonly writes: Writes;
  readonly engine: Pick<Engine, "devices" | "broker">;
  /** For a revision 3 client that needs a token and came without one to bring it, milliseconds. */
  readonly loginTimeout: number;
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
  readonly warn: (fields: object, message: string) => void;
}

export class Logins {
  readonly #options: LoginsOptions;
  readonly #gate: Gate;
  /** Tokens that could not be checked, and what became of the connection. */
  readonly #keyless: Tally<string, { readonly address: string; readonly err: unknown }>;

  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#gate = options.gate;
    this.#keyless = new Tally(
      (what, count, last) => options.warn({ count, ...last }, `a client's token could not be checked, ${what}`),
      options.elapsed,
    );
  }

  /** Writes the log's lines of a minute that is over. */
  tick(): void {
    this.#keyless.tick();
  }

  /** Takes the token of CONNECT or of the handshake (sockets 4.17). @returns why the client stays outside; undefined: it may go on */
  logIn(
    session: Session,
    payload: string | undefined,
    handshake: Handshake | undefined,
  ): ConnectRefusal | undefined | Promise<ConnectRefusal | undefined> {
    const { connection } = session;
    const token = payloadToken(payload) ?? tokenOf(handshake);
    if (token !== undefined)
      return this.#identify(token, session, (read): ConnectRefusal | undefined => {
        if (isFault(read)) return this.turnedAway(session, read);
        this.#gate.seat(session, read);
        return undefined;
      });
    if (!this.#gate.required) return undefined;
    if (connection.revision === 4)
      return this.turnedAway(session, { code: "token_missing", reason: "CONNECT without a token" });
    connection.expect(this.#options.loginTimeout); // it may say `authorize`
    return undefined;
  }

  /** It is in: now come the topics that it need not ask for. */
  welcome(session: Session): void {
    const { seat, welcome } = session;
    if (welcome?.data !== undefined) this.#tellAuthorized(session);
    for (const topic of welcome?.join ?? []) this.#options.topics.join(session, topic);
    if (seat !== undefined) this.#joinOwn(session);
  }

  #tellAuthorized(session: Session): void {
    const { seat, sub: uid, welcome } = session;
    const told = JSON.stringify({ uid, expires: seat?.login.expires });
    const data = welcome?.data === undefined ? "" : `${told === "{}" ? "" : ","}"data":${welcome.data}`;
    session.connection.send(`42["authorized",${told.slice(0, -1)}${data}}]`);
  }

  /**
   * Reads a token. When its key cannot be had now, the connection is closed, so that the client tries again; one that has logged in
   * stays as it is, for it could not come back.
   */
  #identify<Result>(
    token: string,
    session: Session,
    judge: (read: Login | LoginFault) => Result | undefined,
  ): Result | undefined | Promise<Result | undefined> {
    const { connection } = session;
    const read = this.#gate.read(token);
    if (!(read instanceof Promise)) return judge(read);
    return read.then(
      (late) => (connection.open ? judge(late) : undefined),
      (error: unknown) => {
        const stays = session.seat !== undefined;
        const what = stays ? "it goes on with the one before" : "its connection is closed so that it tries again";
        this.#keyless.add(what, { address: connection.address, err: error });
        if (!stays) connection.close();
        return undefined;
      },
    );
  }

  /** One of revision 4 is told by the CONNECT_ERROR that is made of this, and may come again; one of revision 3 is in already. */
  turnedAway(session: Session, fault: LoginFault): ConnectRefusal {
    const { connection } = session;
    const told = this.#options.refuser.refuseLogin(session, "connect", fault, connection.revision === 3);
    if (connection.revision === 3) connection.close();
    return { message: told.message, data: told };
  }

  /** Whoever was to bring a token and never did is in the log as well. */
  ended(session: Session, reason: CloseReason): void {
    if (reason !== "timeout" || session.seat !== undefined || !this.#gate.required) return;
    const fault = { code: "token_missing", reason: "none came within client.connect_timeout" } as const;
    this.#options.refuser.refuseLogin(session, "", fault, false);
  }

  /** A token that comes later: the first, or a newer one. One that is refused leaves what the session had. */
  authorize(session: Session, argument: unknown): undefined | Promise<void> {
    const token = (argument as { readonly token?: unknown } | null | undefined)?.token;
    const refuse = (fault: LoginFault): undefined => {
      this.#options.refuser.refuseLogin(session, "authorize", fault);
      if (session.seat === undefined && this.#gate.required) session.connection.close();
      return undefined;
    };
    if (typeof token !== "string" || token === "")
      return refuse({ code: "token_missing", reason: "authorize must have a token" });
    const done = this.#identify(token, session, (read): true | undefined => {
      if (session.gone) return undefined;
      if (isFault(read)) return refuse(read);
      const { pushId, seat } = session;
      if (seat !== undefined && seat.login.uid !== read.uid)
        return refuse({ code: "not_allowed", reason: "a new token must have the same sub" });
      if (pushId !== undefined && read.pushId !== undefined && read.pushId !== pushId)
        return refuse({ code: "not_allowed", reason: OTHER_DEVICE });
      if (seat === undefined) session.connection.expect(0);
      if (this.#gate.guardsTopics) this.#leaveForbidden(session, read);
      this.#gate.seat(session, read);
      this.#authorized(session, pushId, read);
      return true;
    });
    return done instanceof Promise ? done.then(() => undefined) : undefined;
  }

  #authorized(session: Session, pushId: PushId | undefined, login: Login): void {
    const { engine, now, writes } = this.#options;
    if (pushId !== undefined && session.uid !== login.uid)
      writes.own(session, "bindUid", 1, bind(engine, bindingOf(pushId, login.uid, session.platform), now()));
    this.#tellAuthorized(session);
    this.#joinOwn(session);
  }

  /** Topics of the token's own. */
  #joinOwn(session: Session): void {
    const { replay, topics } = this.#options;
    const { join } = session.seat!.login;
    if (join.length === 0) return;
    topics.enter(
      session,
      "authorize",
      join.map((topic) => ({ topic })),
    );
    replay.next(session);
  }

  /** Topics that the former token allowed, and this one does not. Where the backend had it join it stays. */
  #leaveForbidden(session: Session, login: Login): void {
    const { refuser, topics } = this.#options;
    let fault: LoginFault | undefined;
    for (const topic of topicsOf(session)) {
      if (this.#gate.topicFault(session.seat?.login, topic) !== undefined) continue;
      const forbidden = this.#gate.topicFault(login, topic);
      if (forbidden !== undefined) topics.leave(session, topic);
      fault ??= forbidden;
    }
    if (fault !== undefined) refuser.refuseLogin(session, "authorize", fault);
  }
}
