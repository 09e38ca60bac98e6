// The endpoints that are configured, by name: made, changed and closed as the settings say. Each works on its own.
import type { HookQueue, HookStatus, Hooks, HookTest } from "../core/hooks.ts";
import { Endpoint, type EndpointLog, type Standing } from "./endpoint.ts";
import { Unanswered } from "./post.ts";
import { parseSecret } from "./sign.ts";

/** An endpoint as it is configured. */
export interface HookConfig {
  readonly name: string;
  readonly url: string;
  readonly secrets: readonly string[];
  /** Patterns of types. */
  readonly events: readonly string[];
  /** PEM. */
  readonly ca?: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly allowPrivate: boolean;
}

export interface HookSenderOptions {
  readonly queue: HookQueue;
  readonly log: EndpointLog;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** 0 to 1 */
  readonly dice?: () => number;
}

export interface HookSender extends Hooks {
  /** Reads what an earlier run knew. Before anything else. */
  start(): Promise<void>;
  /** Throws for what cannot serve; nothing changes before the result is called. */
  prepare(configs: readonly HookConfig[]): () => void;
  /** Events were written. */
  wake(): void;
  /** Where several processes share the queue: one that is off here may have been switched on elsewhere. */
  lookAgain(): Promise<void>;
  /** Begins nothing more; what is under way has so many milliseconds. */
  stop(grace: number): Promise<void>;
}

interface Configured {
  readonly config: HookConfig;
  readonly endpoint: Endpoint;
}

/** Has no endpoint until `prepare` was called, and what it returned. */
export function createHookSender({ queue, log, now, dice = Math.random }: HookSenderOptions): HookSender {
  const standings = new Map<string, Standing>();
  let endpoints: ReadonlyMap<string, Configured> = new Map();
  const leaving = new Set<Promise<void>>();

  let remembered = 0;
  function remember(name: string, standing: Standing): void {
    remembered++;
    standings.set(name, standing);
    queue.memorize(MEMORY + name, JSON.stringify(standing)).catch((error: unknown) => log.failed(error));
  }

  /** What is stored, and nothing that is older than what was remembered meanwhile. */
  async function recall(): Promise<void> {
    for (let before: number | undefined; before !== remembered; ) {
      before = remembered;
      for (const [name, text] of await queue.memory())
        if (name.startsWith(MEMORY) && before === remembered)
          standings.set(name.slice(MEMORY.length), JSON.parse(text) as Standing); // as `remember` wrote it
    }
  }

  function make(config: HookConfig): Endpoint {
    const { name, url, secrets, ca, timeout, allowPrivate } = config;
    return new Endpoint({
      name,
      destination: {
        url,
        secrets: secrets.map(parseSecret),
        timeout,
        allowPrivate,
        ...(ca === undefined ? {} : { ca }),
      },
      queue,
      standing: standings.get(name),
      remember: (standing) => remember(name, standing),
      async recall() {
        await recall();
        endpoints.get(name)?.endpoint.adopt(standings.get(name));
      },
      now,
      dice,
      log,
    });
  }

  function leave(endpoint: Endpoint): void {
    const left = endpoint.stop(LAST_ANSWERS).finally(() => {
      leaving.delete(left);
      wake(); // what it gave back
    });
    leaving.add(left);
  }

  function wake(): void {
    for (const { endpoint } of endpoints.values()) endpoint.wake();
  }

  return {
    wake,

    start: recall,

    async lookAgain() {
      const off = [...endpoints].filter(([, { endpoint }]) => endpoint.status.state === "off");
      if (off.length === 0) return;
      await recall();
      for (const [name, { endpoint }] of off) endpoint.adopt(standings.get(name));
    },

    prepare(configs) {
      const next = new Map(
        configs.map((config): [string, Configured] => {
          const before = endpoints.get(config.name);
          const same = before !== undefined && sending(before.config) === sending(config);
          return [config.name, { config, endpoint: same ? before.endpoint : make(config) }];
        }),
      );
      return () => {
        const kept = new Set([...next.values()].map(({ endpoint }) => endpoint));
        for (const { endpoint } of endpoints.values()) if (!kept.has(endpoint)) leave(endpoint);
        endpoints = next;
        wake();
      };
    },

    async list() {
      const depths = new Map((await queue.depths()).map((depth) => [depth.hook, depth]));
      return [...endpoints.values()].map(({ config: { name, url, events }, endpoint }): HookStatus => {
        const { waiting = 0, oldest, dead = 0, dropped = 0 } = depths.get(name) ?? {};
        return {
          name,
          url: url.replace(/\?.*$/, "?..."),
          events,
          waiting,
          dead,
          dropped,
          ...(oldest === undefined ? {} : { oldest }),
          ...endpoint.status,
        };
      });
    },

    resume(name) {
      const meant = name === undefined ? [...endpoints] : [...endpoints].filter(([one]) => one === name);
      if (name !== undefined && meant.length === 0) return undefined;
      return meant.filter(([, { endpoint }]) => endpoint.resume()).map(([one]) => one);
    },

    async test(name) {
      const found = endpoints.get(name);
      if (found === undefined) return undefined;
      const begun = performance.now();
      const took = (): number => Math.round(performance.now() - begun);
      try {
        const status = await found.endpoint.test();
        const delivered = status >= 200 && status < 300;
        return {
          delivered,
          status,
          took: took(),
          ...(delivered ? {} : { reason: `it answered ${status}` }),
        } satisfies HookTest;
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        return { delivered: false, reason: error.message, took: took() };
      }
    },

    async stop(grace) {
      await Promise.all([...[...endpoints.values()].map(({ endpoint }) => endpoint.stop(grace)), ...leaving]);
    },
  };
}

/** What is remembered of an endpoint stands under this and its name. */
const MEMORY = "hook:";
/** What an endpoint that is no longer configured, or in another way, has under way may take so long, milliseconds. */
const LAST_ANSWERS = 4000;

/** Of two that are the same here, one can do the other's work. */
const sending = ({ events: _, ...how }: HookConfig): string => JSON.stringify(how);
