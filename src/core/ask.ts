// Port: what the business server is asked before something is done for a client, and its word.

export const QUESTIONS = ["connect", "bind_uid", "subscribe", "packet"] as const;
export type Question = (typeof QUESTIONS)[number];

/** What the business server said, as it said it. */
export type Said = Readonly<Record<string, unknown>>;

/** Its word, or what the configuration says is done without it. */
export interface Verdict {
  readonly allow: boolean;
  /** Why not, for the client. */
  readonly reason?: string;
  /** There was no answer that could be used: nothing was said. */
  readonly failed: boolean;
  readonly said: Said;
}

export interface Asker {
  /** Whether anybody is asked. */
  asks(question: Question): boolean;
  /** Whether anybody is asked before a client subscribes to this topic. */
  asksAbout(topic: string): boolean;
  /** Of a handshake, those that the business server wants to see, in lower case. */
  readonly headers: readonly string[];
  /**
   * At once when the word is known or nobody can be asked now. Never rejects.
   * @param fits whether what was said can be used
   * @param key what a yes is remembered by, for a while; "": it is not
   */
  ask(question: Question, data: object, fits: (said: Said) => boolean, key: string): Verdict | Promise<Verdict>;
}

/** Since the start, how often. */
export type AskCounts = Record<Question, Record<AskResult, number>>;
export type AskResult = "allowed" | "refused" | "failed" | "remembered" | "skipped";

export const NO_ASKER: Asker = {
  asks: () => false,
  asksAbout: () => false,
  headers: [],
  ask: () => ({ allow: true, failed: true, said: {} }),
};
