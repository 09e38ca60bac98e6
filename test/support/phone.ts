// A device that only counts what it gets: over a websocket or by polling, in either revision. Pushes are numbers.
import { once } from "node:events";

export const REVISIONS = [3, 4] as const;
export interface Way {
  readonly transport: "websocket" | "polling";
  readonly revision: 3 | 4;
}
export const WAYS: readonly Way[] = REVISIONS.flatMap((revision) => [
  { transport: "websocket", revision },
  { transport: "polling", revision },
]);

type Place = readonly [name: string, id: string, unicast?: number];

export abstract class Phone {
  /** The numbers of the pushes, in the order they came. */
  readonly got: number[] = [];
  readonly notifications: string[] = [];
  /** Its position on its own channel, and on topics. */
  readonly positions = new Map<string, string>();
  /** How many of `got` the server knows to have arrived: those before the last question that it answered, or of earlier polls. */
  proven = 0;
  #changed = Promise.withResolvers<void>();
  #replies = 0;
  ended = false;

  static async open(port: number, way: Way): Promise<Phone> {
    const phone =
      way.transport === "websocket" ? new OnWebsocket(port, way.revision) : new OnPolling(port, way.revision);
    await phone.connect();
    return phone;
  }

  abstract connect(): Promise<void>;
  abstract send(frame: string): void;
  abstract close(): void;

  /** From polling to a websocket (protocol 2.6). @param probe without it as PHP and Arduino clients do */
  async upgrade(_probe = true): Promise<void> {}

  protected take(frame: string): void {
    if (!frame.startsWith("42")) return;
    const [event, value, place] = JSON.parse(frame.slice(2)) as [string, unknown, Place?];
    if (event === "pushId") this.#replies++;
    if (event === "noti") this.notifications.push((value as { id: string }).id);
    if (event === "p") {
      this.got.push(typeof value === "number" ? value : (value as { n: number }).n);
      if (place !== undefined) this.positions.set(place[0], place[1]);
    }
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** @param before how many pushes had come when it asked */
  protected answered(_before: number): void {}

  protected end(): void {
    this.ended = true;
    this.#tell();
  }

  emit(event: string, value: unknown): void {
    this.send(`42${JSON.stringify([event, value])}`);
  }

  /** Waits until it is so, or the connection has ended. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.ended) await this.#changed.promise;
  }

  has = (n: number): Promise<void> => this.until(() => this.got.includes(n));

  /** Says who it is, and waits for the answer. */
  async hello(fields: { readonly id: string; readonly [more: string]: unknown }): Promise<void> {
    const replies = this.#replies;
    const before = this.got.length;
    this.emit("pushId", { version: 1, platform: "android", ...fields });
    await this.until(() => this.#replies > replies);
    if (this.#replies > replies) this.answered(before);
  }
}

class OnWebsocket extends Phone {
  readonly #socket: WebSocket;
  readonly #revision: 3 | 4;

  constructor(port: number, revision: 3 | 4) {
    super();
    this.#revision = revision;
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=${revision}&transport=websocket`);
    this.#socket.addEventListener("message", ({ data }) => {
      this.take(String(data));
    });
    this.#socket.addEventListener("close", () => this.end());
    this.#socket.addEventListener("error", () => this.end());
  }

  async connect(): Promise<void> {
    await once(this.#socket, "open");
    if (this.#revision === 4) this.#socket.send("40");
  }

  /** Their pings, which came with them, were answered before. */
  protected override answered(before: number): void {
    this.proven = before;
  }

  send(frame: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  close(): void {
    this.#socket.close();
    this.end();
  }
}

export class OnPolling extends Phone {
  #url: string;
  readonly #revision: 3 | 4;
  readonly #abort = new AbortController();
  /** One POST at a time, as the protocol wants it. */
  #posting: Promise<unknown> = Promise.resolve();
  #polling: Promise<void> = Promise.resolve();
  #paused = false;
  #socket: WebSocket | undefined = undefined;
  #asked = false;

  constructor(port: number, revision: 3 | 4) {
    super();
    this.#revision = revision;
    this.#url = `http://127.0.0.1:${port}/socket.io/?EIO=${revision}&transport=polling&b64=1`;
  }

  #packets(payload: string): string[] {
    if (this.#revision === 4) return payload.split("\x1e");
    const packets: string[] = [];
    for (let at = 0; at < payload.length; ) {
      const colon = payload.indexOf(":", at);
      const end = colon + 1 + Number(payload.slice(at, colon));
      packets.push(payload.slice(colon + 1, end));
      at = end;
    }
    return packets;
  }

  async #get(): Promise<string> {
    const answer = await fetch(this.#url, { signal: this.#abort.signal });
    if (answer.status !== 200) throw new Error(await answer.text());
    return answer.text();
  }

  async connect(): Promise<void> {
    const [first = ""] = this.#packets(await this.#get());
    this.#url += `&sid=${(JSON.parse(first.slice(1)) as { sid: string }).sid}`;
    this.poll();
    if (this.#revision === 4) this.send("40");
  }

  /** Until it pauses. */
  poll(): void {
    this.#paused = false;
    this.#polling = this.#poll();
  }

  /** Polls no more, once the pending poll has returned. */
  pause(): void {
    this.#paused = true;
  }

  override async upgrade(probe = true): Promise<void> {
    const socket = new WebSocket(`${this.#url.replace("http", "ws").replace("=polling", "=websocket")}`);
    socket.addEventListener("close", () => this.end());
    await once(socket, "open");
    if (probe) {
      socket.send("2probe");
      await once(socket, "message");
    }
    this.pause();
    if (probe) await this.#polling;
    await this.#posting;
    socket.addEventListener("message", ({ data }) => {
      if (data === "2") this.send("3");
      this.take(String(data));
    });
    this.#socket = socket;
    socket.send("5");
  }

  /** The server asked for proof of the last polls when it took the websocket: maybe after this client's first question on it. */
  protected override answered(before: number): void {
    if (this.#socket === undefined) return;
    if (this.#asked) this.proven = Math.max(this.proven, before);
    this.#asked = true;
  }

  async #poll(): Promise<void> {
    try {
      while (!this.ended && !this.#paused) {
        const before = this.got.length;
        const packets = this.#packets(await this.#get());
        this.proven = before; // of the answers before: this poll said so
        for (const packet of packets) {
          if (packet === "2") this.send("3");
          this.take(packet);
        }
      }
    } catch {
      this.end();
    }
  }

  send(frame: string): void {
    if (this.#socket !== undefined) {
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
      return;
    }
    const body = this.#revision === 4 ? frame : `${frame.length}:${frame}`;
    const post = () =>
      this.ended
        ? undefined
        : fetch(this.#url, {
            method: "POST",
            body,
            headers: { "Content-Type": "text/plain;charset=UTF-8" },
            signal: this.#abort.signal,
          }).then((answer) => answer.text());
    this.#posting = this.#posting.then(post).catch(() => {});
  }

  close(): void {
    this.end();
    this.#abort.abort();
    this.#socket?.close();
  }
}
