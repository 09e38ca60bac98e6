// Posts a vendor's receipts to the server, as the vendor would: in order, one at a time, and on demand twice, late or forged.
import type { FakeReply, FakeRequest, Shown } from "./fake.ts";
import type { Manner, Teller, Told } from "./receipts.ts";

/** Receipts that wait, and devices that one receipt tells of: Huawei's most. */
const WAITING = 1000;
const MOST = 100;
const TIMEOUT = 10_000;

export interface PostmanOptions {
  readonly vendor: string;
  readonly teller: Teller;
  /** Where receipts go, unless the message says. */
  readonly address: string;
  readonly now: () => number;
  readonly tell: (line: string) => void;
}

export class Postman {
  manner: Manner = "once";
  readonly #options: PostmanOptions;
  readonly #closing = new AbortController();
  #waiting = 0;
  #last = Promise.resolve();
  /** Of manner "late": comes after the next one. */
  #held: (() => Promise<void>) | undefined;

  constructor(options: PostmanOptions) {
    this.#options = options;
  }

  /** After a request that was accepted, with what its devices showed. */
  after(request: FakeRequest, reply: FakeReply, shown: readonly Shown[]): void {
    const { address, teller } = this.#options;
    const posts = new Map<string, Told[]>();
    for (const { token } of shown) {
      const message = teller.message(request, reply, token);
      if (message === undefined) continue;
      const told = posts.get(message.address ?? address) ?? [];
      posts.set(message.address ?? address, told);
      told.push({ token, id: message.id, param: message.param });
    }
    for (const [to, told] of posts)
      for (let at = 0; at < told.length; at += MOST) this.#plan(to, told.slice(at, at + MOST));
  }

  /** Resolves when nothing is posted any more. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.#last;
  }

  #plan(to: string, told: readonly Told[]): void {
    const { manner } = this;
    const forged = manner === "forged";
    const { teller } = this.#options;
    const receipt = teller.write(told, manner !== "unknown", forged, this.#options.now());
    const post = () => this.#post(forged && !teller.signs ? `${to}-forged` : to, told.length, receipt);
    if (manner === "late" && this.#held === undefined) {
      this.#held = post;
      return;
    }
    this.#queue(post);
    if (manner === "twice") this.#queue(post);
    if (this.#held !== undefined) this.#queue(this.#held);
    this.#held = undefined;
  }

  #queue(post: () => Promise<void>): void {
    const { tell, vendor } = this.#options;
    if (this.#waiting >= WAITING) return tell(`receipt vendor=${vendor} not posted: ${WAITING} are waiting already`);
    this.#waiting++;
    this.#last = this.#last.then(post).finally(() => this.#waiting--);
  }

  async #post(
    to: string,
    count: number,
    { headers, body }: { headers: Readonly<Record<string, string>>; body: string },
  ) {
    if (this.#closing.signal.aborted) return;
    const { tell, vendor } = this.#options;
    let result: string;
    try {
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(TIMEOUT)]);
      const answer = await fetch(to, { method: "POST", headers, body, signal });
      result = `${answer.status} ${(await answer.text()).slice(0, 60)}`;
    } catch (error) {
      const { cause, message } = error as Error;
      result = (cause as NodeJS.ErrnoException | undefined)?.code ?? message;
    }
    if (!this.#closing.signal.aborted)
      tell(`receipt vendor=${vendor} devices=${count}: ${result.replaceAll(/\s+/g, " ")}`);
  }
}
