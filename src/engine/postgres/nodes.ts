// The processes that share a schema: each says every two seconds that it lives, by PostgreSQL's clock. Whose beat is too old is swept by
// any other: its sessions are gone, what it had claimed waits again, what it owned is free.
import type { Client } from "pg";
import { PushError } from "../../core/errors.ts";
import { Column, destroy, Statement, type Tx } from "./database.ts";
import type { Turn } from "./turns.ts";

/** Milliseconds between two beats, after which a node seems silent, and after which it counts as gone. */
const BEAT = 2000;
export const SILENT = 3 * BEAT;
export const GONE = 10_000;
/** PostgreSQL counts as out of reach after so many, and a node that does not hear as one that clients should leave. */
export const SILENCE = 15_000;

/** Clocks that differ by no more than this, milliseconds, count as one: none is moved to and fro by the time that a question takes. */
export const CLOCK_OFF = 1000;

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
const gone = new Column<[number, readonly number[] | null], number>(`
  SELECT node FROM nodes WHERE node <> ? AND node = ANY (coalesce(?::bigint[], ARRAY(SELECT node FROM nodes))) AND beat < clock_timestamp() - interval '${GONE} milliseconds' FOR UPDATE SKIP LOCKED`);
/** Whose it was before. */
const own = new Statement<[string, string, number], { readonly before: number | null }>(`
  INSERT INTO owners AS o (kind, name, node) VALUES (?, ?, ?)
  ON CONFLICT (kind, name) DO UPDATE SET node = excluded.node
    WHERE o.node = excluded.node OR NOT EXISTS (
      SELECT 1 FROM nodes n WHERE n.node = o.node AND n.beat > clock_timestamp() - interval '${GONE} milliseconds')
  RETURNING (SELECT b.node FROM owners b WHERE b.kind = o.kind AND b.name = o.name) AS before`);
const disown = new Statement<[number, string]>("DELETE FROM owners WHERE node = ? AND kind = ?");
const drop = new Statement<[number]>("DELETE FROM nodes WHERE node = ?");
const note = new Statement<[number]>(`
  INSERT INTO nodes_gone (node, name, started, stopped) SELECT node, name, started, beat = 'epoch' FROM nodes WHERE node = ?
  ON CONFLICT DO NOTHING`);
const forget = new Statement<[]>("DELETE FROM nodes_gone WHERE at < clock_timestamp() - interval '1 day'");
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
const endPlaces = new Statement<[number]>("DELETE FROM topic_places WHERE node = ?");
/** A node that is taken for gone may come back and ask. */
const forgetCommits = new Statement<[number]>("DELETE FROM commits WHERE node < ? - 1000");

/** @throws PushError while a node lives: what is done next is done without them */
export async function refuseRunning(client: Client, schema: string): Promise<void> {
  const { rows } = await client.query(
    `SELECT DISTINCT name FROM nodes WHERE beat > clock_timestamp() - interval '${GONE} milliseconds' ORDER BY name`,
  );
  const names = rows.map((row: { readonly name: string }) => row.name);
  if (names.length > 0)
    throw new PushError(
      "conflict",
      `${names.join(", ")} ${names.length === 1 ? "runs" : "run"} on the schema ${schema}: stop all nodes first (one that was killed counts for ${GONE / 1000} s)`,
    );
}

export interface Owning {
  /** Makes this node the owner if nobody alive is. @returns undefined: another one is; `taken`: it was not until now */
  own(turn: Tx, kind: "lane" | "hook", name: string): Promise<"mine" | "taken" | undefined>;
  /** Lets go of all that this node owns of the kind. */
  disown(turn: Tx, kind: "lane" | "hook"): void;
}

export interface Nodes extends Owning {
  /** This one. */
  node(): number;
  /** Another one shows that it is there. @returns whether that is news */
  met(node: number): boolean;
  /** Whether no other node lives, as of the last look, or of what was heard since. */
  alone(): boolean;
  /** Nodes that live, by name. */
  list(): readonly { readonly node: number; readonly name: string }[];
  /** PostgreSQL's clock, by which leases end, to within what a beat takes. */
  now(): number;
  /** The time by which leases are: PostgreSQL's, unless a test fixes it. */
  leaseTime(database: number): number;
  /** Who else is there by now. */
  look(): Promise<void>;
  /**
   * Sweeps nodes that are gone; in a turn, with the lock of the cluster.
   * @param now when their devices went offline @param which absent: all that are silent
   */
  sweep(turn: Turn, now: number, which?: readonly number[]): Promise<readonly number[]>;
  /** When a node was swept here. */
  goneAt(node: number): number | undefined;
  /** Leaves, so that others take over at once; when PostgreSQL is away they find out by the beat. */
  stop(): Promise<void>;
}

