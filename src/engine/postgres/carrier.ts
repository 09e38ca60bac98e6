// What nodes tell each other, by NOTIFY. One connection listens: what it hears it hands on in the order of the commits, this node's own
// included. Another one notifies what is not part of a transaction that stores something.
//
// A message is its kind, the node and the node's own number of it, and a text: "k3.17.0|...". It has less than 8,000 bytes.
import type { Client } from "pg";
import type { Hub } from "../../core/engine.ts";
import { Pace } from "../../core/pace.ts";
import { destroy, Statement, type Tx } from "./database.ts";

/** PostgreSQL's bound is 8,000 bytes, its last one a zero. */
export const MESSAGE = 7900;

/** A message that came. */
export interface Heard {
  readonly node: number;
  /** The node's own number of the message, or of the transaction with it. */
  readonly number: number;
  /** Of several with one number, from 0. */
  readonly part: number;
  readonly text: string;
}

/** Handles a message; the next one waits for it. */
export type Listener = (heard: Heard) => void | Promise<void>;

interface Waiting {
  readonly generation: number;
  resolve(heard: boolean): void;
}

/** The node of what a customer's own transaction tells (functions.ts). */
const NOBODY = 0;
/** Bytes of messages that wait for the connection; what is more is lost. */
const MOST_WAITING = 16_000_000;
/** Kinds whose numbers are those of `expect`. */
const EXPECTED: ReadonlySet<string> = new Set(["k", "o"]);
const AGAIN_FIRST = 100;
const AGAIN_LONGEST = 2000;

const notify = new Statement<[string, readonly string[]]>(
  "SELECT pg_notify(?, message) FROM unnest(?::text[]) AS message",
);

export interface CarrierOptions {
  readonly topic: string;
  /** Rejects while PostgreSQL cannot be used: it is tried again. */
  connect(purpose: "listen" | "notify"): Promise<Client>;
  /** Told why it does not hear, and undefined when it listens again. */
  onTrouble(message: string | undefined): void;
  /** Another node has said something. */
  onHeard(node: number): void;
  /** It hears again; before anything is handed on. */
  onRegained(): Promise<void>;
  /** Milliseconds after which clients are better off at a node that hears. */
  readonly patience: number;
}

export class Carrier {
  readonly #options: CarrierOptions;
  readonly hubs: Hub[] = [];
  /** This node. */
  node = 0;
  /** Messages that were not kept and could not be sent. */
  unsent = 0;
  /** It has not heard for longer than its patience: hubs have closed their connections, and close those that come meanwhile. */
  deaf = false;
  #late: NodeJS.Timeout | undefined;
  readonly #listeners = new Map<string, Listener>();
  readonly #waiting = new Map<number, Waiting>();
  /** Rises with each connection that listens. */
  #generation = 0;
  #listening: Client | undefined;
  #queue: string[] = [];
  #working = false;
  #number = 0;
  #notifying: Client | undefined;
  #connecting = false;
  #outgoing: string[] = [];
  #size = 0;
  #scheduled = false;
  #stopped = false;

  constructor(options: CarrierOptions) {
    this.#options = options;
  }

  /** The channel of PostgreSQL on which the nodes of a schema listen. */
  get topic(): string {
    return this.#options.topic;
  }

  get listening(): boolean {
    return this.#listening !== undefined;
  }

  /** One for each kind, which is a single character: a later one takes its place. */
  on(kind: string, listener: Listener): void {
    this.#listeners.set(kind, listener);
  }

  /** Listens on this connection, or one of its own; rejects when it cannot. Later it comes back by itself. */
  async start(client?: Client): Promise<void> {
    await this.#listen(client);
  }

  /** What was told in this turn still goes. Whoever waits to hear something is told that it was not heard. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#late);
    this.#flush();
    this.#unheard();
    await Promise.all([this.#listening?.end().catch(() => {}), this.#notifying?.end().catch(() => {})]);
  }

  // ---- what is heard

  /** A number for a message, or a transaction with messages, of which the hearing is waited for. */
  expect(): number {
    const number = ++this.#number;
    this.#waiting.set(number, { generation: this.listening ? this.#generation : -1, resolve: () => {} });
    return number;
  }

  /** Its transaction was undone. */
  forget(number: number): void {
    this.#waiting.get(number)?.resolve(false);
    this.#waiting.delete(number);
  }

