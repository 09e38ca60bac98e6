// The calls of a loop's turn as one transaction of PostgreSQL. They take effect in their order and are settled in it, after the commit;
// what was kept and is to be handed over has been by then.
//
// Turns that only read, or only add packets, run beside those of other nodes (rows of channels are locked by the packets' own function).
// All others take one lock of the whole cluster first: they read and then write, as if they were alone. A turn is many calls, so
// that costs little more than the commit, which PostgreSQL makes one after the other anyway where they notify.
//
// A connection may end between a commit and its answer. So each turn that writes leaves its number in the node's row of `commits`, and a
// connection of turns begins by taking that row: it waits for what the one before may still be doing, keeps that from doing anything later,
// and reads which turn was done last. One that was not is run again.
import { setImmediate, setTimeout } from "node:timers/promises";
import type { Client, QueryResult } from "pg";
import { PushError } from "../../core/errors.ts";
import { Pace } from "../../core/pace.ts";
import type { BatchFigures, Calls, Steps } from "../calls.ts";
import type { MethodName, Methods } from "../sqlite/thread.ts";
import { destroy, explain, isClash, isStoreFault, Statement, type Tx } from "./database.ts";

/** The method of each call: as that of the storage thread, in a transaction. */
export type AsyncMethods = {
  readonly [Name in MethodName]: (
    turn: Turn,
    ...args: Parameters<Methods[Name]>
  ) => ReturnType<Methods[Name]> | Promise<ReturnType<Methods[Name]>>;
};

/** What a turn does besides its calls. */
export interface TurnParts {
  /** Before consecutive calls of one method: what they need can be read at once. */
  begin?(turn: Turn, name: MethodName, args: readonly (readonly unknown[])[]): Promise<void>;
  /** Writes what was gathered. */
  flush(turn: Turn): Promise<void>;
  /** The turn is committed; resolves when what it notified has been heard. */
  committed(turn: Turn): Promise<void>;
  /** The calls of the turn are settled next. */
  settling(turn: Turn): void;
  /** What was gathered and not written yet is not wanted: its call failed. */
  forget(turn: Turn): void;
  /** The turn was undone. */
  undone(turn: Turn): void;
}

/** A turn takes no more than this much work, so that a call which comes next does not wait long. */
const TURN_WEIGHT = 2000;
const WAITING_LIMIT = 1_000_000;
const GATHERING_TURNS = 4;
/** So many calls are worth a commit of their own. */
const LARGE = 64;
const SETTLED_AT_ONCE = 128;
const TRIES = 5;
/** How often a turn is run again whose connection has ended; and for how long a new one is tried, milliseconds. */
const ENDS = 5;
const AGAIN_FOR = 10_000;
const PAUSE = 100;

/** They write nothing that another node's calls read first, or lock it themselves. */
const FREE: ReadonlySet<MethodName> = new Set<MethodName>(["append", "addSamples", "addAudit"]);
const READS: ReadonlySet<MethodName> = new Set<MethodName>([
  "getDevices",
  "devicesNamed",
  "devicesByToken",
  "arrivalTypes",
  "arrivalDays",
  "adminUsers",
  "adminPeople",
  "adminUser",
  "adminSession",
  "adminLink",
  "pastOf",
  "devicesByUid",
  "pageByUids",
  "pageByTag",
  "pageOfAll",
  "countDevices",
  "unexpanded",
  "failures",
  "failuresOf",
  "contentOf",
  "lanes",
  "unsent",
  "expiringIn",
  "importBegun",
  "revocations",
  "chart",
  "keys",
  "arrivalsFound",
  "arrivalRecord",
  "reachedSums",
  "reachedUsers",
  "jobs",
  "jobsByNumber",
  "jobsOfId",
  "notification",
  "deliveriesOf",
  "deliveriesAt",
  "vendorIds",
  "traceable",
  "listEvents",
  "newestEvent",
  "hookDepths",
  "deadLetters",
  "hookMemory",
  "listAudit",
]);

interface Pending {
  readonly name: MethodName;
  readonly args: readonly unknown[];
  readonly weight: number;
  /** Instead of the method. */
  readonly perform?: (turn: Turn) => Promise<unknown>;
  readonly committed: ((result: never) => Steps | undefined) | undefined;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A transaction, and what its parts gather in it. */
export class Turn implements Tx {
  readonly #client: Client;
  #later: Promise<unknown>[] = [];
  /** Of one that is a single statement: what this notes, for `note_turn`. */
  noted: readonly [node: number, connection: number, number: number] | undefined = undefined;
  /** What parts gather, by their own keys. */
  readonly gathered = new Map<object, unknown>();

