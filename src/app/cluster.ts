// What several nodes do as one: whatever is asked or ordered at one of them is asked and ordered at the others, too.
import type { Actions, NodeView } from "../api/actions.ts";
import type { Answers, Cluster } from "../core/cluster.ts";
import { type Lane, laneName } from "../core/delivery.ts";
import { PushError } from "../core/errors.ts";
import { laneKey } from "../core/events.ts";
import type { HookStatus, Hooks } from "../core/hooks.ts";
import type { LaneStatus, Lanes } from "../core/lane.ts";
import type { Live } from "../core/live.ts";
import type { Rings, Series } from "../core/rings.ts";
import type { NotedLine, SharedTrace, TracePage, Traces, TraceTarget, TraceView } from "../core/trace.ts";

/** What a node tells of itself. Rates are per second, over the last ten. */
type Figures = Pick<NodeView, "version" | "connections" | "sessions" | "rates">;

/** Since the start, by name. */
type Totals = Readonly<Record<string, number>>;

/** The same at each node. */
export interface Own {
  readonly live: Live;
  readonly lanes: Lanes;
  readonly hooks: Hooks;
  readonly traces: Traces;
  /** Looks who is there that a trace is about. */
  traced(target: TraceTarget): Promise<void>;
  readonly rings: Pick<Rings, "seconds" | "minutes"> & { hours(count: number): Promise<Series> };
  /** What the metrics show of this process. */
  figures(): Figures;
  /** Counters by name, since the start. */
  totals(): Totals;
  /** Reads the settings' sources again. Rejects when nothing was changed. */
  reload(by: string): Promise<unknown>;
}

type Together = Pick<Actions, "live" | "lanes" | "hooks" | "traces" | "rings" | "nodes">;

export interface Joined {
  /** Takes up what the others are at. Before the first client; a node that is silent is not waited for. */
  start(): Promise<void>;
  readonly actions: Together & Pick<Actions, "watched">;
  /** Of each node that answers, by its number, and the names of those that do not. */
  totals(): Promise<{ readonly nodes: ReadonlyMap<number, Totals>; readonly silent: readonly string[] }>;
  /** Has every other node read its settings' sources again. @returns what went wrong, a sentence for each */
  reload(by: string): Promise<readonly string[]>;
}

/** Milliseconds for what takes a node longer than a question about its sockets. */
const PATIENCE = 10_000;
/** A node that starts waits for the others so long, milliseconds; what they answer later is taken up as well. */
const START_WITHIN = 1000;

/** Without a cluster this process answers for itself alone. */
export function joinNodes(cluster: Cluster | undefined, own: Own): Joined {
  if (cluster === undefined)
    return {
      start: async () => {},
      actions: alone(own),
      totals: async () => ({ nodes: new Map([[0, own.totals()]]), silent: [] }),
      reload: async () => [],
    };

  cluster.answer("lanes", () => own.lanes.inHand());
  cluster.answer("resume", async (which: Partial<Lane>) => own.lanes.resume(which));
  cluster.answer("hooks", async () => own.hooks.list());
  cluster.answer("resumeHook", async (name: string | null) => own.hooks.resume(name ?? undefined) ?? null);
  cluster.answer("seconds", async (count: number) => own.rings.seconds(count));
  cluster.answer("minutes", async (count: number) => own.rings.minutes(count));
  cluster.answer("figures", async () => own.figures());
  cluster.answer("totals", async () => own.totals());
  cluster.answer("reload", (by: string) =>
    own.reload(by).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    ),
  );
  const followTraces = answerTraces(cluster, own);

  const together = asked(cluster, own, () => {});
  return {
    async start() {
      const followed = followTraces().catch(() => {}); // the store is in trouble: there are no traces to be had
      await Promise.race([followed, new Promise((resolve) => setTimeout(resolve, START_WITHIN).unref())]);
    },
    actions: {
      ...together,
      watched(actions) {
        const silent = new Set<string>();
        const view = asked(cluster, own, (names) => {
          for (const name of names) silent.add(name);
        });
        return { actions: { ...actions, ...view }, silent: () => [...silent].sort() };
      },
    },
    async totals() {
      const { answers, silent } = await cluster.ask<Totals>("totals", []);
      return {
        nodes: new Map(answers).set(cluster.node(), own.totals()),
        silent: silent.map((node) => cluster.nameOf(node)),
      };
    },
    async reload(by) {
      const { answers, silent } = await cluster.ask<string | null>("reload", [by], undefined, PATIENCE);
      const failed = [...answers].flatMap(([node, why]) => (why === null ? [] : [{ node, why }]));
      const names = await namesOf(
        cluster,
        failed.map(({ node }) => node),
      );
      return [
        ...failed.map(({ why }, i) => `${names[i]}: ${why}`),
        ...(await namesOf(cluster, silent)).map((name) => `${name} has not answered: reload it when it is back`),
      ];
    },
  };
}

