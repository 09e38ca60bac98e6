// Who clients are by their tokens: which sessions have logged in, when their tokens expire, and which were revoked. Off, it costs
// a session one field.
import { Agenda } from "../../core/agenda.ts";
import { LargeMap } from "../../core/large-map.ts";
import {
  CLOSED_AFTER,
  isFault,
  isRevoked,
  type Login,
  type LoginCode,
  type LoginFault,
  type LoginRules,
  type Revocation,
  TOLD_BEFORE,
  type TokenReader,
  topicFault,
} from "../../core/login.ts";
import { NOTI_TOPIC } from "../../core/notify.ts";
import { inTurn, Pace } from "../../core/pace.ts";
import { Seat, type Session } from "./session.ts";

/** What the configuration says of logins. */
export interface LoginSettings extends LoginRules {
  readonly reader: TokenReader;
}

export interface GateOptions {
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
  /** Its token expires in so many milliseconds. */
  readonly onExpiring: (session: Session, within: number) => void;
  /** Its token counts no longer: it is told, and closed. */
  readonly onEnd: (session: Session, fault: LoginFault) => void;
}

/** A clock of the day that was set ahead by more than this has tokens expire by it. */
const SET_AHEAD = 2000;
/** Revocations whose time is over, of a second. */
const FORGOTTEN_AT_ONCE = 1000;

export class Gate {
  readonly #options: GateOptions;
  #settings: LoginSettings | undefined = undefined;
  readonly #ofUid = new Groups<Seat>();
  readonly #ofJti = new Groups<Seat>();
  readonly #agenda: Agenda<Seat>;
  /** In the order in which they came, which is about that of their ends. */
  readonly #revoked = new LargeMap<string, Revocation>();
  /** Milliseconds that have passed, see `#advance`. */
  #clock = 0;
  #elapsed: number;
  #now: number;
  #working = false;
  readonly #pace = new Pace();
  /** Since the start: tokens that were taken, and what was refused. */
  readonly counts: Record<LoginCode | "accepted", number> = {
    accepted: 0,
    token_missing: 0,
    token_expired: 0,
    token_invalid: 0,
    token_revoked: 0,
    not_allowed: 0,
  };

  constructor(options: GateOptions) {
    this.#options = options;
    this.#elapsed = options.elapsed();
    this.#now = options.now();
    this.#agenda = new Agenda<Seat>(0);
  }

  /** Undefined: clients need no token, and none is looked at. Sessions keep what they have. */
  set(settings: LoginSettings | undefined): void {
    this.#settings = settings;
  }

  /** Whether tokens are looked at. */
  get on(): boolean {
    return this.#settings !== undefined;
  }

  /** A session without a token may do nothing but bring one. */
  get required(): boolean {
    return this.#settings?.required === true;
  }

  /** Whether topics are for those whose token allows them. */
  get guardsTopics(): boolean {
    return this.#settings !== undefined && (this.#settings.required || this.#settings.requiredTopics.length > 0);
  }