  /** Its transaction is committed. Resolves when it has been handed on; false: it will not be heard, or somebody else hears it later. */
  heard(number: number): Promise<boolean> {
    const expected = this.#waiting.get(number);
    if (expected === undefined) return Promise.resolve(true);
    if (expected.generation !== this.#generation || !this.listening) {
      this.#waiting.delete(number);
      return Promise.resolve(false);
    }
    return new Promise((resolve) => this.#waiting.set(number, { ...expected, resolve }));
  }

  /** Nothing has come through for as long as its patience: as if the connections had ended then. */
  cut(): void {
    if (this.#notifying !== undefined) destroy(this.#notifying);
    const client = this.#listening;
    if (client !== undefined) {
      destroy(client);
      this.#lost(client);
    }
    this.#abandon();
  }

  /** Resolves when the connection that listens has answered: one that says nothing may be dead. */
  async check(): Promise<void> {
    await this.#listening?.query("SELECT 1").catch(() => {}); // its end is told
  }

  /** Whoever waits for something to be heard waits in vain. */
  #unheard(): void {
    for (const { resolve } of this.#waiting.values()) resolve(false);
    this.#waiting.clear();
  }

  #abandon(): void {
    clearTimeout(this.#late);
    this.deaf = true;
    for (const hub of this.hubs) void hub.abandon();
  }

  async #listen(given?: Client): Promise<void> {
    const client = given ?? (await this.#options.connect("listen"));
    client.on("notification", ({ payload }) => {
      this.#queue.push(payload ?? "");
      if (!this.#working) void this.#work();
    });
    client.on("end", () => this.#lost(client));
    await client.query(`LISTEN ${this.topic}`);
    this.#generation++;
    this.#listening = client;
  }

  #lost(client: Client): void {
    if (this.#listening !== client || this.#stopped) return;
    this.#listening = undefined;
    this.#options.onTrouble("the connection that listens has ended");
    this.#unheard();
    this.#late = setTimeout(() => this.#abandon(), this.#options.patience).unref();
    for (const hub of this.hubs) hub.lost();
    void this.#return();
  }

  async #return(): Promise<void> {
    for (let pause = AGAIN_FIRST; !this.#stopped; pause = Math.min(2 * pause, AGAIN_LONGEST)) {
      await new Promise<void>((resolve) => setTimeout(resolve, pause).unref());
      try {
        if (this.#stopped) return;
        this.#working = true; // nothing is handed on until every hub is ready
        this.#queue = [];
        await this.#listen();
        this.#options.onTrouble(undefined);
        await this.#options.onRegained();
        for (const hub of this.hubs) await hub.regained();
        clearTimeout(this.#late);
        this.deaf = false;
        void this.#work();
        return;
      } catch {
        // Again after a pause.
        const client: Client | undefined = this.#listening;
        this.#listening = undefined;
        this.#unheard();
        client?.end().catch(() => {});
        if (this.deaf) this.#abandon();
      }
    }
  }

  async #work(): Promise<void> {
    this.#working = true;
    const pace = new Pace();
    for (let at = 0; at < this.#queue.length; at++) {
      const message = this.#queue[at]!;
      const bar = message.indexOf("|");
      const [node = 0, number = 0, part = 0] = message.slice(1, bar).split(".").map(Number);
      if (node !== this.node && node !== NOBODY) this.#options.onHeard(node);
      const listener = this.#listeners.get(message[0] ?? "");
      const done = listener?.({ node, number, part, text: message.slice(bar + 1) });
      if (done !== undefined) await done;
      if (node === this.node && EXPECTED.has(message[0]!)) this.#arrived(number);
      if (at === 1000) {
        this.#queue.splice(0, at + 1);
        at = -1;
      }
      if (pace.over()) await pace.turn();
    }
    this.#queue = [];
    this.#working = false;
  }

  #arrived(number: number): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    waiting?.resolve(true);
  }

  // ---- what is told

  /** There is somebody to tell something soon. */
  prepare(): void {
    if (this.#notifying === undefined) this.#renew(0);
  }

  /** Told to all nodes with the others of this turn of the loop, durable nowhere. */
  send(kind: string, text: string, number = 0, part = 0): void {
    const message = `${kind}${this.node}.${number}.${part}|${text}`;
    if (this.#size > MOST_WAITING) {
      this.#unsaid([message]);
      return;
    }
    this.#outgoing.push(message);
    this.#size += message.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** The same; resolves when this node has heard it itself. */
  async sendHeard(kind: string, texts: readonly string[]): Promise<boolean> {
    const numbers = texts.map(() => this.expect());
    const heard = Promise.all(numbers.map((number) => this.heard(number)));
    for (const [i, text] of texts.entries()) this.send(kind, text, numbers[i]!);
    return (await heard).every(Boolean);
  }

  /** They are lost: whoever waits to hear one of them waits no longer. */
  #unsaid(messages: readonly string[]): void {
    this.unsent += messages.length;
    for (const message of messages) if (EXPECTED.has(message[0]!)) this.forget(Number(message.split(".", 2)[1]));
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return;
    const client = this.#notifying;
    if (client === undefined) return this.#renew(0);
    const messages = this.#outgoing;
    this.#outgoing = [];
    const sent = messages.reduce((size, { length }) => size + length, 0);
    const tx: Tx = { query: (statement) => client.query(statement), later: () => {} };
    notify.run(tx, this.topic, messages).then(
      () => {
        this.#size -= sent;
      },
      () => {
        this.#size -= sent;
        this.#unsaid(messages);
        if (this.#notifying === client) this.#renew();
      },
    );
  }

  #watch(client: Client): void {
    client.on("end", () => {
      if (this.#notifying === client && !this.#stopped) this.#renew();
    });
  }

  /** @param after milliseconds */
  #renew(after = AGAIN_FIRST): void {
    this.#notifying?.end().catch(() => {});
    this.#notifying = undefined;
    if (this.#connecting || this.#stopped) return;
    this.#connecting = true;
    const connect = async (pause: number): Promise<void> => {
      try {
        const client = await this.#options.connect("notify");
        this.#connecting = false;
        this.#notifying = client;
        this.#watch(client);
        this.#flush();
      } catch {
        if (!this.#stopped) setTimeout(() => void connect(Math.min(2 * pause, AGAIN_LONGEST)), pause).unref();
      }
    };
    if (after === 0) void connect(AGAIN_FIRST);
    else setTimeout(() => void connect(after), after).unref();
  }
}
