// What a client is told when something it asked for is not done, and the log's lines about it. The codes are for programs: they
// stay as they are. README.md of src/sockets has the table (4.12).

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
  "tag_invalid",
  "tags_limit",
  "token_invalid",
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
}

/** One object argument, as every SDK expects of an event; old ones know no event of this name and ignore it (R1, R2). */
export const encodeRefusal = ({ code, message }: Refusal): string =>
  `42["refused",${JSON.stringify({ code, message })}]`;

/** Milliseconds for which refusals of one kind are only counted. */
const PAUSE = 60_000;

export interface Refused {
  readonly event: string;
  readonly address: string;
  readonly pushId: string | undefined;
}

interface Kind {
  quietUntil: number;
  /** Since the last line. */
  count: number;
  message: string;
  last: Refused;
}

/** At most one line per kind and minute, whoever sends what. */
export class RefusalLog {
  readonly #kinds = new Map<RefusalCode, Kind>();
  readonly #warn: (fields: object, message: string) => void;
  readonly #elapsed: () => number;
  /** Since the start. */
  readonly totals: Record<RefusalCode, number>;

  /** @param elapsed milliseconds by a clock that is never set */
  constructor(warn: (fields: object, message: string) => void, elapsed: () => number) {
    this.#warn = warn;
    this.#elapsed = elapsed;
    this.totals = Object.fromEntries(REFUSAL_CODES.map((code) => [code, 0])) as Record<RefusalCode, number>;
  }

  add({ code, message }: Refusal, last: Refused): void {
    this.totals[code]++;
    const kind = this.#kinds.get(code);
    if (kind === undefined) {
      this.#kinds.set(code, { quietUntil: 0, count: 1, message, last });
      this.tick();
      return;
    }
    kind.count++;
    kind.message = message;
    kind.last = last;
  }

  /** Writes what was counted in a minute that is over. */
  tick(): void {
    const now = this.#elapsed();
    for (const [code, kind] of this.#kinds) {
      if (now < kind.quietUntil) continue;
      if (kind.count === 0) {
        this.#kinds.delete(code);
        continue;
      }
      const { event, address, pushId } = kind.last;
      this.#warn({ code, count: kind.count, event, address, pushId }, `refused to a client: ${kind.message}`);
      kind.count = 0;
      kind.quietUntil = now + PAUSE;
    }
  }
}
