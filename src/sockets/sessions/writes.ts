// What a client has the store write, and how much of it at once: the store is everybody's.
import type { Background } from "./background.ts";
import type { Command } from "./events.ts";
import type { Refuser } from "./refuser.ts";
import type { Session } from "./session.ts";

/** Rows that a connection may have on their way to the store: more than any app asks for in one go. */
const MOST_WRITING = 300;

/** What an order writes: the record, and its tags. */
export const rowsOf = (command: Command): number => 1 + ("tags" in command ? (command.tags?.length ?? 0) : 0);

export class Writes {
  readonly #background: Background;
  readonly #refuser: Refuser;

  constructor(background: Background, refuser: Refuser) {
    this.#background = background;
    this.#refuser = refuser;
  }

  /**
   * A connection that asks for more than it writes meanwhile is closed, as one that floods. One order is taken whatever its size.
   * @returns false: it was closed
   */
  allows(session: Session, event: string, rows: number): boolean {
    if (session.writing > 0 && session.writing + rows > MOST_WRITING) {
      const message = "more changes were asked for than are stored meanwhile: the connection is closed";
      this.#refuser.refuse(session, event, { code: "too_many_events", message });
      session.connection.close();
      return false;
    }
    return true;
  }

  /** An order that nobody waits for; its failure is logged. @param what for the log */
  own(session: Session, what: string, rows: number, order: Promise<unknown>): void {
    session.writing += rows;
    const written = order.finally(() => {
      session.writing -= rows;
    });
    this.#background.own(written, what);
  }
}
