import t from "tap";
import type { PushId, Uid } from "../../src/core/device.ts";
import { channelKind, channelName, deviceChannel, missed, topicChannel, uidChannel } from "../../src/core/packet.ts";

const NOW = 1000;
const log = [
  { seq: 3, id: "a", event: "p", body: "1", expires: NOW - 1 },
  { seq: 5, id: "b", event: "p", body: "2", expires: NOW + 1 },
  { seq: 9, id: "c", event: "p", body: "3", expires: NOW },
  { seq: 12, id: "d", event: "p", body: "4", expires: NOW + 9 },
] as const;

t.test("SIO 30: what a returning client has missed, by its position", async (t) => {
  const ids = (position: Parameters<typeof missed>[1], sentSeq = 0) =>
    missed(log, position, sentSeq, NOW).map((packet) => packet.id);
  t.same(ids({ after: "b" }), ["d"], "found: only later ones, expired ones never");
  t.same(ids({ after: "a" }), ["b", "d"], "an expired packet still says where the client stands");
  t.same(ids({ after: "d" }), [], "up to date");
  t.same(ids({ after: "0" }), ["b", "d"], "not found: everything alive");
  t.same(ids("unsent"), ["b", "d"], "never sent anything");
  t.same(ids("unsent", 5), ["d"], "sent up to 5");
  t.same(ids("unsent", 12), []);
});

t.test("holds 8: topics, devices and users never share a channel, however they are spelled", async (t) => {
  const name = "0123456789";
  const channels = [topicChannel(name), deviceChannel(name as PushId), uidChannel(name as Uid)];
  t.equal(new Set(channels).size, 3);
  t.same(channels.map(channelKind), ["topic", "device", "uid"]);
  t.same(channels.map(channelName), [name, name, name]);
  t.equal(channelKind(topicChannel("u:1")), "topic");
});