  constructor(client: Client) {
    this.#client = client;
  }

  query(statement: Parameters<Tx["query"]>[0]): Promise<QueryResult> {
    return this.#client.query(statement);
  }

  /** Its failure is the turn's, told by `sent`. */
  later(done: Promise<unknown>): void {
    done.catch(() => {}); // told by `sent`
    this.#later.push(done);
  }

  /** All that was sent has been done. */
  async sent(): Promise<void> {
    const waiting = this.#later;
    this.#later = [];
    for (const done of waiting) await done;
  }

  /** What a part has gathered in this turn. */
  of<State>(part: object, make: () => State): State {
    let state = this.gathered.get(part) as State | undefined; // set below
    if (state === undefined) {
      state = make();
      this.gathered.set(part, state);
    }
    return state;
  }

  /** Sends statements without values, and does not wait for them. */
  exec(text: string): void {
    this.later(this.#client.query(text));
  }
}

const lock = new Statement<[string]>("SELECT pg_advisory_xact_lock(hashtextextended(?, 7))");
const take = new Statement<[number], Taken>(`
  INSERT INTO commits AS c (node) VALUES (?)
  ON CONFLICT (node) DO UPDATE SET connection = c.connection + 1 RETURNING connection, turn`);
const note = new Statement<[number, number, number]>("SELECT note_turn(?, ?, ?)");

/** Which connection of the node this is, and the last turn that was done. */
interface Taken {
  readonly connection: number;
  readonly turn: number;
}

/** A turn whose connection ended. */
class Doubt extends Error {
  readonly number: number;
  /** It was done, or was not. */
  readonly done: () => void;
  readonly undone: () => void;

  constructor(cause: unknown, number: number, done: () => void, undone: () => void) {
    super("whether a turn was done is not known", { cause });
    this.number = number;
    this.done = done;
    this.undone = undone;
  }
}

/** Calls as transactions of one connection, one turn after the other; a connection that ends is replaced (README, "What holds"). */
export class Turns implements Calls {
  readonly #connect: () => Promise<Client>;
  readonly #schema: string;
  readonly #methods: AsyncMethods;
  readonly #parts: readonly TurnParts[];
  readonly #onBatch: ((figures: BatchFigures) => void) | undefined;
  readonly #onTrouble: ((message: string | undefined) => void) | undefined;
  readonly #node: number;
  #client: Client | undefined;
  /** The connection's number, and the turn that was done last when it was opened. */
  #taken: Taken = { connection: 0, turn: 0 };
  /** The newest turn of this node. */
  #number = 0;
  #waiting: Pending[] = [];
  #weight = 0;
  #running = false;
  #unsettled = 0;
  #settling: Promise<void> = Promise.resolve();
  #refusal: Error | undefined;
  #whenEmpty: (() => void) | undefined;
  #troubled = false;

  /** @param onTrouble told why nothing could be done, and undefined when it can again */
  constructor(
    node: number,
    schema: string,
    connect: () => Promise<Client>,
    methods: AsyncMethods,
    parts: readonly TurnParts[],
    onBatch?: (figures: BatchFigures) => void,
    onTrouble?: (message: string | undefined) => void,
  ) {
    this.#node = node;
    this.#schema = schema;
    this.#connect = connect;
    this.#methods = methods;
    this.#parts = parts;
    this.#onBatch = onBatch;
    this.#onTrouble = onTrouble;
  }

  /** Calls not yet answered. */
  get length(): number {
    return this.#waiting.length + this.#unsettled;
  }

  /** Rejects at once after `drain`, and with `PushError("unavailable")` when it is far behind or PostgreSQL cannot be used. */
  call<Name extends MethodName>(
    name: Name,
    args: Parameters<Methods[Name]>,
    weight = 1,
    committed?: (result: ReturnType<Methods[Name]>) => Steps | undefined,
  ): Promise<ReturnType<Methods[Name]>> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (this.#weight >= WAITING_LIMIT)
      return Promise.reject(new PushError("unavailable", "the store is far behind: try again later"));
    return new Promise((resolve, reject) => {
      const settle = resolve as (result: unknown) => void; // with what the method of this name returns
      this.#push({ name, args, weight, committed, resolve: settle, reject });
    });
  }

