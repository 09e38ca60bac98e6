// A lane is sent by one node at a time: rates, quotas and breakers are kept by one for all.
import type { Lane } from "../../core/delivery.ts";
import { laneKey } from "../../core/events.ts";
import type { Outbox } from "../../core/outbox.ts";
import type { Nodes } from "./nodes.ts";
import type { Turns } from "./turns.ts";

/** An answer holds for so many milliseconds: less than a node is taken for gone after. */
const HOLDS = 1000;

/** An answer of PostgreSQL's holds for a second. @param elapsed milliseconds by a clock that is never set */
export function laneOwner(
  turns: Pick<Turns, "step">,
  nodes: Pick<Nodes, "own" | "disown">,
  elapsed: () => number,
): Pick<Outbox, "own" | "disown"> {
  const known = new Map<string, { readonly mine: boolean; readonly until: number }>();
  return {
    own(lane: Lane) {
      const name = laneKey(lane);
      const before = known.get(name);
      if (before !== undefined && elapsed() < before.until) return before.mine;
      const until = elapsed() + HOLDS; // counted from before it is asked
      return (async () => {
        let mine = false;
        await turns.step(async (turn) => {
          mine = (await nodes.own(turn, "lane", name)) !== undefined;
        });
        known.set(name, { mine, until });
        return mine;
      })();
    },
    async disown() {
      known.clear();
      await turns.step(async (turn) => nodes.disown(turn, "lane"));
    },
  };
}
