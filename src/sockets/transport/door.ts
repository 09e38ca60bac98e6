// Who is let in: the limits on connections, and how a client is told that it stays outside.
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { type AddressList, addressList, addressText, callerAddress } from "../../http/uws/address.ts";
import type { GatewayCounters, GatewayOptions } from "./gateway.ts";
import { type Peer, Peers } from "./peers.ts";
import type { Reply } from "./reply.ts";
import { AMBIGUOUS, FORBIDDEN, FULL, type Refusal, STOPPING, TOO_MANY } from "./request.ts";

type Limits = Pick<GatewayOptions, "maxConnections" | "maxConnectionsPerAddress" | "trustedProxies">;

export class Door {
  readonly #limits: Limits;
  readonly #counters: GatewayCounters;
  readonly #trusted: AddressList;
  readonly #peers = new Peers();
  #inside = 0;
  /** Nobody is let in any more. */
  closed = false;

  constructor(limits: Limits, counters: GatewayCounters) {
    this.#limits = limits;
    this.#counters = counters;
    this.#trusted = addressList(limits.trustedProxies);
  }

  peer(res: HttpResponse, req: HttpRequest): Peer {
    const address = addressText(res.getRemoteAddress());
    return this.#peers.find(callerAddress(address, req, this.#trusted));
  }

  /** Why one more connection of this peer is one too many. */
  full(peer: Peer): Refusal | undefined {
    if (this.closed) return STOPPING;
    if (this.#inside >= this.#limits.maxConnections) {
      this.#counters.refusedTotal++;
      return FULL;
    }
    if (peer.counted.connections >= this.#limits.maxConnectionsPerAddress) {
      this.#counters.refusedPerAddress++;
      return TOO_MANY;
    }
    return undefined;
  }

  enter(peer: Peer): void {
    this.#inside++;
    this.#peers.add(peer);
  }

  leave(peer: Peer): void {
    this.#inside--;
    this.#peers.remove(peer);
  }

  refuse(reply: Reply, refusal: Refusal): void {
    this.#count(refusal);
    const { status, code, message } = refusal;
    const closing = refusal === STOPPING || refusal === AMBIGUOUS;
    reply.send(status, "application/json", JSON.stringify({ code, message }), closing);
  }

  refuseUpgrade(res: HttpResponse, refusal: Refusal): void {
    this.#count(refusal);
    res
      .writeStatus(refusal.status)
      .writeHeader("Content-Type", "text/html")
      .writeHeader("Connection", "close")
      .end(refusal.message, true);
  }

  #count(refusal: Refusal): void {
    if (refusal === FORBIDDEN) this.#counters.refusedOrigin++;
    else if (refusal !== FULL && refusal !== TOO_MANY && refusal !== STOPPING) this.#counters.refusedRequest++;
  }
}
