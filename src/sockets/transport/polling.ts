// What a connection needs only while it is on polling: the pending requests, what waits for the next poll, its rooms, and the
// websocket that probes for an upgrade.
import {
  bytesOf,
  decodeBinaryPayload3,
  decodeForm3,
  decodePayload3,
  decodePayload4,
  type EnginePacket,
  encodeBinaryPayload3,
  encodePayload3,
  encodePayload4,
  jsonp,
  type Revision,
} from "../wire/engineio.ts";
import type { Reply } from "./reply.ts";
import type { EngineRequest } from "./request.ts";
import type { Probe } from "./socket.ts";

/** How a client's polls are answered: settled by its handshake. */
export type Form = "text 4" | "text 3" | "binary 3";

/** As its handshake asked for (protocol 2.3, 2.4). */
export const formOf = ({ revision, base64, jsonp }: Pick<EngineRequest, "revision" | "base64" | "jsonp">): Form =>
  revision === 4 ? "text 4" : base64 || jsonp !== undefined ? "text 3" : "binary 3";

interface Poll {
  readonly reply: Reply;
  readonly jsonp: string | undefined;
}

export class Polling {
  readonly form: Form;
  readonly rooms = new Set<string>();
  /** The POST whose body is arriving. */
  post: Reply | undefined = undefined;
  probe: Probe | undefined = undefined;
  #poll: Poll | undefined = undefined;
  #waiting: EnginePacket[] = [];
  #bytes = 0;
  /** Whether a backlog waits for the next poll. */
  hasBacklog = false;
  /** The stamp of the last answer: all that was sent before is in it, or in an earlier one. */
  #answered = 0;
  readonly #stamp: () => number;

  /** The tick by which the client has to come back after its handshake; 0 once it has. */
  firstDueAt: number;

  /** @param stamp see `stampPosted` */
  constructor(form: Form, firstDueAt: number, stamp: () => number) {
    this.form = form;
    this.firstDueAt = firstDueAt;
    this.#stamp = stamp;
  }

  /** Whether a poll waits for an answer. */
  get isPolled(): boolean {
    return this.#poll !== undefined;
  }

  /** Bytes that wait for the next poll, without a backlog. */
  get bytes(): number {
    return this.#bytes;
  }

  /** It waits for `flush`. */
  push(packet: EnginePacket): void {
    this.#waiting.push(packet);
    this.#bytes += bytesOf(packet);
  }

  /** They wait for `flush`, and do not count in `bytes`. */
  pushBacklog(packets: readonly string[]): void {
    for (const packet of packets) this.#waiting.push(packet);
    this.hasBacklog = true;
  }

  /** The client polls again, so the last answer has arrived: what was sent before this moment has been received (holds 9). */
  returned(): number {
    const answered = this.#answered;
    this.#answered = 0;
    return answered;
  }

  /** This poll is the pending one, answered at once when something waits for it. */
  poll(reply: Reply, request: EngineRequest): void {
    this.#poll = { reply, jsonp: request.jsonp };
    this.flush();
  }

  /** Answers the pending poll when there is something to say. */
  flush(): void {
    if (this.#waiting.length > 0 && this.#poll !== undefined) this.#answer();
    else if (this.probe?.probed) this.release(); // 2.6: the client pauses polling and waits for this
  }

  /** Lets the pending poll return. */
  release(): void {
    if (this.#poll === undefined) return;
    if (this.#waiting.length === 0) this.#waiting.push("6");
    this.#answer();
  }

  #answer(): void {
    const poll = this.#poll!;
    this.#poll = undefined;
    this.#answered = this.#stamp();
    const packets = this.take();
    poll.reply.onGone = undefined;
    answerPoll(poll.reply, poll.jsonp, this.form, packets);
  }

  /** What waits, which the caller now has to deliver. */
  take(): EnginePacket[] {
    const packets = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    this.hasBacklog = false;
    return packets;
  }

  /**
   * Says goodbye, `1` when the server closes, `6` when the client has closed: to the pending poll, or else in what is returned,
   * for the next one.
   * @param apart what was said before has a poll of its own: 4.x clients pass over what comes with the end
   */
  end(farewell: "1" | "6", apart: boolean): readonly EnginePacket[] {
    if (apart && this.#poll !== undefined && this.#waiting.length > 0) this.#answer();
    this.#waiting.push(farewell);
    if (this.#poll !== undefined) this.#answer();
    return this.take();
  }
}

/** @param index of JSONP; undefined: it is an ordinary poll */
export function answerPoll(
  reply: Reply,
  index: string | undefined,
  form: Form,
  packets: readonly EnginePacket[],
): void {
  if (form === "binary 3" && index === undefined) {
    reply.send("200 OK", "application/octet-stream", encodeBinaryPayload3(packets));
    return;
  }
  const payload = form === "text 4" ? encodePayload4(packets) : encodePayload3(packets);
  if (index === undefined) reply.send("200 OK", "text/plain; charset=UTF-8", payload);
  else reply.send("200 OK", "text/javascript; charset=UTF-8", jsonp(index, payload));
}

/** The packets of a POST; `undefined` for garbage. The revision is the connection's. */
export function decodePost(revision: Revision, request: EngineRequest, body: Buffer): EnginePacket[] | undefined {
  const binary = request.contentType.toLowerCase().startsWith("application/octet-stream");
  if (revision === 4) return binary ? undefined : decodePayload4(body);
  if (request.jsonp !== undefined) return decodeForm3(body);
  return binary ? decodeBinaryPayload3(body) : decodePayload3(body);
}
