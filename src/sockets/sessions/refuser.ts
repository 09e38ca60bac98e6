// Tells clients that something they asked for is not done, and the log of it (sockets/README.md 4.12).
import type { Debug } from "../../core/debug.ts";
import { LOGIN_MESSAGES, type LoginFault } from "../../core/login.ts";
import type { Gate } from "./gate.ts";
import { encodeRefusal, type Refusal, RefusalLog, type Refused } from "./refusals.ts";
import type { Session } from "./session.ts";

interface RefuserOptions {
  readonly gate: Pick<Gate, "counts">;
  readonly debug: Debug;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
  readonly warn: (fields: object, message: string) => void;
}

export class Refuser {
  readonly #options: RefuserOptions;
  readonly #log: RefusalLog;

  constructor(options: RefuserOptions) {
    this.#options = options;
    this.#log = new RefusalLog(options.warn, options.elapsed);
  }

  /** How often what was refused, since the start. */
  get totals(): Readonly<Record<string, number>> {
    return this.#log.totals;
  }

  tick(): void {
    this.#log.tick();
  }

  /** Tells the client and the log. @param event what the client said; "": nothing in particular */
  refuse(session: Session, event: string, refusal: Refusal): void {
    this.#note(session, refusal, { event });
    session.connection.send(encodeRefusal(refusal));
  }

  /** Because of its token, or for want of one. @param tell false: the client is told in another way, by who calls */
  refuseLogin(session: Session, event: string, fault: LoginFault, tell = true): Refusal {
    const { code, reason, detail, message = LOGIN_MESSAGES[code] } = fault;
    this.#options.gate.counts[code]++;
    const refusal: Refusal = { code, message };
    this.#note(session, refusal, { event, reason, detail });
    if (tell) session.connection.send(encodeRefusal(refusal));
    return refusal;
  }

  #note({ connection, pushId }: Session, refusal: Refusal, about: Omit<Refused, "address" | "pushId">): void {
    const { debug } = this.#options;
    const refused = { ...about, address: connection.address, pushId };
    this.#log.add(refusal, refused);
    if (debug.on) debug.line({ code: refusal.code, ...refused }, `refused to a client: ${refusal.message}`);
  }
}
