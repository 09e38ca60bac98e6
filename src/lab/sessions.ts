// Logins as OPPO and vivo have them: each gives a token that is good for a day.
import { Recent } from "../core/recent.ts";
import { DAY } from "../core/time.ts";
import { REMEMBERED } from "./fake.ts";

export class Sessions {
  readonly #vendor: string;
  readonly #expire = new Recent<string, number>(REMEMBERED);
  #opened = 0;

  constructor(vendor: string) {
    this.#vendor = vendor;
  }

  /** How many so far. */
  get opened(): number {
    return this.#opened;
  }

  /** The token of a new one. */
  open(now: number): string {
    const token = `${this.#vendor}-session-${++this.#opened}`;
    this.#expire.set(token, now + DAY);
    return token;
  }

  /** Whether this is the token of one that is not over. */
  has(token: string | undefined, now: number): boolean {
    return (this.#expire.get(token ?? "") ?? 0) > now;
  }

  /** All that were opened are over. */
  end(): void {
    this.#expire.clear();
  }
}
