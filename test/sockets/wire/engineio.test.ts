import { createRequire } from "node:module";
import t from "tap";
import {
  decodeBinaryPayload3,
  decodeForm3,
  decodePayload3,
  decodePayload4,
  type EnginePacket,
  encodeBinaryPayload3,
  encodePayload3,
  encodePayload4,
  isPacket,
  jsonp,
  MAX_PACKETS,
  openPacket,
} from "../../../src/sockets/wire/engineio.ts";

const bytes = (latin1: string) => Buffer.from(latin1, "latin1");
const abc = Buffer.of(1, 2, 3);
const event = '42["echo","é你😀"]';

t.test("EIO 1, 2: the open packet has its five fields, numbers as numbers", async (t) => {
  t.equal(
    openPacket({ sid: "S", upgrades: ["websocket"], pingInterval: 90000, pingTimeout: 25000, maxPayload: 1000000 }),
    '0{"sid":"S","upgrades":["websocket"],"pingInterval":90000,"pingTimeout":25000,"maxPayload":1000000}',
  );
});

t.test("EIO 14: revision 3 payloads are written in pure ASCII", async (t) => {
  const table: [EnginePacket[], string][] = [
    [["40"], "2:40"],
    [["1", "6"], "1:11:6"],
    [["451-[{}]", abc], "8:451-[{}]6:b4AQID"],
    [[event], '37:42["echo","\\u00e9\\u4f60\\ud83d\\ude00"]'],
    [[Buffer.alloc(0)], "2:b4"],
  ];
  for (const [packets, payload] of table) t.equal(encodePayload3(packets), payload);
});

t.test("B8: every revision 3 client's own decoder, of Node and of browsers, reads the binary form", async (t) => {
  const packets = ["40", event, abc, '42["p",1]'];
  const payload = encodeBinaryPayload3(packets);
  t.equal(encodeBinaryPayload3(["40"]).toString("latin1"), "\x00\x02\xff40");
  t.equal(encodeBinaryPayload3([abc]).toString("latin1"), "\x01\x04\xff\x04\x01\x02\x03");
  t.same(decodeBinaryPayload3(payload), packets);
  for (const client of ["socket.io-client1", "socket.io-client2"]) {
    const engine = createRequire(createRequire(import.meta.url).resolve(client)).resolve("engine.io-client");
    for (const build of ["engine.io-parser", "engine.io-parser/lib/browser.js"]) {
      const { decodePayload } = createRequire(engine)(build) as {
        decodePayload(data: unknown, type: string, each: (packet: { type: string; data: unknown }) => void): void;
      };
      const browser = build.endsWith("browser.js");
      const data = browser ? new Uint8Array(payload).buffer : payload;
      const read: unknown[] = [];
      decodePayload(data, browser ? "arraybuffer" : "nodebuffer", (packet) => read.push(packet));
      const [connect, text, bytes, last] = read as { type: string; data: string }[];
      t.same(
        [connect, text, last],
        [
          { type: "message", data: "0" },
          { type: "message", data: event.slice(1) },
          { type: "message", data: '2["p",1]' },
        ],
      );
      t.same(Buffer.from(bytes!.data), abc, `${client} ${build}`);
    }
  }
});

t.test("revision 3 text payloads, both ways of counting", async (t) => {
  const table: [Buffer, EnginePacket[] | undefined][] = [
    [bytes("2:40"), ["40"]],
    [bytes("6:4test16:4test26:4test3"), ["4test1", "4test2", "4test3"]],
    [
      bytes('42:451-["echo",{"_placeholder":true,"num":0}]6:b4AQID'),
      ['451-["echo",{"_placeholder":true,"num":0}]', abc],
    ],
    [bytes("0:"), []],
    [bytes("1:1"), ["1"]],
    // A 2.x client: plain, counted in UTF-16 units.
    [Buffer.from(`17:${event}`), [event]],
    // A 1.x client: each UTF-8 byte as one character, and UTF-8 again.
    [Buffer.from(`22:${Buffer.from(event).toString("latin1")}`), [event]],
    [bytes('22:42["echo","\xc3\x83\xc2\xa9\xc3\xa4\xc2\xbd\xc2\xa0\xc3\xb0\xc2\x9f\xc2\x98\xc2\x80"]'), [event]],
    [Buffer.from("2:4é"), ["4é"]], // alone no UTF-8: taken as it is
    [bytes(""), undefined],
    [bytes("abc"), undefined],
    [bytes("5:4"), undefined],
    [bytes("1:42:4"), undefined],
    [bytes("-1:4"), undefined],
    [bytes("1e1:4"), undefined],
    [bytes(" 1:4"), undefined],
    [bytes(":4"), undefined],
    [bytes("2:409"), undefined],
    [bytes("0:0:"), undefined],
    [bytes("1:9"), undefined],
    [bytes("5:b4A?="), undefined],
    [bytes("6:b0AQID"), undefined],
    [bytes("2:4\xff"), undefined],
    [bytes(`${"9".repeat(400_000)}:4`), undefined],
  ];
  for (const [body, packets] of table) t.same(decodePayload3(body), packets, body.toString("latin1").slice(0, 40));
});