  /** Does something of the engine's own among the calls, with the lock of the cluster. */
  step(perform: (turn: Turn) => Promise<unknown>): Promise<void> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    return new Promise((resolve, reject) => {
      const done = (): void => resolve();
      this.#push({ name: "probe", args: [], weight: 1, perform, committed: undefined, resolve: done, reject });
    });
  }

  #push(pending: Pending): void {
    this.#waiting.push(pending);
    this.#weight += pending.weight;
    if (this.#running) return;
    this.#running = true;
    void this.#work();
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gather();
      let count = 0;
      for (let weight = 0; count < this.#waiting.length && weight < TURN_WEIGHT; count++)
        weight += this.#waiting[count]!.weight;
      const batch = this.#waiting.splice(0, count);
      for (const { weight } of batch) this.#weight -= weight;
      this.#unsettled += batch.length;
      await this.#run(batch);
    }
    this.#running = false;
  }

  /** Whoever was answered just now calls again within a few turns of the loop: they share a commit. */
  async #gather(): Promise<void> {
    for (let turns = 0, before = -1; turns < GATHERING_TURNS; turns++) {
      const count = this.#waiting.length;
      if (count === before || count >= LARGE) return;
      before = count;
      await setImmediate();
    }
  }

  async #run(batch: readonly Pending[]): Promise<void> {
    let ends = 0;
    let doubt: Doubt | undefined;
    for (let tries = 1; ; ) {
      try {
        this.#client ??= await (ends > 0 ? this.#reopen() : this.#open());
        if (doubt !== undefined) {
          if (doubt.number === this.#taken.turn) return doubt.done();
          doubt.undone();
          doubt = undefined;
        }
        return await this.#attempt(this.#client, batch, tries > 1);
      } catch (error) {
        if (isClash(error) && tries++ < TRIES) continue;
        const hadBegun = this.#client !== undefined;
        if (error instanceof Doubt) doubt = error;
        const cause = error instanceof Doubt ? error.cause : error;
        if (isStoreFault(cause)) {
          this.#client?.end().catch(() => {});
          this.#client = undefined;
          if (hadBegun && ends++ < ENDS) continue;
          this.#trouble(explain(cause).message);
        }
        doubt?.undone();
        const why = explain(cause);
        this.#settle(batch, new Map(batch.map((_, i) => [i, why])), [], Promise.resolve());
        return;
      }
    }
  }

