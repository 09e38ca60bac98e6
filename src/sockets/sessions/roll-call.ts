// Says who is present and in which topics, where the engine does not know, or not any more.
import type { Events, PresentDevice } from "../../core/events.ts";
import { Pace } from "../../core/pace.ts";
import type { Background } from "./background.ts";
import type { Hub } from "./hub.ts";
import type { Members } from "./members.ts";
import { topicsOf } from "./session.ts";

/** Devices that are told of together. */
const TOGETHER = 64;

interface RollCallOptions {
  readonly hub: Hub;
  readonly events: Pick<Events, "present">;
  readonly members: Members;
  readonly background: Background;
  readonly now: () => number;
}

export class RollCall {
  readonly #options: RollCallOptions;
  /** It goes on; how often it was wanted; and whether other topics are told of than before. */
  #going = false;
  #wanted = 0;
  #otherTopics = false;

  constructor(options: RollCallOptions) {
    this.#options = options;
  }

  /** @param otherTopics are told of than before */
  hold(otherTopics: boolean): void {
    if (otherTopics) {
      this.#options.members.recount();
      this.#otherTopics = true;
    }
    this.#wanted++;
    if (!this.#going) this.#options.background.own(this.#goOn(), "who is present");
  }

  async #goOn(): Promise<void> {
    this.#going = true;
    try {
      for (let held = -1; held !== this.#wanted; ) {
        held = this.#wanted;
        await this.#once(this.#otherTopics);
        if (held === this.#wanted) this.#otherTopics = false;
      }
    } finally {
      this.#going = false; // when the store cannot be written: it says so again once it can
    }
  }

  async #once(otherTopics: boolean): Promise<void> {
    const { hub, members } = this.#options;
    const pace = new Pace();
    let present: PresentDevice[] = [];
    let seen = 0;
    for (const session of hub.everybody()) {
      if (otherTopics) for (const topic of topicsOf(session)) members.entered(session, topic);
      members.repeat(session);
      const { pushId, platform } = session;
      const since = hub.since(session);
      if (pushId !== undefined) present.push(platform === undefined ? { pushId, since } : { pushId, platform, since });
      if (++seen % TOGETHER > 0) continue;
      await this.#tell(present);
      present = [];
      if (pace.over()) await pace.turn();
    }
    await this.#tell(present);
  }

  async #tell(devices: readonly PresentDevice[]): Promise<void> {
    const { events, members, now } = this.#options;
    const told = devices.length === 0 ? undefined : events.present(devices, now());
    members.flush();
    await told;
  }
}