/** Like "node a"; by its number when even its name is not to be had. */
async function namesOf(cluster: Cluster, nodes: readonly number[]): Promise<readonly string[]> {
  const all = nodes.length === 0 ? [] : await cluster.nodes().catch(() => []);
  return nodes.map((node) => `node ${all.find((one) => one.node === node)?.name ?? node}`);
}

const alone = (own: Own): Together => ({
  live: own.live,
  lanes: own.lanes,
  hooks: own.hooks,
  rings: own.rings,
  traces: {
    get: async (name, after, limit) => own.traces.get(name, after, limit),
    list: async () => own.traces.list(),
    stop: async (name) => own.traces.stop(name),
    async start(target, minutes) {
      const begun = own.traces.start(target, minutes);
      await own.traced(target);
      return begun;
    },
  },
  nodes: async () => [],
});

/** @param missed is given the names of nodes that have not answered in time */
function asked(cluster: Cluster, own: Own, missed: (names: readonly string[]) => void): Together {
  async function ask<Answer>(question: string, args: readonly unknown[] = []): Promise<Answers<Answer>> {
    const heard = await cluster.ask<Answer>(question, args);
    missed(heard.silent.map((node) => cluster.nameOf(node)));
    return heard;
  }

  async function summed(question: "seconds" | "minutes", count: number): Promise<Series> {
    const { answers } = await ask<Series>(question, [count]);
    return [...answers.values()].reduce(added, own.rings[question](count));
  }

  function stopped(name: string): TraceView | undefined {
    const trace = own.traces.stop(name);
    if (trace !== undefined) cluster.tell("untraced", name);
    return trace;
  }

  /** Of the node that keeps the trace. */
  async function ofTrace<Answer>(question: string, args: readonly unknown[]): Promise<Answer | undefined> {
    const { answers, silent } = await ask<Answer | null>(question, args);
    const found = [...answers.values()].find((answer) => answer !== null) ?? undefined;
    if (found === undefined && silent.length > 0)
      throw new PushError(
        "unavailable",
        `${(await namesOf(cluster, silent)).join(", ")} did not answer and may have this trace: ask again`,
      );
    return found;
  }

  return {
    live: watchedLive(own.live, missed),
    lanes: {
      async list() {
        const [all, nodes, { answers }] = await Promise.all([
          own.lanes.list(true),
          cluster.nodes(),
          ask<readonly LaneStatus[]>("lanes"),
        ]);
        const senders = new Map(nodes.flatMap(({ node, name, lanes }) => lanes.map((key) => [key, { node, name }])));
        return all.map((lane) => {
          const others = new Map(
            [...answers].flatMap(([node, lanes]) => {
              const same = lanes.find((one) => laneName(one) === laneName(lane));
              return same === undefined ? [] : [[node, same] as const];
            }),
          );
          return laneOfAll(lane, others, senders.get(laneKey(lane)));
        });
      },
      async resume(which) {
        const { answers } = await ask<readonly Lane[]>("resume", [which]);
        const resumed = [own.lanes.resume(which), ...answers.values()].flat();
        return [...new Map(resumed.map((lane) => [laneName(lane), lane])).values()];
      },
    },
    hooks: {
      async list() {
        const [hooks, nodes, { answers }] = await Promise.all([
          own.hooks.list(),
          cluster.nodes(),
          ask<readonly HookStatus[]>("hooks"),
        ]);
        const tellers = new Map(nodes.flatMap(({ node, name, hooks }) => hooks.map((hook) => [hook, { node, name }])));
        return hooks.map((hook) => {
          const others = new Map(
            [...answers].flatMap(([node, all]) => {
              const same = all.find(({ name }) => name === hook.name);
              return same === undefined ? [] : [[node, same] as const];
            }),
          );
          return hookOfAll(hook, others, tellers.get(hook.name));
        });
      },
      async resume(name) {
        const here = own.hooks.resume(name);
        const { answers } = await ask<readonly string[] | null>("resumeHook", [name ?? null]);
        const all = [here, ...answers.values()].filter((names) => names !== undefined && names !== null);
        return all.length === 0 ? undefined : [...new Set(all.flat())];
      },
      test: own.hooks.test,
    },
    rings: {
      seconds: (count) => summed("seconds", count),
      minutes: (count) => summed("minutes", count),
      hours: own.rings.hours, // the store adds them up
    },
    traces: {
      async start(target, minutes) {
        const begun = own.traces.start(target, minutes);
        await Promise.all([own.traced(target), ask("trace/follow", [cluster.node(), begun.trace, target, minutes])]);
        return begun;
      },
      async stop(name) {
        // Most nodes only note for the one that keeps it: that one knows its lines, and tells the others.
        if (own.traces.keeps(name)) return stopped(name);
        return (await ofTrace<TraceView>("trace/stop", [name])) ?? stopped(name);
      },
      async list() {
        const { answers } = await ask<readonly TraceView[]>("trace/list");
        return [own.traces.list(), ...answers.values()].flat().sort((a, b) => b.startedAt - a.startedAt);
      },
      get: async (name, after, limit) =>
        own.traces.get(name, after, limit) ?? (await ofTrace<TracePage>("trace/get", [name, after, limit])),
    },
    async nodes() {
      const [nodes, { answers }] = await Promise.all([cluster.nodes(), ask<Figures>("figures")]);
      return nodes.map((one): NodeView => {
        const figures = one.node === cluster.node() ? own.figures() : answers.get(one.node);
        const isUnheard = one.state === "alive" && figures === undefined;
        return { ...one, ...(isUnheard ? { state: "silent" as const } : {}), ...figures };
      });
    },
  };
}

