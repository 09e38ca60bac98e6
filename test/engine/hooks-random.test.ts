// Whatever endpoints answer, and whenever the process ends: of a key one event is under way, in order; nothing that happened is lost, and
// of each state the last is told.
import t from "tap";
import type { Event } from "../../src/core/events.ts";
import { subjectOf } from "../../src/core/events.ts";
import type { HookDepth, HookEvent } from "../../src/core/hooks.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { type Call, type Store, store } from "../../src/engine/sqlite/thread.ts";
import { choices } from "../support/choices.ts";
import { HOUR, KEEP, pushId, T } from "./steps.ts";

const SEEDS = 40;
const STEPS = 60;
const NAMES = ["a", "b", "c", "d"];
const ROOM = { events: 1e9, bytes: 1e12, dead: 720 * HOUR };
const KEPT = 1000 * HOUR;

interface Claim {
  readonly events: readonly HookEvent[];
}

t.test(`hooks: ${SEEDS} random lives of an endpoint`, (t) => {
  const db = openDatabase(":memory:", "NORMAL");
  t.teardown(() => void db.close());
  let now = T;
  let opened: Store;
  let coalesce = true;
  /** Also runs the calls one by one, when one of them fails. */
  const run = (calls: readonly Call[], broken = false): readonly unknown[] => {
    const bad: Call[] = broken ? [["noteEvents", [null, now]]] : [];
    const { results, failures } = opened.run([...calls, ...bad]);
    if (failures.length !== bad.length) throw new Error(failures[0]?.[1].stack);
    return results;
  };
  function start(): void {
    opened = store(db, {
      task: "store",
      dataDir: ":memory:",
      synchronous: "NORMAL",
      keep: KEEP,
      arrivalDays: 30,
      started: now,
    });
    const hooks = [{ name: "main", events: ["device.*", "client.packet"], coalesce }];
    run([["want", [{ hooks, log: [], topics: [], grace: 0, keep: KEPT }, false]]]);
  }
  start();

  const log = new Map<number, Event>();
  const told = new Set<number>();
  const again = new Set<number>();
  const newestTold = new Map<string, number>();
  let claims: Claim[] = [];
  let read = 0;
  let count = 0;
  const wrong: string[] = [];

  function look(): void {
    const { events } = run([["listEvents", [{ after: read }, 1_000_000]]])[0] as { events: Event[] };
    for (const event of events) log.set(event.seq, event);
    count += events.length;
    read = events.at(-1)?.seq ?? read;
  }

  function claim(limit: number, size: number, broken: boolean): Claim {
    const claimed = run([["claimEvents", ["main", limit, size, now]]], broken)[0] as Claim;
    const keys = claims.flatMap(({ events }) => events.map(({ key }) => key));
    for (const { key } of claimed.events) {
      if (keys.includes(key)) wrong.push(`two of ${key} at once`);
      keys.push(key);
    }
    if (claimed.events.length > 0) claims.push(claimed);
    return claimed;
  }

  function take(seqs: readonly number[]): void {
    for (const seq of seqs) {
      const { key } = log.get(seq)!;
      if (!told.has(seq) && !again.has(seq)) {
        if ((newestTold.get(key) ?? 0) > seq) wrong.push(`${seq} of ${key} after ${newestTold.get(key)}`);
        newestTold.set(key, seq);
      }
      told.add(seq);
    }
  }

  function settle({ events }: Claim, { chance, upTo }: ReturnType<typeof choices>, broken: boolean): void {
    const [delivered, back]: [number[], number[]] = [[], []];
    const retry: { seq: number; due: number; reason: string }[] = [];
    const isBack = chance(0.2);
    for (const { seq } of events)
      if (isBack) back.push(seq);
      else if (chance(0.8)) delivered.push(seq);
      else retry.push({ seq, due: now + upTo(5000), reason: "500" });
    look();
    run([["settleEvents", ["main", { delivered, back, retry }]]], broken);
    take(delivered);
  }

  function step(random: ReturnType<typeof choices>): void {
    const { one, upTo, chance } = random;
    now += upTo(1000);
    const device = pushId(one(NAMES));
    const broken = chance(0.2);
    const packets = (count: number) =>
      Array.from({ length: count }, () => ({
        kind: "packet",
        pushId: pushId(one(NAMES)),
        path: "x",
        sequenceId: "1",
        at: now,
      }));
    switch (upTo(11)) {
      case 0:
      case 1:
        run([["noteEvents", [packets(chance(0.001) ? 1100 : 1 + upTo(3)), now]]], broken);
        return;
      case 2:
      case 3:
        run([["connect", [{ pushId: device }, now]]], broken);
        return;
      case 4:
        run([["disconnect", [[device], now, null]]], broken);
        return;
      case 5:
      case 6:
      case 7:
        claim(1 + upTo(5), chance(0.2) ? 300 : 1e6, broken);
        return;
      case 8:
      case 9:
        if (claims.length > 0) settle(claims.splice(upTo(claims.length - 1), 1)[0]!, random, broken);
        return;
      case 10: {
        if (chance(0.5)) now += 20_000;
        while (run([["sweepHooks", [now - KEPT, ROOM, now, 3]]])[0] === true);
        return;
      }
      default: {
        if (chance(0.3)) run([["hurryEvents", ["main"]]]);
        else if (chance(0.4)) {
          look();
          const events = [...log.values()].slice(-10).filter(() => chance(0.5));
          for (const { seq } of events) again.add(seq);
          run(
            [["replayEvents", ["main", events.map(({ seq, key, data }) => ({ seq, key, size: data.length }))]]],
            broken,
          );
        } else if (chance(0.5)) {
          claims = []; // a crash
          start();
        }
      }
    }
  }

  function lost(): string[] {
    const last = new Map<string, number>();
    const found: string[] = [];
    for (const { seq, type, key } of log.values()) {
      const subject = coalesce ? subjectOf(type, key) : undefined;
      if (subject !== undefined) last.set(subject, seq);
      else if (!told.has(seq)) found.push(`${seq} ${type} of ${key} is lost`);
    }
    for (const [subject, seq] of last) if (!told.has(seq)) found.push(`the last of ${subject} is lost`);
    const [depth] = run([["hookDepths", []]])[0] as HookDepth[];
    if (depth?.waiting !== 0 || depth.oldest !== undefined) found.push(`${depth?.waiting} are left`);
    const rows = db.prepare<[], number>("SELECT count(*) FROM hook_events").pluck<number>().get();
    if (rows !== 0) found.push(`${rows} rows are left`);
    return found;
  }

  for (let seed = 1; seed <= SEEDS && wrong.length === 0; seed++) {
    const random = choices(seed);
    coalesce = random.chance(0.7);
    start();
    for (let i = 0; i < STEPS; i++) step(random);
    now += HOUR;
    for (const open of claims.splice(0)) settle(open, { ...random, chance: () => true }, false); // all of it back
    for (let i = 0; i < 10_000; i++) {
      const next = claim(100, 1e6, false);
      if (next.events.length === 0) break;
      claims = [];
      look();
      const delivered = next.events.map(({ seq }) => seq);
      run([["settleEvents", ["main", { delivered, back: [], retry: [] }]]]);
      take(delivered);
    }
    look();
    wrong.push(...lost());
    if (wrong.length > 0) t.same(wrong, [], `seed ${seed}`);
    db.exec("DELETE FROM events");
    log.clear();
    told.clear();
    again.clear();
  }
  t.ok(count > SEEDS, `${count} events`);
  t.end();
});