  /** Rejects when the key cannot be had now. */
  read(token: string): Login | LoginFault | Promise<Login | LoginFault> {
    const read = this.#settings!.reader.read(token, this.#options.now());
    const check = (found: Login | LoginFault) => (isFault(found) ? found : (this.#revocationOf(found) ?? found));
    return read instanceof Promise ? read.then(check) : check(read);
  }

  /** Why who logged in so (undefined: nobody) may not be in the topic; undefined: it may (sockets 4.17). */
  topicFault(login: Login | undefined, topic: string): LoginFault | undefined {
    return this.#settings && topicFault(login, topic, this.#settings, NOTI_TOPIC);
  }

  // ---- who has logged in

  /** The session has logged in, or brings a new token. */
  seat(session: Session, login: Login): void {
    this.leave(session);
    const seat = new Seat(session, login);
    session.seat = seat;
    this.counts.accepted++;
    this.#ofUid.add(login.uid, seat);
    if (login.jti !== undefined) this.#ofJti.add(login.jti, seat);
    this.#agenda.put(seat.due, this.#secondOf(login.expires - TOLD_BEFORE));
  }

  /** Its token counts for it no more, and does not expire; the client is told nothing. */
  leave(session: Session): void {
    const { seat } = session;
    if (seat === undefined) return;
    session.seat = undefined;
    this.#agenda.remove(seat.due);
    this.#ofUid.remove(seat.login.uid, seat);
    if (seat.login.jti !== undefined) this.#ofJti.remove(seat.login.jti, seat);
  }

  // ---- expiry

  /** Once a second. */
  tick(): void {
    this.#advance();
    this.#forget();
    if (!this.#working) this.#workOff();
  }

  /**
   * Milliseconds that have passed by the clock that is never set, or by that of the day where it was set ahead: a clock that is put
   * back prolongs no token.
   */
  #advance(): number {
    const elapsed = this.#options.elapsed();
    const now = this.#options.now();
    const passed = elapsed - this.#elapsed;
    const ahead = now - this.#now;
    this.#clock += ahead > passed + SET_AHEAD ? ahead : passed;
    this.#elapsed = elapsed;
    this.#now = now;
    return this.#clock;
  }

  #secondOf(time: number): number {
    return Math.ceil((this.#advance() + time - this.#options.now()) / 1000);
  }

  #workOff(): void {
    this.#working = true;
    this.#pace.begin();
    for (let count = 1; ; count++) {
      const seat = this.#agenda.take();
      if (seat !== undefined) this.#isDue(seat);
      else if (!this.#agenda.advance(Math.floor(this.#clock / 1000))) break;
      if (count % 16 === 0 && this.#pace.over()) return inTurn(() => this.#workOff());
    }
    this.#working = false;
  }

  #isDue(seat: Seat): void {
    const { session, login } = seat;
    const now = this.#options.now();
    if (seat.told) {
      this.#options.onEnd(session, { code: "token_expired", reason: "exp is over, and no new token came" });
      return;
    }
    seat.told = true;
    // A token that is taken although it is over, for clocks may differ, has its time from now.
    this.#agenda.put(seat.due, this.#secondOf(Math.max(login.expires, now) + CLOSED_AFTER));
    this.#options.onExpiring(session, Math.max(0, login.expires - now));
  }

  // ---- revocation

  #revocationOf(login: Login): LoginFault | undefined {
    if (this.#revoked.size === 0) return undefined;
    const ofUid = this.#revoked.get(keyOf("uid", login.uid));
    if (ofUid !== undefined && isRevoked(ofUid, login)) return REVOKED;
    return login.jti !== undefined && this.#revoked.has(keyOf("jti", login.jti)) ? REVOKED : undefined;
  }

  /** What was revoked before this start. */
  remember(revocations: readonly Revocation[]): void {
    for (const revocation of revocations) this.#remember(revocation);
  }

  #remember(revocation: Revocation): void {
    const key = keyOf(revocation.kind, revocation.name);
    const { before, until } = this.#revoked.get(key) ?? revocation;
    this.#revoked.delete(key); // so that those that end first come first
    this.#revoked.set(key, {
      ...revocation,
      before: Math.max(before, revocation.before),
      until: Math.max(until, revocation.until),
    });
  }

  /** Once it resolves these tokens do not count. @returns how many sessions were closed */
  async revoke(revocations: readonly Revocation[]): Promise<number> {
    const pace = new Pace();
    let closed = 0;
    let seen = 0;
    for (const revocation of revocations) {
      this.#remember(revocation);
      const seats = revocation.kind === "uid" ? this.#ofUid : this.#ofJti;
      for (const { session, login } of seats.of(revocation.name)) {
        if (session.seat?.login === login && isRevoked(revocation, login)) {
          this.#options.onEnd(session, REVOKED);
          closed++;
        }
        if (++seen % 16 === 0 && pace.over()) await pace.turn();
      }
      if (++seen % 16 === 0 && pace.over()) await pace.turn();
    }
    return closed;
  }

  /** Tokens that were revoked so long ago have expired. */
  #forget(): void {
    const now = this.#options.now();
    let left = FORGOTTEN_AT_ONCE;
    for (const part of this.#revoked.parts)
      for (const [key, { until }] of part) {
        if (until > now || left-- === 0) break;
        this.#revoked.delete(key);
      }
  }
}

const REVOKED: LoginFault = { code: "token_revoked", reason: "it was revoked by /api/auth/revoke" };

const keyOf = (kind: Revocation["kind"], name: string): string => `${kind} ${name}`;

/** Few of each name: most often one. */
class Groups<T extends object> {
  readonly #groups = new LargeMap<string, T | Set<T>>();

  add(name: string, item: T): void {
    const there = this.#groups.get(name);
    if (there === undefined) this.#groups.set(name, item);
    else if (there instanceof Set) there.add(item);
    else this.#groups.set(name, new Set([there, item]));
  }

  remove(name: string, item: T): void {
    const there = this.#groups.get(name);
    if (there instanceof Set) there.delete(item);
    if (there === item || (there instanceof Set && there.size === 0)) this.#groups.delete(name);
  }

  /** As they are now. */
  of(name: string): readonly T[] {
    const there = this.#groups.get(name);
    return there === undefined ? [] : there instanceof Set ? [...there] : [there];
  }
}
