// Who is let in: the limits on connections, and how a client is told that it stays outside.
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { type Debug, NO_DEBUG } from "../../core/debug.ts";
import { Tally } from "../../core/tally.ts";
import { type AddressList, addressList, addressText, callerAddress } from "../../http/uws/address.ts";
import { endAndShut, endWith } from "../../http/uws/ending.ts";
import type { Closes } from "../../http/uws/framing.ts";
import { Gate } from "../../http/uws/gate.ts";
import { type Counted, type Peer, Peers } from "./peers.ts";
import type { Reply } from "./reply.ts";
import { AMBIGUOUS, FORBIDDEN, FULL, type Refusal, STOPPING, TOO_MANY } from "./request.ts";
import type { Full, GatewayCounters, GatewayOptions } from "./types.ts";

type Limits = Pick<
  GatewayOptions,
  | "maxConnections"
  | "maxConnectionsPerAddress"
  | "maxFreshPerAddress"
  | "trustedProxies"
  | "maxSockets"
  | "warn"
  | "debug"
>;

export class Door {
  readonly #limits: Limits;
  readonly #counters: GatewayCounters;
  readonly #trusted: AddressList;
  readonly #peers = new Peers();
  readonly gate: Gate;
  readonly #debug: Debug;
  #inside = 0;
  /** Nobody is let in any more. */
  closed = false;

  readonly #refused: Tally<Full["what"], { readonly counted: Counted; readonly limit: number }>;

  constructor(limits: Limits, counters: GatewayCounters, onFull: GatewayOptions["onFull"]) {
    this.#refused = new Tally((what, refused, { counted, limit }) => {
      const tell = ({ name, connections }: Counted) => onFull({ what, address: name, connections, limit, refused });
      if (what === "all") void this.#peers.busiest().then((busiest) => tell(busiest ?? counted));
      else tell(counted);
    });
    this.#limits = limits;
    this.#debug = limits.debug ?? NO_DEBUG;
    this.#counters = counters;
    this.#trusted = addressList(limits.trustedProxies);
    const { maxSockets: most = Number.POSITIVE_INFINITY, warn = () => {} } = limits;
    const perAddress = Math.min(4 * limits.maxConnectionsPerAddress, Math.ceil(most / 2));
    this.gate = new Gate({ most, perAddress, trusted: this.#trusted, refused: () => counters.refusedAtAccept++, warn });
  }

  /** @param address of the other end of the connection */
  peer(address: string, req: HttpRequest): Peer {
    return this.#peers.find(callerAddress(address, req, this.#trusted));
  }

  /**
   * Why one more connection of this peer is one too many.
   * @param fresh it only shakes hands on polling, which costs nothing and is often not continued
   */
  full(peer: Peer, fresh: boolean): Refusal | undefined {
    if (this.closed) return STOPPING;
    const { maxConnections, maxConnectionsPerAddress, maxFreshPerAddress } = this.#limits;
    const { counted } = peer;
    if (this.#inside >= maxConnections) {
      this.#counters.refusedTotal++;
      this.#refused.add("all", { counted, limit: maxConnections });
      return FULL;
    }
    const many = counted.connections >= maxConnectionsPerAddress;
    if (!many && !(fresh && counted.fresh >= maxFreshPerAddress)) return undefined;
    this.#counters.refusedPerAddress++;
    if (many) this.#refused.add("address", { counted, limit: maxConnectionsPerAddress });
    else this.#refused.add("handshakes", { counted, limit: maxFreshPerAddress });
    return TOO_MANY;
  }

  /** Whether each answer is to end its connection. */
  get sendsAway(): boolean {
    return this.closed || this.gate.crowded;
  }

  /** As `Gate.leaving`. */
  leaving(response: HttpResponse): void {
    this.gate.leaving(response);
  }

  enter(peer: Peer): void {
    this.#inside++;
    this.#peers.add(peer);
  }

  leave(peer: Peer): void {
    this.#inside--;
    this.#peers.remove(peer);
  }

  /**
   * Whoever is refused does not keep the connection: an open file is for those who have a session. Only where a body is still on its
   * way the connection stays, since a client that is cut off while it sends would not see the answer.
   */
  refuse(reply: Reply, refusal: Refusal): void {
    this.#count(refusal);
    if (this.#debug.on) this.#show(refusal, reply.address);
    const { status, code, message } = refusal;
    const text = JSON.stringify({ code, message });
    if (refusal === AMBIGUOUS) reply.shut(status, "application/json", text);
    else reply.send(status, "application/json", text, !reply.hasBody);
  }

  /** As `refuse`, of a request for a websocket: the message is its body. */
  refuseUpgrade(res: HttpResponse, refusal: Refusal, closes: Closes): void {
    this.#count(refusal);
    if (this.#debug.on) this.#show(refusal, addressText(res.getRemoteAddress()));
    res.onAborted(() => {}); // uWS ends the process when a client is found gone here, and nobody listens
    res.writeStatus(refusal.status).writeHeader("Content-Type", "text/html");
    if (refusal === AMBIGUOUS) endAndShut(res, refusal.message, closes);
    else endWith(res, refusal.message, closes, true);
  }

  #show({ status, message }: Refusal, address: string): void {
    this.#debug.line({ address, status: Number.parseInt(status, 10), error: message }, "client refused");
  }

  #count(refusal: Refusal): void {
    if (refusal === FORBIDDEN) this.#counters.refusedOrigin++;
    else if (refusal !== FULL && refusal !== TOO_MANY && refusal !== STOPPING) this.#counters.refusedRequest++;
  }
}
