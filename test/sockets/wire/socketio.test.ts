import t from "tap";
import {
  decode,
  encodeAck,
  encodeBinaryEvent,
  encodeConnect,
  encodeConnectError,
  encodeEvent,
  putBack,
} from "../../../src/sockets/wire/socketio.ts";

t.test("events are spliced from JSON text", async (t) => {
  t.equal(encodeEvent("p", '{"m":1}'), '42["p",{"m":1}]');
  t.equal(encodeEvent("p", "[1]", '["room2","hnDztbJWD9XV",0]'), '42["p",[1],["room2","hnDztbJWD9XV",0]]');
  t.equal(encodeEvent('a"b', "1"), '42["a\\"b",1]');
});

t.test("connect, refusal, ack and binary packets are written as clients read them", async (t) => {
  t.equal(encodeConnect("/", undefined), "40");
  t.equal(encodeConnect("/chat", undefined), "40/chat,");
  t.equal(encodeConnect("/", "S"), '40{"sid":"S"}');
  t.equal(encodeConnect("/chat", "S"), '40/chat,{"sid":"S"}');
  t.equal(encodeConnectError(3, "/nope", "Invalid namespace"), '44/nope,"Invalid namespace"');
  t.equal(encodeConnectError(4, "/nope", "Invalid namespace"), '44/nope,{"message":"Invalid namespace"}');
  t.same(encodeAck("/", "10", ["x"]), { packet: '4310["x"]', attachments: [] });
  t.same(encodeAck("/custom", "7", [Buffer.of(1)]), {
    packet: '461-/custom,7[{"_placeholder":true,"num":0}]',
    attachments: [Buffer.of(1)],
  });
  t.same(encodeBinaryEvent("/", "e", [{ a: Buffer.of(1) }, [Buffer.of(2)], null]), {
    packet: '452-["e",{"a":{"_placeholder":true,"num":0}},[{"_placeholder":true,"num":1}],null]',
    attachments: [Buffer.of(1), Buffer.of(2)],
  });
});

t.test("what clients send is understood", async (t) => {
  const table: [string, object][] = [
    ["0", { type: 0, namespace: "/", payload: undefined, json: "" }],
    ['0{"token":1}', { type: 0, namespace: "/", json: '{"token":1}' }],
    ["0/chat", { type: 0, namespace: "/chat", json: "" }],
    ["0/chat,", { type: 0, namespace: "/chat", json: "" }],
    ["0/chat?x=1", { type: 0, namespace: "/chat" }],
    ["0/?x=1", { type: 0, namespace: "/" }],
    ['0/chat,{"a":",/1["}', { type: 0, namespace: "/chat", payload: { a: ",/1[" } }],
    ["1", { type: 1, namespace: "/" }],
    ["1/chat,", { type: 1, namespace: "/chat" }],
    ['2["pushId",{"id":"x"}]', { type: 2, ackId: undefined, payload: ["pushId", { id: "x" }] }],
    ['210["echo","x"]', { type: 2, ackId: "10", payload: ["echo", "x"] }],
    ['2/chat,["hi",1]', { type: 2, namespace: "/chat", payload: ["hi", 1] }],
    ['2/chat,12["hi"]', { type: 2, namespace: "/chat", ackId: "12" }],
    ['310["x"]', { type: 3, ackId: "10", payload: ["x"] }],
    ["4", { type: 4, payload: undefined }],
    ['51-["e",{"_placeholder":true,"num":0}]', { type: 5, attachments: 1 }],
    ['50-["e"]', { type: 5, attachments: 0 }],
    ['510-["e"]', { type: 5, attachments: 10 }],
    ['61-7["x"]', { type: 6, attachments: 1, ackId: "7" }],
  ];
  for (const [text, packet] of table) t.match(decode(text), packet, text);
});

t.test("SIO 21: anything else is no packet", async (t) => {
  const bad = [
    "",
    "7",
    "hello",
    "abc",
    "2",
    "2{}",
    '2"x"',
    "2[]",
    "2[1]",
    '2[["x"]]',
    "2[null]",
    '2["x',
    '2["x"]]',
    '2abc["x"]',
    '2-1["x"]',
    '2 ["x"]]',
    "0null",
    '0"x"',
    "01",
    '1["x"]',
    "3{}",
    '5["e"]',
    '5-["e"]',
    '51["e"]',
    '511-["e"]',
    '599999999999999999999-["e"]',
    '5-1-["e"]',
    '51.5-["e"]',
    `2${"9".repeat(16)}["x"]`,
    `2${"9".repeat(1_000_000)}["x"]`,
    `0/${"n".repeat(300)}`,
    "0/é",
    "0/a b",
    "0/a\nb",
    `2["x",${"[".repeat(100_000)}${"]".repeat(100_000)}]`,
    `2["x",${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}]`,
  ];
  for (const text of bad) t.equal(decode(text), undefined, text.slice(0, 40));
});

t.test("attachments go where their placeholders are, or the packet is refused", async (t) => {
  const one = Buffer.of(1);
  const two = Buffer.of(2);
  const place = (num: unknown) => ({ _placeholder: true, num });
  const args = ["e", place(1), { deep: [{ at: place(0) }], text: "x" }, null];
  t.ok(putBack(args, [one, two]));
  t.same(args, ["e", two, { deep: [{ at: one }], text: "x" }, null]);
  for (const num of [5, -1, 0.5, Infinity, "0", "length", "__proto__", null, undefined, [0], {}]) {
    t.notOk(putBack(["e", place(num)], [one]), String(num));
  }
  t.notOk(putBack(["e", place(0)], []), "none came");
  const own = JSON.parse('{"__proto__":{"_placeholder":true,"num":0}}') as object;
  t.ok(putBack(["e", own], [one]));
  t.equal(Object.getPrototypeOf(own), Object.prototype);
  t.same(Object.getOwnPropertyDescriptor(own, "__proto__")?.value, one);
});

t.test("A7: a packet of more values than any client sends is none, however they are nested", async (t) => {
  const wide = (count: number) => `2["e",[${Array(count).fill("{}").join()}]]`;
  t.ok(decode(wide(9000)));
  t.equal(decode(wide(20_000)), undefined);
  t.equal(decode(`2["e",{${Array.from({ length: 20_000 }, (_, i) => `"${i}":1`).join()}}]`), undefined);
  t.ok(decode(`2["e","${"[,{".repeat(30_000)}\\"[["]`), "what stands in a text does not count");
  t.ok(decode(`2["e",${"[".repeat(990)}${"]".repeat(990)}]`));
  t.equal(decode(`2["e",${"[".repeat(1000)}${"]".repeat(1000)}]`), undefined);
});
