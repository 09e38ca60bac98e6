// /api/uid/bind and /api/uid/remove: which user a device belongs to (api 3.3, 3.4).
import type { PushId, Uid } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { SUCCESS } from "./answer.ts";
import type { Params } from "./params.ts";

export async function bindUid(params: Params, actions: Actions): Promise<Response> {
  const pushId = params.id("pushId");
  const uid = params.id("uid");
  if (pushId === undefined || uid === undefined) throw new PushError("invalid", "pushId and uid are required");
  const platform = params.label("platform");
  await actions.bind({
    pushId: pushId as PushId,
    uid: uid as Uid,
    ...(platform === undefined ? {} : { platform }),
    platformLimit: params.count("platformLimit"),
    timeToLive: params.timeToLive(),
  });
  return SUCCESS;
}

export async function removeUid(params: Params, actions: Actions): Promise<Response> {
  const pushIds = params.pushIds();
  const uids = params.uids();
  if (pushIds !== undefined) await actions.unbind({ pushIds });
  else if (uids !== undefined) await actions.unbind({ uids });
  else throw new PushError("invalid", "pushId or uid is required");
  return SUCCESS;
}