function watchedLive(live: Live, missed: (names: readonly string[]) => void): Live {
  const { live: all, silent } = live.watched?.() ?? { live, silent: () => [] };
  const told = (answer: unknown): unknown => {
    missed(silent());
    return answer;
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, ask]) => [
      name,
      (...args: readonly unknown[]) => (ask as (...args: readonly unknown[]) => Promise<unknown>)(...args).then(told),
    ]),
  ) as unknown as Live; // the same methods
}

// ---- sums

interface Doer {
  readonly node: number;
  readonly name: string;
}

const sumOf = (all: readonly LaneStatus[], name: "inFlight" | "rate" | "accepted" | "failed" | "retried"): number =>
  all.reduce((sum, one) => sum + one[name], 0);

/** What is counted is added up; how the lane does, the node says that sends it. */
function laneOfAll(here: LaneStatus, others: ReadonlyMap<number, LaneStatus>, sender: Doer | undefined): LaneStatus {
  const all = [here, ...others.values()];
  const setAside = all.reduce((sum, one) => sum + (one.setAside ?? 0), 0);
  const { depth, oldest } = here;
  return {
    ...(others.get(sender?.node ?? 0) ?? here),
    depth,
    ...(oldest === undefined ? {} : { oldest }),
    inFlight: sumOf(all, "inFlight"),
    rate: sumOf(all, "rate"),
    accepted: sumOf(all, "accepted"),
    failed: sumOf(all, "failed"),
    retried: sumOf(all, "retried"),
    ...(setAside === 0 ? {} : { setAside }),
    ...(sender === undefined ? {} : { node: sender.name }),
  };
}

