// Where devices choose the host: which hosts have a lane of their own. A device can name hosts without end, so the lanes are counted.
import { type Lane, laneName } from "../core/delivery.ts";
import { HOUR } from "../core/time.ts";
import type { Host } from "../core/vendor.ts";

/** Hosts that have a lane of their own, besides the known ones. A vendor has rarely more than five. */
const OWN = 256;
/** A lane that was not asked for so long, in milliseconds, may go to another host. */
const UNUSED = HOUR;
/** While there is no room, it is looked for so often. */
const LOOK_EVERY = 1000;

interface Own {
  readonly lane: Lane;
  readonly known: boolean;
  usedAt: number;
}

export interface HostLanesOptions {
  /** The lane's host is in trouble, and has never accepted anything. */
  readonly spoilt: (lane: Lane) => boolean;
  /** A host has lost its lane: what waits there still goes that way. */
  readonly left: () => void;
}

export class HostLanes {
  readonly #own = new Map<string, Own>();
  /** Those that are not known. */
  #chosen = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #options: HostLanesOptions;

  constructor(options: HostLanesOptions) {
    this.#options = options;
  }

  /**
   * The lane of this host of a vendor's app, the same object each time; `shared` where it has none of its own.
   * @param now milliseconds by a clock that is never set
   */
  of(shared: Lane, host: Host | undefined, now: number): Lane {
    if (host === undefined) return shared;
    const lane = { ...shared, host: host.name };
    const name = laneName(lane);
    const own = this.#own.get(name);
    if (own !== undefined) {
      own.usedAt = now;
      return own.lane;
    }
    if (!host.known && this.#chosen >= OWN && !this.#makeRoom(now)) return shared;
    if (!host.known) this.#chosen++;
    this.#own.set(name, { lane, known: host.known, usedAt: now });
    return lane;
  }

  /** Whether it is a lane of a single host that still has it. */
  has(lane: Lane): boolean {
    return this.#own.has(laneName(lane));
  }

  /** A good host waits for its lane only as long as one that never answers has one. */
  #makeRoom(now: number): boolean {
    if (now - this.#lookedAt < LOOK_EVERY) return false;
    for (const [name, { lane, known, usedAt }] of this.#own) {
      if (known || (now - usedAt < UNUSED && !this.#options.spoilt(lane))) continue;
      this.#own.delete(name);
      this.#chosen--;
      this.#options.left();
      return true;
    }
    this.#lookedAt = now;
    return false;
  }
}
