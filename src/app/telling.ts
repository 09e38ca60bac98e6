// What the business server is told: joins the settings, the log of events, the endpoints and those who read the log as a stream.
import { readFileSync } from "node:fs";
import type { Actions } from "../api/actions.ts";
import type { Config } from "../config/index.ts";
import type { Engine } from "../core/engine.ts";
import { isPattern } from "../core/events.ts";
import type { Hooks } from "../core/hooks.ts";
import { Tally } from "../core/tally.ts";
import { HOUR, MINUTE } from "../core/time.ts";
import { createHookSender, type HookConfig } from "../hooks/hooks.ts";
import type { Log } from "./log.ts";

export interface Telling {
  readonly hooks: Hooks;
  readonly actions: Pick<Actions, "events">;
  /** Before anybody connects. */
  start(): Promise<void>;
  /** Throws for what cannot serve; nothing changes before the result is called. */
  reload(config: Config): () => void;
  /** Requests under way have three seconds; what is not answered by then is sent again. */
  stop(): Promise<void>;
}

interface TellingOptions {
  readonly engine: Pick<Engine, "events" | "hooks" | "cluster">;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** A device that was online before a restart has so much longer to return than one whose connection was lost. */
const RETURN = 30_000;
/** For requests to endpoints to be answered at a stop. */
const PATIENCE = 3000;
/** What readers asked for is remembered under this. */
const READERS = "readers";

/** Patterns that somebody reads the log for, and until when they are wanted though nobody does; epoch ms. */
type Wishes = Map<string, { open: number; until: number }>;

/** Knows the endpoints of `initial`; sends nothing before `start`. */
export function createTelling(initial: Config, { engine, log, now }: TellingOptions): Telling {
  const { events, hooks: queue, cluster } = engine;
  const failures = new Tally<string, unknown>((_, count, last) =>
    log.error({ err: last, count }, "events could not be claimed or recorded; trying again"),
  );
  const failed = (error: unknown): void => failures.add("store", error);
  const sender = createHookSender({
    queue,
    now,
    log: {
      info: (text) => log.info(text),
      warn: (text) => log.warn(text),
      error: (text) => log.error(text),
      failed,
    },
  });
  const wishes: Wishes = new Map();
  const lost = new Map<string, { dead: number; dropped: number }>();
  let config = initial;
  let looking: NodeJS.Timeout | undefined;

  async function want(): Promise<void> {
    const { tell, topics, coalesce, keep, keepDead, maxEvents, maxBytes } = config.hooks;
    queue.bound({ events: maxEvents, bytes: maxBytes, dead: keepDead });
    await events.want({
      hooks: tell.map(({ name, events: patterns }) => ({ name, events: patterns, coalesce })),
      log: [...wishes.keys()],
      topics,
      grace: config.client.disconnectDelay + RETURN,
      keep,
    });
  }

  /** They are wanted while events are kept, so that who comes back in time has missed nothing, over a restart too. */
  async function remember(): Promise<void> {
    const text = JSON.stringify(Object.fromEntries([...wishes].map(([pattern, { until }]) => [pattern, until])));
    await queue.memorize(READERS, text);
  }

  async function recall(): Promise<void> {
    const text = (await queue.memory()).get(READERS) ?? "{}";
    for (const [pattern, until] of Object.entries(JSON.parse(text) as Record<string, number>)) // as `remember` wrote it
      if (until > now() && isPattern(pattern)) wishes.set(pattern, { open: 0, until });
  }

  function prolong(): void {
    const before = wishes.size;
    for (const [pattern, wish] of wishes) {
      if (wish.open > 0) wish.until = now() + config.hooks.keep;
      else if (wish.until <= now()) wishes.delete(pattern);
    }
    if (before === 0) return;
    remember().catch(failed);
    tellReaders();
    if (wishes.size < before) want().catch(failed);
  }

  /** What is read here is written by every node. */
  function tellReaders(): void {
    const open = [...wishes].flatMap(([pattern, wish]) => (wish.open > 0 ? [pattern] : []));
    if (open.length > 0) cluster?.tell("readers", open);
  }
  cluster?.hear("readers", (patterns) => {
    const before = wishes.size;
    for (const pattern of patterns) {
      const wish = wishes.get(pattern) ?? { open: 0, until: 0 };
      wish.until = now() + config.hooks.keep;
      wishes.set(pattern, wish);
    }
    if (wishes.size > before) want().catch(failed);
  });
  cluster?.hear("work", sender.wake);

  /** What nobody was told of is told to the operator. */
  async function look(): Promise<void> {
    for (const { hook, dead, dropped } of await queue.depths()) {
      const before = lost.get(hook) ?? { dead, dropped };
      lost.set(hook, { dead, dropped });
      if (dead > before.dead)
        log.error(
          `hook ${hook}: ${dead - before.dead} events were given up: see /api/hook/dead; /api/event/replay sends them again`,
        );
      if (dropped > before.dropped)
        log.error(
          `hook ${hook}: ${dropped - before.dropped} events were forgotten: hooks.max_events or hooks.max_bytes is reached`,
        );
    }
  }

  let looks = 0;
  function everyMinute(): void {
    if (looks++ % (HOUR / MINUTE) === 0) prolong();
    if (config.hooks.tell.length > 0) look().catch(failed);
    if (cluster !== undefined) sender.lookAgain().catch(failed);
  }

  const actions: Telling["actions"] = {
    events: {
      list: events.list,
      seqOf: events.seqOf,
      dead: queue.dead,
      async replay(hook, from, query) {
        const count = await queue.replay(hook, from, query);
        sender.wake();
        cluster?.tell("work", null);
        return count;
      },
      async follow(patterns, written) {
        const own = patterns.map((pattern) => {
          const wish = wishes.get(pattern) ?? { open: 0, until: 0 };
          wish.open++;
          wish.until = now() + config.hooks.keep;
          const isNew = !wishes.has(pattern);
          wishes.set(pattern, wish);
          return { wish, isNew };
        });
        if (own.some(({ isNew }) => isNew)) {
          await want();
          await remember();
          tellReaders();
        }
        listeners.add(written);
        return {
          newest: await events.newest(),
          close() {
            listeners.delete(written);
            for (const { wish } of own) {
              wish.open--;
              wish.until = now() + config.hooks.keep;
            }
          },
        };
      },
    },
  };
  const listeners = new Set<(newest: number) => void>();

  return {
    actions,
    hooks: sender,
    async start() {
      await sender.start();
      await recall();
      const apply = sender.prepare(configured(config));
      await want();
      events.onWritten((newest) => {
        sender.wake();
        for (const listener of listeners) listener(newest);
      });
      apply();
      looking = setInterval(everyMinute, MINUTE);
      looking.unref();
      await look();
    },
    reload(next) {
      const apply = sender.prepare(configured(next));
      return () => {
        config = next;
        want().catch(failed);
        apply();
      };
    },
    async stop() {
      clearInterval(looking);
      await sender.stop(PATIENCE);
      if (wishes.size > 0) await remember().catch(() => {});
    },
  };
}

/** Reads the files that are named, each time. @throws Error when one that was checked before is gone */
const configured = ({ hooks: { tell } }: Config): readonly HookConfig[] =>
  tell.map(({ name, url, secret, events, ca_file: caFile, timeout = 15_000, allow_private: allowPrivate = false }) => ({
    name,
    url,
    secrets: typeof secret === "string" ? [secret] : secret,
    events,
    timeout,
    allowPrivate,
    ...(caFile === undefined || caFile === "" ? {} : { ca: readFileSync(caFile, "utf8") }),
  }));