function hookOfAll(here: HookStatus, others: ReadonlyMap<number, HookStatus>, teller: Doer | undefined): HookStatus {
  const all = [here, ...others.values()];
  const sum = (of: (one: HookStatus) => number): number => all.reduce((total, one) => total + of(one), 0);
  const { waiting, oldest, dead, dropped, requests } = here;
  return {
    ...(others.get(teller?.node ?? 0) ?? here),
    ...{ waiting, dead, dropped },
    ...(oldest === undefined ? {} : { oldest }),
    delivered: sum((one) => one.delivered),
    inFlight: sum((one) => one.inFlight),
    requests: Object.fromEntries(
      Object.keys(requests).map((result) => [result, sum((one) => one.requests[result as keyof typeof requests])]),
    ) as HookStatus["requests"], // the same results
    ...(teller === undefined ? {} : { node: teller.name }),
  };
}

/** Columns of the same time are added; clocks of nodes may differ by one. */
function added(own: Series, other: Series): Series {
  const shift = Math.round((other.from - own.from) / own.step);
  const values = Object.entries(own.values).map(([name, column]) => [
    name,
    column.map((value, i) => {
      const more = other.values[name]?.[i - shift] ?? null;
      return value === null && more === null ? null : (value ?? 0) + (more ?? 0);
    }),
  ]);
  return { ...own, values: Object.fromEntries(values) };
}

// ---- traces

/** Lines are told together after so many milliseconds. */
const TOLD_AFTER = 100;
/** Characters of a line between nodes: a message is short. */
const LONGEST = 1000;

/** Returns what a node does that has just started: it follows the traces of the others. */
function answerTraces(cluster: Cluster, own: Own): () => Promise<void> {
  let lines: { to: number; trace: string; line: NotedLine }[] = [];
  function forward(to: number, trace: string, line: NotedLine): void {
    const text = line.text.length > LONGEST ? `${line.text.slice(0, LONGEST)}...` : line.text;
    if (lines.push({ to, trace, line: { ...line, text } }) > 1) return;
    setTimeout(() => {
      cluster.tell("traced", lines);
      lines = [];
    }, TOLD_AFTER).unref();
  }
  async function follow(to: number, trace: SharedTrace): Promise<true> {
    own.traces.follow(trace, (line) => forward(to, trace.name, line));
    await own.traced(trace.target);
    return true;
  }
  cluster.answer("trace/follow", (to: number, name: string, target: TraceTarget, minutes: number) =>
    follow(to, { name, target, minutes }),
  );
  cluster.answer("trace/running", async () => own.traces.shared());
  cluster.answer("trace/list", async () => own.traces.list());
  cluster.answer("trace/get", async (name: string, after: number, limit: number) => own.traces.get(name, after, limit));
  cluster.answer("trace/stop", async (name: string) => {
    const stopped = own.traces.keeps(name) ? own.traces.stop(name) : undefined;
    if (stopped !== undefined) cluster.tell("untraced", name);
    return stopped;
  });
  cluster.hear("untraced", (name) => void own.traces.stop(name));
  cluster.hear("traced", (all) => {
    for (const { to, trace, line } of all) if (to === cluster.node()) own.traces.noted(trace, line);
  });

  return async () => {
    const { answers } = await cluster.ask<readonly SharedTrace[]>("trace/running", [], undefined, PATIENCE);
    for (const [to, traces] of answers) for (const trace of traces) await follow(to, trace);
  };
}