export interface NodesOptions {
  readonly name: string;
  readonly started: number;
  /** Fixed by tests: then leases end by it too. */
  readonly now?: () => number;
  /** Told by how many milliseconds PostgreSQL's clock is ahead of this machine's, when that is news. */
  onClock(ahead: number): void;
  /** For the beat, each time its connection has ended. */
  connect(): Promise<Client>;
  /** This node was taken for gone, or could not be sure that it was not: what others did for it is done. */
  onReturn(): void;
  /** These nodes are gone. */
  onGone(nodes: readonly number[]): void;
  /** Also to be answered with each beat. */
  onBeat(): Promise<void>;
  /** Milliseconds after which PostgreSQL counts as out of reach when it has not answered a beat. */
  readonly patience: number;
  /** It has not: what was told meanwhile may never be heard. */
  onSilence(): void;
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
  let told = 0;
  let stopped = false;
  let begun = false;
  let suspects: ReadonlySet<number> = new Set();
  const sweptAt = new Map<number, number>();
  await look();
  begun = true;

  async function look(): Promise<void> {
    const asked = Date.now();
    const time = await clock.get(tx());
    const answered = Date.now();
    if (time !== undefined) offset = time - (asked + answered) / 2;
    if (Math.abs(offset - told) > CLOCK_OFF + (answered - asked) / 2) {
      told = Math.abs(offset) > CLOCK_OFF ? Math.round(offset) : 0;
      options.onClock(told);
    }
    const rows = (await all.all(tx())).filter((one) => one.node !== node);
    others = new Map(rows.filter(({ age }) => age < GONE).map((one) => [one.node, one.name]));
    // After a standstill of PostgreSQL every beat is old: whoever lives has another one by the next look.
    const silent = rows.filter(({ age }) => age >= GONE).map((one) => one.node);
    const confirmed = silent.filter((one) => suspects.has(one));
    suspects = new Set(silent);
    if (begun && confirmed.length > 0) options.onGone(confirmed);
  }

  async function round(): Promise<void> {
    const silence = setTimeout(() => {
      options.onSilence();
      if (client !== undefined) destroy(client);
    }, options.patience).unref();
    try {
      client ??= await options.connect();
      if ((await beat.get(tx(), node, options.name, options.started)) === 1) options.onReturn();
      await look();
      await options.onBeat();
    } catch {
      client?.end().catch(() => {});
      client = undefined;
    } finally {
      clearTimeout(silence);
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
      void look().catch(() => {}); // for its name; else the next look brings it
      return true;
    },
    look,
    alone: () => others.size === 0,
    list: () => [{ node, name: options.name }, ...[...others].map(([node, name]) => ({ node, name }))],
    now: options.now ?? (() => Math.round(Date.now() + offset)),
    leaseTime: options.now ?? ((database) => database),
    async own(turn, kind, name) {
      const owned = await own.get(turn, kind, name, node);
      return owned === undefined ? undefined : owned.before === node ? "mine" : "taken";
    },
    disown: (turn, kind) => disown.put(turn, node, kind),
    goneAt: (one) => sweptAt.get(one),
    async sweep(turn, now, which) {
      const swept = await gone.all(turn, node, which ?? null);
      for (const one of swept) {
        sweptAt.set(one, now);
        const pushIds = await endSessions.all(turn, one);
        if (pushIds.length > 0) setGone.put(turn, now, pushIds);
        release.put(turn, one);
        releaseHooks.put(turn, one);
        free.put(turn, one);
        note.put(turn, one);
        endPlaces.put(turn, one);
        forgetCommits.put(turn, one);
        drop.put(turn, one);
      }
      if (swept.length > 0) forget.put(turn);
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
