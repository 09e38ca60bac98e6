// The processes that share a schema: each says every two seconds that it lives, by PostgreSQL's clock. Whose beat is too old is swept by
// any other: its sessions are gone, what it had claimed waits again, what it owned is free.
import type { Client } from "pg";
import { Column, Statement, type Tx } from "./database.ts";
import type { Turn } from "./turns.ts";

/** Milliseconds between two beats, and after which a node counts as gone. */
const BEAT = 2000;
const GONE = 10_000;

interface Beat {
  readonly node: number;
  readonly name: string;
  /** Milliseconds since its last beat. */
  readonly age: number;
}

const enter = new Column<[string, number], number>("INSERT INTO nodes (name, started) VALUES (?, ?) RETURNING node");
const beat = new Column<[number, string, number], number>(`
  INSERT INTO nodes (node, name, started) OVERRIDING SYSTEM VALUE VALUES (?, ?, ?)
  ON CONFLICT (node) DO UPDATE SET beat = clock_timestamp() RETURNING (xmax = 0)::int`);
const all = new Statement<[], Beat>(`
  SELECT node, name, (extract(epoch FROM clock_timestamp() - beat) * 1000)::bigint AS age FROM nodes ORDER BY node`);
const clock = new Column<[], number>("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
const leave = new Statement<[number]>("UPDATE nodes SET beat = 'epoch' WHERE node = ?");
const gone = new Column<[number], number>(`
  SELECT node FROM nodes WHERE node <> ? AND beat < clock_timestamp() - interval '${GONE} milliseconds' FOR UPDATE SKIP LOCKED`);
const own = new Column<[string, string, number], number>(`
  INSERT INTO owners AS o (kind, name, node) VALUES (?, ?, ?)
  ON CONFLICT (kind, name) DO UPDATE SET node = excluded.node
    WHERE o.node = excluded.node OR NOT EXISTS (
      SELECT 1 FROM nodes n WHERE n.node = o.node AND n.beat > clock_timestamp() - interval '${GONE} milliseconds')
  RETURNING node`);
const disown = new Statement<[number, string]>("DELETE FROM owners WHERE node = ? AND kind = ?");
const drop = new Statement<[number]>("DELETE FROM nodes WHERE node = ?");
const endSessions = new Column<[number], string>("DELETE FROM sessions WHERE node = ? RETURNING push_id");
const setGone = new Statement<[number, readonly string[]]>(`
  UPDATE devices d SET offline_since = ?
  WHERE push_id = ANY (?) AND uid_ttl > 0 AND offline_since IS NULL
    AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.push_id = d.push_id)`);
const release = new Statement<[number]>(`
  UPDATE deliveries SET state = 1, due = queued_at, lease = NULL, holder = NULL
  WHERE lane IN (SELECT lane FROM lanes WHERE open > 0) AND state = 2 AND due IS NOT NULL AND holder = ?`);
const releaseHooks = new Statement<[number]>(
  "UPDATE hook_events SET state = 0, holder = NULL WHERE holder = ? AND state = 1",
);
const free = new Statement<[number]>("DELETE FROM owners WHERE node = ?");

export interface Owning {
  /** Makes this node the owner if nobody alive is, and says whether it is. */
  own(turn: Tx, kind: "lane" | "hook", name: string): Promise<boolean>;
  disown(turn: Tx, kind: "lane" | "hook"): void;
}

export interface Nodes extends Owning {
  /** This one. */
  node(): number;
  /** Another one shows that it is there. @returns whether that is news */
  met(node: number): boolean;
  alone(): boolean;
  /** Nodes that live, by name. */
  list(): readonly { readonly node: number; readonly name: string }[];
  /** PostgreSQL's clock, by which leases end, to within what a beat takes. */
  now(): number;
  /** The time by which leases are: PostgreSQL's, unless a test fixes it. */
  leaseTime(database: number): number;
  /** Who else is there by now. */
  look(): Promise<void>;
  /** Sweeps nodes that are gone; in a turn, with the lock of the cluster. @param now when their devices went offline */
  sweep(turn: Turn, now: number): Promise<readonly number[]>;
  stop(): Promise<void>;
}

export interface NodesOptions {
  readonly name: string;
  readonly started: number;
  /** Fixed by tests: then leases end by it too. */
  readonly now?: () => number;
  connect(): Promise<Client>;
  /** This node was taken for gone, or could not be sure that it was not: what others did for it is done. */
  onReturn(): void;
  /** Some node is gone. */
  onGone(): void;
}

/** @param first is its connection from here on */
export async function nodes(first: Client, options: NodesOptions): Promise<Nodes> {
  let client: Client | undefined = first;
  const tx = (): Tx => {
    const at = client;
    if (at === undefined) throw new Error("Connection terminated");
    return { query: (statement) => at.query(statement), later: () => {} };
  };
  const node = (await enter.get(tx(), options.name, options.started))!; // it returns one
  let others = new Map<number, string>();
  let offset = 0;
  let stopped = false;
  let begun = false;
  await look();
  begun = true;

  async function look(): Promise<void> {
    const asked = Date.now();
    const time = await clock.get(tx());
    if (time !== undefined) offset = time - (asked + Date.now()) / 2;
    const rows = (await all.all(tx())).filter((one) => one.node !== node);
    others = new Map(rows.filter(({ age }) => age < GONE).map((one) => [one.node, one.name]));
    if (begun && rows.some(({ age }) => age >= GONE)) options.onGone();
  }

  async function round(): Promise<void> {
    try {
      client ??= await options.connect();
      if ((await beat.get(tx(), node, options.name, options.started)) === 1) options.onReturn();
      await look();
    } catch {
      client?.end().catch(() => {});
      client = undefined;
    }
  }

  let beating: Promise<void> = Promise.resolve();
  let timer = setTimeout(again, BEAT).unref();
  function again(): void {
    beating = round().then(() => {
      if (!stopped) timer = setTimeout(again, BEAT).unref();
    });
  }

  return {
    node: () => node,
    met(other) {
      if (other === node || others.has(other)) return false;
      others.set(other, "");
      return true;
    },
    look,
    alone: () => others.size === 0,
    list: () => [{ node, name: options.name }, ...[...others].map(([node, name]) => ({ node, name }))],
    now: options.now ?? (() => Math.round(Date.now() + offset)),
    leaseTime: options.now ?? ((database) => database),
    own: async (turn, kind, name) => (await own.get(turn, kind, name, node)) !== undefined,
    disown: (turn, kind) => disown.put(turn, node, kind),
    async sweep(turn, now) {
      const swept = await gone.all(turn, node);
      for (const one of swept) {
        const pushIds = await endSessions.all(turn, one);
        if (pushIds.length > 0) setGone.put(turn, now, pushIds);
        release.put(turn, one);
        releaseHooks.put(turn, one);
        free.put(turn, one);
        drop.put(turn, one);
      }
      return swept;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await beating;
      try {
        client ??= await options.connect();
        await leave.run(tx(), node).catch(async () => {
          client = await options.connect(); // it had ended
          await leave.run(tx(), node);
        });
        await client.end();
      } catch {
        // Others find out by the beat.
      }
    },
  };
}
