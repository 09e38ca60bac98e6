// Joins the configuration and who is asked: the business server, by HTTP.
import { readFileSync } from "node:fs";
import type { Config } from "../config/index.ts";
import { type AskCounts, type Asker, NO_ASKER, QUESTIONS, type Question } from "../core/ask.ts";
import { wallClock } from "../core/clock.ts";
import type { Debug } from "../core/debug.ts";
import { Ask, noCounts } from "../hooks/ask.ts";
import { Post } from "../hooks/post.ts";
import { parseSecret } from "../hooks/sign.ts";
import type { Log } from "./log.ts";

export interface OpenedAsker {
  readonly asker: Asker;
  /** Whoever waits for an answer goes on without. */
  close(): Promise<void>;
  /** Whoever waits for an answer gets it. */
  retire(): void;
}

/** What is counted outlives a reload. */
export class Asking {
  readonly #log: Log;
  readonly #debug: Debug;
  readonly counts: AskCounts = noCounts();

  constructor(log: Log, debug: Debug) {
    this.#log = log;
    this.#debug = debug;
  }

  /** @throws Error when the file of the authorities, which was checked before, is gone */
  open({ ask }: Config["hooks"]): OpenedAsker {
    const { url, secret, timeout, maxAtOnce: atOnce, caFile, allowPrivate, onFailure } = ask;
    if (url === "") return { asker: NO_ASKER, close: async () => {}, retire: () => {} };
    const post = new Post({
      url,
      secrets: secret.map(parseSecret),
      allowPrivate,
      timeout,
      connections: atOnce,
      ...(caFile === "" ? {} : { ca: readFileSync(caFile, "utf8") }),
    });
    const asker = new Ask(
      {
        questions: QUESTIONS.filter((question) => ask.questions.includes(question)),
        subscribeTopics: ask.subscribeTopics,
        headers: ask.headers,
        timeout,
        atOnce,
        remember: ask.remember,
        onFailure: Object.fromEntries(
          QUESTIONS.map((question) => [question, onFailure[question] === "allow"]),
        ) as Record<Question, boolean>,
      },
      {
        post,
        now: wallClock,
        elapsed: () => performance.now(),
        warn: (fields, message) => this.#log.warn(fields, message),
        info: (message) => this.#log.info(message),
        debug: this.#debug,
        counts: this.counts,
      },
    );
    return { asker, close: () => asker.close(), retire: () => asker.retire() };
  }
}
