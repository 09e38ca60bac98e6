// Traces: what is said to and by one device, user, address or topic, and what is decided about it, for a few minutes. Off unless
// somebody asks; in memory only. Whoever has something to note asks first whether a trace is on.
import { PushError } from "./errors.ts";
import { randomId } from "./id.ts";
import { MINUTE } from "./time.ts";

const MOST_TRACES = 10;
/** Lines kept of each: of more the oldest go. */
const MOST_LINES = 1000;
export const MOST_MINUTES = 60;
/** Characters of a line. */
const LONGEST = 2000;

/** One of them. */
export interface TraceTarget {
  readonly pushId?: string;
  readonly uid?: string;
  readonly address?: string;
  readonly topic?: string;
}

type What = "in" | "out" | "decision";

interface TraceLine {
  /** Rises by one. */
  readonly line: number;
  readonly at: number;
  readonly what: What;
  readonly text: string;
  /** The connection that it came or went by. */
  readonly connection?: string;
}

export interface TraceView extends TraceTarget {
  readonly trace: string;
  readonly running: boolean;
  readonly startedAt: number;
  readonly until: number;
  /** The number of the newest line, and how many were forgotten for want of room. */
  readonly lines: number;
  readonly forgotten: number;
}

export interface TracePage {
  readonly trace: TraceView;
  readonly lines: readonly TraceLine[];
}

/** What another process has to know of a trace. */
export interface SharedTrace {
  readonly name: string;
  readonly target: TraceTarget;
  /** That are left. */
  readonly minutes: number;
}

/** Of a trace that another process keeps: what is noted here goes there. */
export type NotedLine = Omit<TraceLine, "line">;

interface Trace extends TraceTarget {
  readonly name: string;
  /** Gets its lines: it is another process's. */
  readonly forward?: (line: NotedLine) => void;
  readonly startedAt: number;
  until: number;
  running: boolean;
  count: number;
  readonly lines: TraceLine[];
}

export class Traces {
  readonly #now: () => number;
  readonly #changed: () => void;
  /** The oldest first: those that have ended make room for new ones. */
  readonly #traces = new Map<string, Trace>();
  /** Whether any trace runs: asked before anything is made for one. */
  on = false;

  /** @param changed `on` has changed, or what is followed */
  constructor(now: () => number, changed: () => void = () => {}) {
    this.#now = now;
    this.#changed = changed;
  }

  /** @throws PushError "conflict" when as many run as may */
  start(target: TraceTarget, minutes: number): TraceView {
    this.tick();
    const own = this.#own();
    if (own.length >= MOST_TRACES) {
      const ended = own.find(({ running }) => !running);
      if (ended === undefined)
        throw new PushError("conflict", `${MOST_TRACES} traces are running: stop one before another is started`);
      this.#traces.delete(ended.name);
    }
    return view(this.#add({ ...target, name: randomId(), ...this.#begun(minutes) }));
  }

  #begun(minutes: number) {
    const startedAt = this.#now();
    return { startedAt, until: startedAt + minutes * MINUTE, running: true, count: 0, lines: [] };
  }

