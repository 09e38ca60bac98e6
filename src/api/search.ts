// /api/search: what exists under a name, whatever kind of name it is (api 6.11). Index look-ups only.
import { wallClock } from "../core/clock.ts";
import type { PushId, Uid } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import type { Params } from "./params.ts";

/** Of each kind. */
const MOST = 5;

interface Found {
  readonly kind: "device" | "user" | "token" | "notification" | "topic";
  /** Its name: of a token the device's. */
  readonly name: string;
  readonly [detail: string]: unknown;
}

/** At most five of each kind; white space around `text` aside. */
export async function search(params: Params, actions: Actions): Promise<Response> {
  const text = params.text("text")?.trim() ?? "";
  if (text === "") throw new PushError("invalid", "text is required: what to look for");
  const { devices, outbox, live } = actions;
  const now = wallClock();
  const [named, ofUser, withToken, jobs, job, topics] = await Promise.all([
    devices.named(text, undefined, MOST, now),
    devices.page({ kind: "uids", uids: [text as Uid] }, undefined, MOST + 1, now),
    devices.byToken(text, MOST, now),
    outbox.jobs({ id: text }, 1, now),
    jobNumbered(text, actions, now),
    live.topics(text, "", MOST),
  ]);
  const found: Found[] = [
    ...named.map(({ pushId, uid, platform }) => ({ kind: "device" as const, name: pushId, uid, platform })),
    ...(ofUser.devices.length === 0
      ? []
      : [
          {
            kind: "user" as const,
            name: text,
            devices: Math.min(MOST, ofUser.devices.length),
            more: ofUser.devices.length > MOST ? true : undefined,
          },
        ]),
    ...withToken.map(({ pushId, type }) => ({ kind: "token" as const, name: pushId as PushId, type })),
    ...[...jobs, ...job].map(({ id, text: says, state, job: number }) => ({
      kind: "notification" as const,
      name: id,
      text: says,
      state,
      job: number,
    })),
    ...topics.map(({ topic, count }) => ({ kind: "topic" as const, name: topic, count })),
  ];
  return json({ code: "success", found });
}

/** Jobs have numbers, too: `#12` or `12`. */
async function jobNumbered(text: string, { outbox }: Actions, now: number) {
  const [, digits] = /^#?(\d{1,15})$/.exec(text) ?? [];
  if (digits === undefined) return [];
  const number = Number(digits);
  const listed = await outbox.jobs({ before: number + 1 }, 1, now);
  return listed.filter(({ job, id }) => job === number && id !== text);
}
