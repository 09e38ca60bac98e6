// What a client is told when something it asked for is not done, and the log's lines about it. The codes are for programs: they
// stay as they are. README.md of src/sockets has the table (4.12).
import { Tally } from "../../core/tally.ts";

/** What is not done, by whom it is noticed. */
export const REFUSAL_CODES = [
  "event_malformed",
  "push_id_missing",
  "push_id_invalid",
  "push_id_needed",
  "topic_invalid",
  "topic_reserved",
  "topics_limit",
  "topic_bytes_limit",
  "topic_held",
  "tag_invalid",
  "tags_limit",
  "token_invalid",
  "token_missing",
  "token_expired",
  "token_revoked",
  "not_allowed",
  "uid_invalid",
  "uid_not_trusted",
  "devices_limit",
  "too_many_events",
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

export interface Refusal {
  readonly code: RefusalCode;
  /** For people: what was expected, and by which setting. */
  readonly message: string;
  /** Of the packet that it is about. */
  readonly sequenceId?: string;
}

/** One object argument, as every SDK expects of an event; old ones know no event of this name and ignore it (R1, R2). */
export const encodeRefusal = ({ code, message, sequenceId }: Refusal): string =>
  `42["refused",${JSON.stringify({ code, message, sequenceId })}]`;

export interface Refused {
  readonly event: string;
  readonly address: string;
  readonly pushId: string | undefined;
  /** Of a login: what is wrong with the token, one of few texts, and what it has there. Not told to the client. */
  readonly reason?: string;
  readonly detail?: string | undefined;
}

/** At most one line per kind and minute, whoever sends what. */
export class RefusalLog {
  /** By the code, and the reason where there is one. */
  readonly #tally: Tally<string, Refused & Refusal>;
  /** Since the start. */
  readonly totals: Record<RefusalCode, number>;

  /** @param elapsed milliseconds by a clock that is never set */
  constructor(warn: (fields: object, message: string) => void, elapsed: () => number) {
    this.#tally = new Tally((_, count, { code, event, address, pushId, message, reason, detail }) => {
      const why = reason === undefined ? message : `${message} (${reason})`;
      warn({ code, count, event, address, pushId, detail }, `refused to a client: ${why}`);
    }, elapsed);
    this.totals = Object.fromEntries(REFUSAL_CODES.map((code) => [code, 0])) as Record<RefusalCode, number>;
  }

  /** Counts it, and has it in the log's line of its kind. */
  add({ code, message }: Refusal, last: Refused): void {
    this.totals[code]++;
    this.#tally.add(last.reason === undefined ? code : `${code} ${last.reason}`, { ...last, code, message });
  }

  /** Writes what was counted in a minute that is over. */
  tick(): void {
    this.#tally.tick();
  }
}
