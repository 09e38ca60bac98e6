import t from "tap";
import type { Device, PushId, Uid } from "../../src/core/device.ts";
import type { Notification } from "../../src/core/notification.ts";
import { split, splitForAll } from "../../src/core/notify.ts";

const note: Notification = {
  id: "n1",
  content: {
    id: "n1",
    timestamp: 5,
    ttl: 0,
    topic: "x",
    unicast: null,
    android: { title: "T", payload: {} },
    extra: 1,
  },
  target: { kind: "all" },
  timeToLive: 500,
  type: "pushMany",
  acceptedAt: 1000,
  callerAddress: "127.0.0.1",
};
const device = (pushId: string, uid?: string): Device => ({
  pushId: pushId as PushId,
  ...(uid === undefined ? {} : { uid: uid as Uid }),
  tags: [],
  createTime: 0,
  updateTime: 0,
});

t.test("a page of devices becomes one packet each, kept while the notification lives", async (t) => {
  const page = split(note, [device("device-one", "u"), device("device-two", "u")], "cursor");
  t.same(
    page.parcels.map((parcel) => parcel.channel),
    ["d:device-one", "d:device-two"],
  );
  const [parcel] = page.parcels;
  t.match(parcel?.packet, { event: "noti", id: "n1", expires: 1500 });
  t.same(
    JSON.parse(parcel!.packet.body),
    { android: { title: "T", payload: {} }, extra: 1 },
    "R5: no ttl, topic or unicast",
  );
  t.same(page.counts, { target_android: 2 });
  t.same([page.pushIds, page.uids, page.cursor], [["device-one", "device-two"], ["u"], "cursor"]);
  t.equal(split({ ...note, timeToLive: 0 }, [device("device-one")], undefined).parcels[0]?.packet.expires, 0);
});

t.test("API 17: pushAll without android.title sends no noti", async (t) => {
  t.match(splitForAll(note, 99), { parcels: [{ channel: "t:noti" }], counts: { target_android: 99 } });
  const untitled = { ...note, content: { android: { payload: {} } } };
  t.same(splitForAll(untitled, 99), { parcels: [], counts: {}, pushIds: [], uids: [] });
});