  async #open(): Promise<Client> {
    const client = await this.#connect();
    try {
      const tx: Tx = { query: (statement) => client.query(statement), later: () => {} };
      this.#taken = (await take.get(tx, this.#node))!; // it returns one
    } catch (error) {
      client.end().catch(() => {});
      throw error;
    }
    this.#trouble(undefined);
    return client;
  }

  /** A connection has just ended: perhaps another server takes its place, which takes a while. */
  async #reopen(): Promise<Client> {
    for (const end = performance.now() + AGAIN_FOR; ; await setTimeout(PAUSE)) {
      try {
        return await this.#open();
      } catch (error) {
        if (!isStoreFault(error) && !(error instanceof PushError)) throw error;
        this.#trouble(explain(error).message);
        if (performance.now() > end || this.#refusal !== undefined) throw error;
      }
    }
  }

  #trouble(message: string | undefined): void {
    this.#troubled = message !== undefined;
    this.#onTrouble?.(message);
  }

  /** Nothing comes through: as if the connection had ended. A commit that waits for a standby goes on there. */
  cut(): void {
    if (this.#client !== undefined) destroy(this.#client);
  }

  async #attempt(client: Client, batch: readonly Pending[], careful: boolean): Promise<void> {
    const began = performance.now();
    const turn = new Turn(client);
    const failures = new Map<number, Error>();
    const simple = !careful && batch.every(({ name }) => name === "append");
    const reads = batch.every(({ name }) => READS.has(name));
    const number = ++this.#number;
    const noted = [this.#node, this.#taken.connection, number] as const;
    if (simple) turn.noted = noted;
    let results: readonly unknown[] = [];
    const done = (): void => {
      const heard = Promise.all(this.#parts.map((part) => part.committed(turn))).then(() => {});
      this.#settle(batch, failures, results, heard, () => {
        for (const part of this.#parts) part.settling(turn);
      });
    };
    const undone = (): void => {
      for (const part of this.#parts) part.undone(turn);
    };
    try {
      if (!simple) {
        turn.exec("BEGIN");
        if (!batch.every(({ name }) => FREE.has(name) || READS.has(name))) lock.put(turn, this.#schema);
      }
      results = careful ? await this.#oneByOne(turn, batch, failures) : await this.#all(turn, batch);
      for (const part of this.#parts) await part.flush(turn);
      if (!simple && !reads) note.put(turn, ...noted);
      await turn.sent();
      const worked = performance.now();
      if (!simple) await client.query("COMMIT");
      const end = performance.now();
      if (this.#troubled && !reads && failures.size === 0) this.#trouble(undefined);
      done();
      this.#onBatch?.({ calls: batch.length, work: worked - began, commit: end - worked });
    } catch (error) {
      if (isStoreFault(error)) throw new Doubt(error, number, done, undone);
      undone();
      await turn.sent().catch(() => {});
      if (!simple) await client.query("ROLLBACK").catch(() => {});
      if (careful || isClash(error)) throw error;
      await this.#attempt(client, batch, true);
    }
  }

  async #all(turn: Turn, batch: readonly Pending[]): Promise<unknown[]> {
    const results: unknown[] = [];
    for (const [i, pending] of batch.entries()) {
      if (i === 0 || batch[i - 1]!.name !== pending.name) await this.#begin(turn, batch, i);
      results.push(await this.#perform(turn, pending));
    }
    return results;
  }

  async #begin(turn: Turn, batch: readonly Pending[], from: number): Promise<void> {
    const { name } = batch[from]!;
    let end = from;
    while (batch[end]?.name === name) end++;
    const args = batch.slice(from, end).map(({ args }) => args);
    for (const part of this.#parts) await part.begin?.(turn, name, args);
  }

  async #perform(turn: Turn, { name, args, perform }: Pending): Promise<unknown> {
    if (perform !== undefined) return perform(turn);
    const method = this.#methods[name] as ((turn: Turn, ...args: readonly unknown[]) => unknown) | undefined; // `call` checked them
    if (method === undefined) throw new PushError("unavailable", `PostgreSQL: ${name} is not built yet`);
    return await method(turn, ...args);
  }

  /** A call threw: the same again, so that only its own changes are undone. */
  async #oneByOne(turn: Turn, batch: readonly Pending[], failures: Map<number, Error>): Promise<unknown[]> {
    const results: unknown[] = [];
    await turn.sent(); // without the lock there is nothing to go back to
    for (const [i, pending] of batch.entries()) {
      turn.exec("SAVEPOINT call");
      try {
        await this.#begin(turn, [pending], 0);
        results.push(await this.#perform(turn, pending));
        for (const part of this.#parts) await part.flush(turn);
        await turn.sent();
      } catch (error) {
        if (isStoreFault(error) || isClash(error)) throw error;
        await turn.sent().catch(() => {});
        for (const part of this.#parts) part.forget(turn);
        turn.exec("ROLLBACK TO call");
        const why = explain(error);
        if (why !== error) this.#trouble(why.message);
        failures.set(i, why);
        results.push(undefined);
      }
      turn.exec("RELEASE call");
    }
    return results;
  }

  /** One after the other, as many in a turn of the loop as it has time for. */
  #settle(
    batch: readonly Pending[],
    failures: ReadonlyMap<number, Error>,
    results: readonly unknown[],
    heard: Promise<void>,
    begin: () => void = () => {},
  ): void {
    this.#settling = this.#settling.then(async () => {
      await heard;
      begin();
      const pace = new Pace();
      for (const [i, { committed, resolve, reject }] of batch.entries()) {
        if (i > 0 && (i % SETTLED_AT_ONCE === 0 || ((i & 15) === 0 && pace.over()))) await pace.turn();
        const failure = failures.get(i);
        try {
          if (failure !== undefined) throw failure;
          const steps = committed?.(results[i] as never) ?? undefined; // the result is of this very call
          while (steps?.() === false) await pace.turn();
          resolve(results[i]);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        this.#unsettled--;
      }
      if (this.length === 0) this.#whenEmpty?.();
    });
  }

  /** Takes no more calls; resolves when all taken before are answered. */
  async drain(reason: Error): Promise<void> {
    this.#refusal ??= reason;
    if (this.length > 0) await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
    await this.#client?.end().catch(() => {});
  }
}
