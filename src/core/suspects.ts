// Tokens of which a vendor gave an answer that may mean that they are dead: they are when it is given again, unless the answer spares
// them. In memory, and for one lane: after a restart it takes one answer more.

import { Recent } from "./recent.ts";
import type { Outcome } from "./vendor.ts";

const MOST = 10_000;
/** Different tokens refused, and none accepted: so many look like wrong credentials at once. */
const MANY = 10;

export class Suspects {
  /** From when on the same answer counts, by token; epoch ms. */
  readonly #from = new Recent<string, number>(MOST);
  /** Tokens that may have been refused for our credentials' sake, while none has been accepted with them. */
  readonly #refused = new Set<string>();
  #proven = false;

  /** Credentials may be others from now on: what was said of tokens with the old ones says nothing. */
  clear(): void {
    this.#from.clear();
    this.#refused.clear();
    this.#proven = false;
  }

  /** What the outcome means after what was said of the lane's tokens before. */
  judge(token: string, outcome: Outcome, now: number): Outcome {
    if (outcome.kind === "accepted") {
      this.#proven = true;
      this.#from.delete(token);
      return outcome;
    }
    if ((outcome.kind !== "refused" && outcome.kind !== "retry") || outcome.suspect === undefined) return outcome;
    const { reason, suspect } = outcome;
    const from = this.#from.get(token);
    const again = from !== undefined && now >= from;
    if (suspect.orDenied === true && !this.#proven) {
      this.#refused.add(token);
      if (this.#refused.size >= (again ? 2 : MANY)) {
        this.clear();
        return { kind: "denied", reason };
      }
    }
    if (again) {
      this.#from.delete(token);
      return { kind: suspect.spares === true ? "refused" : "gone", reason: `${reason}, again` };
    }
    if (from === undefined) this.#from.set(token, suspect.from);
    return outcome;
  }
}