t.test("EIO 13: revision 3 binary payloads", async (t) => {
  const table: [string, EnginePacket[] | undefined][] = [
    ["\x00\x02\xff40", ["40"]],
    [
      '\x00\x04\x02\xff451-["echo",{"_placeholder":true,"num":0}]\x01\x04\xff\x04\x01\x02\x03\x00\x01\x07\xff42["echo","\xc3\xa9",1]',
      ['451-["echo",{"_placeholder":true,"num":0}]', abc, '42["echo","é",1]'],
    ],
    ["", undefined],
    ["\x00\x02\xff4", undefined],
    ["\x00\x02", undefined],
    ["\x00\xff4", undefined],
    ["\x02\x01\xff4", undefined],
    ["\x01\x01\xff\x03", undefined],
    ["\x00\x0a\xff40", undefined],
    ["\x00\x01\xff9", undefined],
    ["\x00\x01\xff\xff", undefined],
    [`\x00${"\x09".repeat(100_000)}\xff4`, undefined],
  ];
  for (const [body, packets] of table)
    t.same(decodeBinaryPayload3(bytes(body)), packets, JSON.stringify(body.slice(0, 40)));
});

t.test("EIO 15: JSONP forms and answers", async (t) => {
  const form = (payload: string) => Buffer.from(`d=${encodeURIComponent(payload)}`);
  t.same(decodeForm3(form("6:4hello")), ["4hello"]);
  t.same(decodeForm3(form("4:4a\\nb")), ["4a\nb"], "a newline travels as backslash and n");
  t.same(decodeForm3(form("5:4a\\\\nb")), ["4a\\nb"], "and backslash and n with another backslash");
  t.same(decodeForm3(Buffer.from("d=6%3A4a%20b+c")), ["4a b c"]);
  t.same(decodeForm3(form(`17:${event}`)), [event]);
  t.equal(decodeForm3(Buffer.from("e=1")), undefined);
  t.equal(decodeForm3(Buffer.from("")), undefined);
  t.equal(decodeForm3(Buffer.from("d=%zz%ff")), undefined);
  t.equal(jsonp("7", '4:4"\\n'), '___eio[7]("4:4\\"\\\\n");');
});

t.test("payloads of revision 4 are written and read alike, and garbage is none", async (t) => {
  const both: [EnginePacket[], string][] = [
    [["4hello"], "4hello"],
    [["4test1", "4test2"], "4test1\x1e4test2"],
    [['42["echo","é"]', abc, '421["a"]'], '42["echo","é"]\x1ebAQID\x1e421["a"]'],
    [["2"], "2"],
  ];
  for (const [packets, payload] of both) {
    t.equal(encodePayload4(packets), payload);
    t.same(decodePayload4(Buffer.from(payload)), packets);
  }
  for (const garbage of ["", "abc", "4a\x1e", "\x1e4a", "7", "b*", "4\xff", "b4AQID="]) {
    t.equal(decodePayload4(bytes(garbage)) === undefined, garbage !== "b4AQID=", JSON.stringify(garbage));
  }
});

t.test("a packet begins with one of seven digits", async (t) => {
  for (const text of ["0", "6", "42"]) t.ok(isPacket(text));
  for (const text of ["", "7", "a", " 4", "/", "٤"]) t.notOk(isPacket(text));
});

t.test("A7: a payload of more packets than any client sends is none", async (t) => {
  const payload3 = (count: number) => Buffer.from("1:4".repeat(count));
  const forms: readonly (readonly [(body: Buffer) => unknown, (count: number) => Buffer])[] = [
    [decodePayload4, (count) => Buffer.from(Array(count).fill("4").join("\x1e"))],
    [decodePayload3, payload3],
    [decodeForm3, (count) => Buffer.concat([Buffer.from("a=1&d="), payload3(count)])],
    [decodeBinaryPayload3, (count) => Buffer.concat(Array(count).fill(Buffer.of(0, 1, 255, 0x34)))],
  ];
  for (const [decode, make] of forms) {
    t.equal((decode(make(MAX_PACKETS)) as unknown[]).length, MAX_PACKETS);
    t.equal(decode(make(MAX_PACKETS + 1)), undefined);
  }
  t.equal(decodePayload4(Buffer.from("\x1e".repeat(1_000_000))), undefined, "separators alone");
});
