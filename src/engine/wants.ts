// Which events are wanted, and how their data is written: the same in every store.
import {
  type EventType,
  type HookPatterns,
  NOTHING_WANTED,
  takes,
  tracksDevices,
  tracksTopics,
  type Wanted,
  wantedTypes,
} from "../core/events.ts";

/** What is wanted, while the thread lives: a store that is opened once there is room on the disk goes on with it. */
export class Wants {
  #types: ReadonlySet<EventType> = new Set();
  #hooks: ReadonlyMap<EventType, readonly HookPatterns[]> = new Map();
  hooks: readonly HookPatterns[] = [];
  topics = "";
  tracksDevices = false;
  tracksTopics = false;

  constructor() {
    this.use(NOTHING_WANTED);
  }

  /** Takes the place of all that was wanted before. */
  use(wanted: Wanted): void {
    this.#types = wantedTypes(wanted);
    this.hooks = wanted.hooks;
    const hooksOf = (type: EventType): HookPatterns[] =>
      wanted.hooks.filter(({ events }) => events.some((pattern) => takes(pattern, type)));
    this.#hooks = new Map([...this.#types].map((type) => [type, hooksOf(type)]));
    this.topics = JSON.stringify(wanted.topics);
    this.tracksDevices = tracksDevices(this.#types);
    this.tracksTopics = tracksTopics(this.#types);
  }

  has(type: EventType): boolean {
    return this.#types.has(type);
  }

  /** Endpoints to which events of this type go; none when it is not wanted. */
  hooksOf(type: EventType): readonly HookPatterns[] {
    return this.#hooks.get(type) ?? [];
  }
}

/** The data of an event, times in it as ISO text. */
export type EventData = Readonly<Record<string, string | number | boolean | object | null | undefined>>;

/** Epoch milliseconds as ISO 8601, in UTC. */
export function iso(time: number): string {
  if (time !== last.time) last = { time, text: new Date(time).toISOString() };
  return last.text;
}
/** Most times of an event are the same. */
let last = { time: 0, text: new Date(0).toISOString() };