  #add(trace: Trace): Trace {
    this.#traces.set(trace.name, trace);
    this.#look();
    return trace;
  }

  /** Notes for another process what a trace of its own is about. Ends by itself, or by `stop`. */
  follow({ name, target, minutes }: SharedTrace, forward: (line: NotedLine) => void): void {
    this.tick();
    this.#add({ ...target, name, forward, ...this.#begun(minutes) });
  }

  /** Those that run here, as `follow` takes them in another process. */
  shared(): readonly SharedTrace[] {
    this.tick();
    const now = this.#now();
    return this.#own()
      .filter(({ running }) => running)
      .map((trace) => ({ name: trace.name, target: targetOf(trace), minutes: (trace.until - now) / MINUTE }));
  }

  /** What another process has noted for a trace of this one. */
  noted(name: string, line: NotedLine): void {
    const trace = this.#traces.get(name);
    if (trace?.running === true) this.#keep(trace, line);
  }

  /** Whether its lines are here: they are another process's otherwise, or nobody's. */
  keeps(name: string): boolean {
    const trace = this.#traces.get(name);
    return trace !== undefined && trace.forward === undefined;
  }

  /** Its lines stay until another trace needs the room. Undefined: unknown. */
  stop(name: string): TraceView | undefined {
    const trace = this.#traces.get(name);
    if (trace === undefined) return undefined;
    if (trace.running) trace.until = this.#now();
    trace.running = false;
    if (trace.forward !== undefined) this.#traces.delete(name);
    this.#look();
    return view(trace);
  }

  /** Newest first. */
  list(): readonly TraceView[] {
    return this.#own().reverse().map(view);
  }

  /** Lines after that number. */
  get(name: string, after: number, limit: number): TracePage | undefined {
    const trace = this.#traces.get(name);
    if (trace === undefined || trace.forward !== undefined) return undefined;
    const first = trace.lines[0]?.line ?? 1;
    const from = Math.max(0, after + 1 - first);
    return { trace: view(trace), lines: trace.lines.slice(from, from + limit) };
  }

  /** Ends those whose time is over. */
  tick(): void {
    if (!this.on) return;
    const now = this.#now();
    for (const trace of this.#traces.values()) {
      if (trace.running && now >= trace.until) trace.running = false;
      if (!trace.running && trace.forward !== undefined) this.#traces.delete(trace.name);
    }
    this.#look();
  }

  #look(): void {
    this.on = this.#running().length > 0;
    this.#changed();
  }

  /** Those that are kept here. */
  #own(): Trace[] {
    return [...this.#traces.values()].filter(({ forward }) => forward === undefined);
  }

  #running(): readonly Trace[] {
    return [...this.#traces.values()].filter(({ running }) => running);
  }

  follows(who: TraceTarget): boolean {
    return this.on && this.#running().some((trace) => fits(trace, who));
  }

  /** Adds a line to each trace of the one, or of any of those, that it is about. */
  note(who: TraceTarget, what: What, text: string, connection?: string): void {
    for (const trace of this.#running()) if (fits(trace, who)) this.#write(trace, what, text, connection);
  }

  /** A line of the log at `debug`: a decision about whoever it names. */
  line(fields: object, message: string): void {
    const { pushId, pushIds, uid, uids, address, topic } = fields as Record<string, unknown>;
    const names = (one: unknown, many: unknown, wanted: string | undefined): boolean =>
      wanted !== undefined && (one === wanted || (Array.isArray(many) && many.includes(wanted)));
    for (const trace of this.#running())
      if (
        names(pushId, pushIds, trace.pushId) ||
        names(uid, uids, trace.uid) ||
        names(address, undefined, trace.address) ||
        names(topic, undefined, trace.topic)
      )
        this.#write(trace, "decision", `${message} ${JSON.stringify(fields)}`, undefined);
  }

  #write(trace: Trace, what: What, text: string, connection: string | undefined): void {
    const masked = withoutSecrets(text);
    const short = masked.length > LONGEST ? `${masked.slice(0, LONGEST)}... (${masked.length} characters)` : masked;
    const line = { at: this.#now(), what, text: short, ...(connection === undefined ? {} : { connection }) };
    if (trace.forward === undefined) this.#keep(trace, line);
    else trace.forward(line);
  }

  #keep(trace: Trace, line: NotedLine): void {
    trace.lines.push({ line: ++trace.count, ...line });
    if (trace.lines.length > MOST_LINES) trace.lines.shift();
  }
}

const fits = (trace: TraceTarget, who: TraceTarget): boolean =>
  (trace.pushId !== undefined && trace.pushId === who.pushId) ||
  (trace.uid !== undefined && trace.uid === who.uid) ||
  (trace.address !== undefined && trace.address === who.address) ||
  (trace.topic !== undefined && trace.topic === who.topic);

const targetOf = ({ pushId, uid, address, topic }: Trace): TraceTarget => ({
  ...(pushId === undefined ? {} : { pushId }),
  ...(uid === undefined ? {} : { uid }),
  ...(address === undefined ? {} : { address }),
  ...(topic === undefined ? {} : { topic }),
});

const view = (trace: Trace): TraceView => {
  const { name, startedAt, until, running, count, lines } = trace;
  return {
    ...{ trace: name, ...targetOf(trace) },
    ...{ running, startedAt, until, lines: count, forgotten: count - lines.length },
  };
};

const MASK = "***";
/** What a JWT looks like, wherever it is. */
const JWT = /\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g;
/** A member of JSON whose name says that it is secret; its text may be cut off. */
const MEMBER = /("[^"\\]*(?:token|secret|password|passwd|authorization|cookie|credential)"\s*:\s*)"(?:[^"\\]|\\.)*"?/gi;
/** What is said with `authorize` is a token, whatever it looks like. */
const AUTHORIZE = /^(42\d*\["authorize",)[\s\S]*$/;

/** The text without tokens: of clients, and of vendors. */
const withoutSecrets = (text: string): string =>
  text
    .replace(AUTHORIZE, `$1"${MASK}"]`)
    .replace(JWT, MASK)
    .replace(MEMBER, (_, name: string) => `${name}"${MASK}"`);
