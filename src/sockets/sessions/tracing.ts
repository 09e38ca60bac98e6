// What traces (core/trace.ts) see of connections: those that are followed are tapped, and whatever goes to a topic is told by the hub.
import type { PushId, Uid } from "../../core/device.ts";
import { Pace } from "../../core/pace.ts";
import type { Channel } from "../../core/packet.ts";
import { channelName } from "../../core/packet.ts";
import type { Traces, TraceTarget } from "../../core/trace.ts";
import type { Connection } from "../transport/types.ts";
import type { Session } from "./session.ts";

type Link = Connection<Session>;

/** Connections tapped at once: an address may be that of very many. */
const MOST_TAPPED = 200;

export interface Sessions {
  /** The name of a connection, as lists of connections have it. */
  name(connection: Link): string;
  ofDevice(pushId: PushId): Iterable<Session>;
  ofUser(uid: Uid): Iterable<Session>;
  all(): Iterable<Link>;
}

export class Tracing {
  readonly #traces: Traces;
  readonly #sessions: Sessions;
  readonly #tapped = new Set<Link>();

  constructor(traces: Traces, sessions: Sessions) {
    this.#traces = traces;
    this.#sessions = sessions;
  }

  /** Whether any trace runs. Asked before all else here: without one nothing is looked at. */
  get on(): boolean {
    return this.#traces.on;
  }

  /** A trace of this target has begun: those who are there are followed. */
  async begun({ pushId, uid, address }: TraceTarget): Promise<void> {
    if (pushId !== undefined)
      for (const { connection } of this.#sessions.ofDevice(pushId as PushId)) this.look(connection);
    if (uid !== undefined) for (const { connection } of this.#sessions.ofUser(uid as Uid)) this.look(connection);
    if (address === undefined) return;
    const pace = new Pace();
    let looked = 0;
    for (const connection of this.#sessions.all()) {
      if (connection.address === address) this.look(connection);
      if (++looked % 64 === 0 && pace.over()) await pace.turn();
    }
  }

  /** Whether it is followed may have changed: it is open, said who it is, was bound. Asked only while a trace is on. */
  look(connection: Link): void {
    const followed = connection.open && this.#traces.follows(whoOf(connection));
    if (followed === (connection.tap !== undefined)) return;
    if (!followed) return this.#untap(connection);
    if (this.#tapped.size >= MOST_TAPPED) return;
    this.#tapped.add(connection);
    const name = this.#sessions.name(connection);
    const { transport, revision, address } = connection;
    this.#traces.note(whoOf(connection), "decision", `followed: ${transport}, revision ${revision}, ${address}`, name);
    connection.tap = (direction, packet) =>
      this.#traces.note(
        whoOf(connection),
        direction,
        typeof packet === "string" ? packet : `${packet.byteLength} bytes`,
        name,
      );
    if (this.#tapped.size === MOST_TAPPED)
      this.#traces.note(
        whoOf(connection),
        "decision",
        `${MOST_TAPPED} connections are followed: what goes to and comes from further ones is not shown`,
      );
  }

  #untap(connection: Link): void {
    connection.tap = undefined;
    this.#tapped.delete(connection);
  }

  /** An event of a client that says by it who it is: what it says is not tapped yet. */
  said(connection: Link, name: string, args: readonly unknown[]): void {
    if (connection.tap !== undefined || name !== "pushId") return;
    const [hello] = args;
    const { id } = typeof hello === "object" && hello !== null ? (hello as { readonly id?: unknown }) : {};
    if (typeof id !== "string" || !this.#traces.follows({ pushId: id })) return;
    this.#traces.note({ pushId: id }, "in", `42${JSON.stringify([name, ...args])}`, this.#sessions.name(connection));
  }

  /** It was written to everybody in the topic. */
  published(channel: Channel, frame: string, receivers: number): void {
    this.#traces.note(
      { topic: channelName(channel) },
      "out",
      `to ${receivers} ${receivers === 1 ? "connection" : "connections"}: ${frame}`,
    );
    for (const connection of this.#tapped)
      if (connection.open && connection.in(channel))
        this.#traces.note(whoOf(connection), "out", frame, this.#sessions.name(connection));
  }

  /** A session joined or left a topic. */
  moved({ connection, ...session }: Pick<Session, "connection" | "pushId" | "uid">, topic: string, what: string): void {
    const who = { ...whoOf(connection), ...named(session), topic };
    this.#traces.note(who, "decision", `${what} ${topic}${session.pushId === undefined ? "" : `: ${session.pushId}`}`);
  }

  /** Notes why it ended, and follows it no more. */
  closed(connection: Link, reason: string): void {
    if (connection.tap === undefined) return;
    const name = this.#sessions.name(connection);
    this.#traces.note(whoOf(connection), "decision", `the connection is closed: ${reason}`, name);
    this.#untap(connection);
  }

  /** Once a second. */
  tick(): void {
    this.#traces.tick();
    if (this.#tapped.size > 0) for (const connection of [...this.#tapped]) this.look(connection);
  }
}

const named = ({ pushId, uid }: Pick<Session, "pushId" | "uid">): TraceTarget => ({
  ...(pushId === undefined ? {} : { pushId }),
  ...(uid === undefined ? {} : { uid }),
});

const whoOf = ({ data, address }: Link): TraceTarget => ({ ...(data === undefined ? {} : named(data)), address });
