import t from "tap";
import type { PushId, Uid } from "../../../src/core/device.ts";
import type { Packet } from "../../../src/core/packet.ts";
import { deviceChannel, topicChannel, uidChannel } from "../../../src/core/packet.ts";
import { encodeFrame } from "../../../src/sockets/sessions/frames.ts";

const packet = (event: Packet["event"], body: string, expires = 0): Packet => ({
  event,
  id: "AcqdY3AYxG8A",
  body,
  expires,
});
const me = deviceChannel("abcdefghij0123456" as PushId);

t.test("SIO 28: p without TTL has one argument; with TTL exactly three items, a number at the end", async (t) => {
  t.equal(encodeFrame(topicChannel("r"), packet("p", '{"m":1}'), 0), '42["p",{"m":1}]');
  t.equal(encodeFrame(uidChannel("1" as Uid), packet("p", "null"), 0), '42["p",null]');
  t.equal(
    encodeFrame(topicChannel('ro"om2'), packet("p", '[1,"x"]', 9), 0),
    '42["p",[1,"x"],["ro\\"om2","AcqdY3AYxG8A",0]]',
  );
  t.equal(encodeFrame(me, packet("p", '{"u":1}', 9), 0), '42["p",{"u":1},["abcdefghij0123456","AcqdY3AYxG8A",1]]');
});

t.test("SIO 29: noti has unicast and ttl only when they are 1, and always id, timestamp and android", async (t) => {
  const body = '{"android":{"title":"T"}}';
  t.equal(
    encodeFrame(topicChannel("noti"), packet("noti", body, 9), 77),
    '42["noti",{"id":"AcqdY3AYxG8A","timestamp":77,"android":{"title":"T"},"ttl":1,"topic":"noti"}]',
  );
  t.equal(
    encodeFrame(me, packet("noti", body), 77),
    '42["noti",{"id":"AcqdY3AYxG8A","timestamp":77,"android":{"title":"T"}}]',
  );
  t.equal(
    encodeFrame(me, packet("noti", body, 9), 77),
    '42["noti",{"id":"AcqdY3AYxG8A","timestamp":77,"android":{"title":"T"},"ttl":1,"topic":"abcdefghij0123456","unicast":1}]',
  );
});

t.test("the event of 2015 carries data, and its position only when kept", async (t) => {
  t.equal(encodeFrame(topicChannel("r"), packet("push", '{"data":"eyJ9"}'), 0), '42["push",{"data":"eyJ9"}]');
  t.equal(
    encodeFrame(me, packet("push", '{"data":"eyJ9"}', 9), 0),
    '42["push",{"data":"eyJ9","id":"AcqdY3AYxG8A","ttl":1,"topic":"abcdefghij0123456","unicast":1}]',
  );
});
