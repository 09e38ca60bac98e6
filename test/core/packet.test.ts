import t from "tap";
import type { PushId, Uid } from "../../src/core/device.ts";
import { channelKind, channelName, deviceChannel, topicChannel, uidChannel } from "../../src/core/packet.ts";
import { pageOf, sizeOf } from "../../src/core/page.ts";

const NOW = 1000;
const log = [
  { seq: 3, id: "a", event: "p", body: "1", expires: NOW - 1 },
  { seq: 5, id: "b", event: "p", body: "2", expires: NOW + 1 },
  { seq: 9, id: "c", event: "p", body: "3", expires: NOW },
  { seq: 12, id: "d", event: "p", body: "4", expires: NOW + 9 },
] as const;

t.test(
  "SIO 30: a page holds what is alive and newer than what the client has, and never nothing for want of room",
  (t) => {
    const ids = (after: number, size = 1000) => pageOf(log, after, size, NOW, "e").packets.map((packet) => packet.id);
    t.same(ids(0), ["b", "d"], "expired ones never");
    t.same(ids(3), ["b", "d"]);
    t.same(ids(5), ["d"]);
    t.same(ids(12), []);
    t.same(ids(0, 1), ["b"], "one at least");
    t.same(pageOf(log, 0, 2 * sizeOf(log[1]) - 1, NOW, "e"), { packets: [log[1]], next: 5, epoch: "e" });
    t.same(
      pageOf(log, 0, 2 * sizeOf(log[1]), NOW, "e"),
      { packets: [log[1], log[3]], epoch: "e" },
      "what fits exactly, and no more to come",
    );
    t.end();
  },
);

t.test("holds 8: topics, devices and users never share a channel, however they are spelled", async (t) => {
  const name = "0123456789";
  const channels = [topicChannel(name), deviceChannel(name as PushId), uidChannel(name as Uid)];
  t.equal(new Set(channels).size, 3);
  t.same(channels.map(channelKind), ["topic", "device", "uid"]);
  t.same(channels.map(channelName), [name, name, name]);
  t.equal(channelKind(topicChannel("u:1")), "topic");
});
