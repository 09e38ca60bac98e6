// GET /api/events: the log of events as text/event-stream, for backends that no URL reaches. What is written is read from the log, a
// page at a time as the reader takes it, so that a slow one takes no memory.
import { type Event, type EventType, eventJson } from "../core/events.ts";
import { HttpError, type Outlet, type Response, type Stream } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { STREAM_HEADERS } from "./answer.ts";
import { eventAfter, eventPatterns, typesOf } from "./event.ts";
import type { Params } from "./params.ts";

/** Readers at once. */
const MOST = 100;
/** Events of a page. */
const PAGE = 200;
/** A comment comes so often, so that nobody in between takes the connection for dead. Milliseconds. */
const COMMENT_EVERY = 15_000;
/** A reader that takes nothing for so long is cut; it comes back and goes on where it was. */
const PATIENCE = 30_000;
const EVERYTHING = ["*"];

export interface Streams {
  /** The answer goes on until the reader leaves or `end` is called. @throws HttpError 503 when there are as many as there may be */
  answer(params: Params, actions: Actions, lastEventId: string): Promise<Response>;
  /** They come back, and are asked for their key again. */
  end(): void;
  readonly size: number;
}

export function createStreams(): Streams {
  const open = new Set<Reader>();
  let opening = 0;
  return {
    async answer(params, actions, lastEventId) {
      const patterns = eventPatterns(params) ?? EVERYTHING;
      const given = lastEventId === "" ? params.text("after") : lastEventId;
      const known = given === undefined ? undefined : startAfter(given, lastEventId !== "", actions);
      if (open.size + opening >= MOST)
        throw new HttpError(503, `${MOST} readers of events are connected: that is all there may be`);
      opening++;
      try {
        let reader: Reader | undefined;
        let written = 0;
        const following = await actions.events.follow(patterns, (newest) => {
          written = newest;
          reader?.wake(newest);
        });
        const from = known ?? following.newest;
        return {
          status: 200,
          headers: STREAM_HEADERS,
          body: "",
          abandoned: () => following.close(),
          stream(outlet) {
            const made = new Reader(actions, outlet, typesOf(patterns), from, () => {
              open.delete(made);
              following.close();
            });
            reader = made;
            open.add(made);
            made.wake(Math.max(written, following.newest));
            return made;
          },
        };
      } finally {
        opening--;
      }
    },
    end() {
      for (const reader of open) reader.end();
    },
    get size() {
      return open.size;
    },
  };
}

/** An id that is not of this log is that of a reader who was away for too long, or of a store that was restored: it gets all there is. */
function startAfter(given: string, isHeader: boolean, actions: Actions): number {
  if (!isHeader) return eventAfter(given, actions) ?? 0;
  return actions.events.seqOf(given) ?? 0;
}

class Reader implements Stream {
  readonly #actions: Actions;
  readonly #outlet: Outlet;
  readonly #types: readonly EventType[];
  readonly #left: () => void;
  readonly #commenting: NodeJS.Timeout;
  /** Everything up to it was written or is not asked for. */
  #at: number;
  #newest = 0;
  #page: readonly Event[] = [];
  #next = 0;
  #reading = false;
  #isOpen = true;
  /** Since when it takes nothing, by `performance.now`. */
  #stuckSince: number | undefined;

  constructor(actions: Actions, outlet: Outlet, types: readonly EventType[], from: number, left: () => void) {
    this.#actions = actions;
    this.#outlet = outlet;
    this.#types = types;
    this.#at = from;
    this.#left = left;
    this.#commenting = setInterval(() => this.#comment(), COMMENT_EVERY);
    this.#commenting.unref();
    outlet.write("retry: 1000\n\n");
  }

  /** There is something up to this seq. */
  wake(newest: number): void {
    this.#newest = Math.max(this.#newest, newest);
    void this.#go();
  }

  ready(): void {
    this.#stuckSince = undefined;
    void this.#go();
  }

  closed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#commenting);
    this.#left();
  }

  end(): void {
    this.#outlet.end();
  }

  async #go(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#isOpen && this.#stuckSince === undefined) {
        if (this.#next < this.#page.length) this.#write();
        else if (this.#at < this.#newest) await this.#read();
        else break;
      }
    } catch {
      this.end(); // the store could not answer: it comes back
    }
    this.#reading = false;
  }

  async #read(): Promise<void> {
    const newest = this.#newest;
    const { events, next } = await this.#actions.events.list({ after: this.#at, types: this.#types }, PAGE);
    this.#page = events;
    this.#next = 0;
    this.#at = next ?? Math.max(newest, events.at(-1)?.seq ?? 0);
  }

  #write(): void {
    this.#outlet.together(() => {
      while (this.#next < this.#page.length && this.#stuckSince === undefined) {
        const event = this.#page[this.#next++]!;
        if (!this.#outlet.write(`id: ${event.id}\ndata: ${eventJson(event)}\n\n`)) this.#stuckSince = performance.now();
      }
    });
  }

  #comment(): void {
    if (this.#stuckSince === undefined) {
      if (!this.#outlet.write(":\n\n")) this.#stuckSince = performance.now();
    } else if (performance.now() - this.#stuckSince > PATIENCE) this.#outlet.cut();
  }
}
