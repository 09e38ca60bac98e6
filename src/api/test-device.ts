// /api/device/test/*: devices that somebody tries things out on (api 6.10).
import { wallClock } from "../core/clock.ts";
import type { PushId } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import { HttpError, type Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json, SUCCESS } from "./answer.ts";
import type { Caller } from "./auth.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

export async function testDeviceList(params: Params, { testDevices, live, devices }: Actions): Promise<Response> {
  const who = params.label("who");
  const marked = (await testDevices.list()).filter((one) => who === undefined || one.who === who);
  const pushIds = marked.map(({ pushId }) => pushId);
  const [connected, known] = await Promise.all([live.isConnected(pushIds), devices.get(pushIds, wallClock())]);
  const byId = new Map(known.map((device) => [device.pushId, device]));
  return json({
    code: "success",
    devices: marked.map(({ at, ...one }, i) => ({
      ...one,
      ...told("at", at),
      known: byId.has(one.pushId),
      uid: byId.get(one.pushId)?.uid,
      platform: byId.get(one.pushId)?.platform,
      connected: connected[i] ?? false,
    })),
  });
}

/** It need not be known yet: the phone may come later. */
export async function testDeviceAdd(params: Params, { testDevices }: Actions, caller: Caller): Promise<Response> {
  await testDevices.add({
    pushId: pushIdOf(params),
    note: params.label("note") ?? "",
    ...(caller.keyName === undefined ? {} : { who: caller.keyName }),
    at: wallClock(),
  });
  return SUCCESS;
}

/** @throws HttpError 404 when it is none */
export async function testDeviceRemove(params: Params, { testDevices }: Actions): Promise<Response> {
  const pushId = pushIdOf(params);
  if (!(await testDevices.remove(pushId))) throw new HttpError(404, `${pushId} is no test device`);
  return SUCCESS;
}

function pushIdOf(params: Params): PushId {
  const pushId = params.id("pushId");
  if (pushId === undefined) throw new PushError("invalid", "pushId is required");
  return pushId as PushId;
}
