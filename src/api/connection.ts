// /api/connection/*: a sample of the connections that are open, and the end of one (api 6.7).
import { PushError } from "../core/errors.ts";
import type { ConnectionFilter } from "../core/live.ts";
import { HttpError, type Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { CONNECTIONS, LONGEST_AGE, MOST_LOOKED, MOST_WAITING } from "./bounds.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

/** In no order, but the same ones first each time; `partial`: not all that are open were looked at (api 6.7). */
export async function connectionList(params: Params, { live }: Actions): Promise<Response> {
  const filter = filterOf(params);
  const limit = params.whole("limit", 1, CONNECTIONS.most) ?? CONNECTIONS.usual;
  const { connections, looked, open } = await live.connections(filter, limit, MOST_LOOKED);
  return json({
    code: "success",
    connections: connections.map(({ since, ...connection }) => ({ ...connection, ...told("since", since) })),
    looked,
    open,
    partial: looked < open ? true : undefined,
  });
}

function filterOf(params: Params): ConnectionFilter {
  const platform = params.label("platform");
  const transport = params.text("transport");
  if (transport !== undefined && transport !== "websocket" && transport !== "polling")
    throw new PushError("invalid", "transport must be websocket or polling");
  const revision = params.whole("revision", 3, 4);
  const address = params.label("address");
  const waiting = params.whole("waiting", 0, MOST_WAITING);
  const olderThan = params.duration("olderThan", LONGEST_AGE);
  const youngerThan = params.duration("youngerThan", LONGEST_AGE);
  return {
    ...(platform === undefined ? {} : { platform }),
    ...(transport === undefined ? {} : { transport }),
    ...(revision === undefined ? {} : { revision }),
    ...(address === undefined ? {} : { address }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(olderThan === undefined ? {} : { olderThan }),
    ...(youngerThan === undefined ? {} : { youngerThan }),
  };
}

/** @throws HttpError 404 when no connection is called so */
export async function connectionClose(params: Params, { live }: Actions): Promise<Response> {
  const connection = params.label("connection");
  if (connection === undefined)
    throw new PushError("invalid", "connection is required: its name, as connection/list tells it");
  if (!(await live.disconnect(connection)))
    throw new HttpError(404, `no connection is called ${connection}: it may be closed already`);
  return json({ code: "success" });
}
