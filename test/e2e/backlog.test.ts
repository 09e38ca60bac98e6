// A backlog goes to a client as fast as its line takes it: whole, in one connection, and in little memory.
import { once } from "node:events";
import { connect } from "node:net";
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { fresh } from "../support/devices.ts";
import { Line } from "../support/line.ts";
import { OnPolling, Phone, REVISIONS, WAYS } from "../support/phone.ts";

const TTL = 600_000;
const LIMIT = 200_000;
const server = await startTestApp(t, { client: { maxBackpressure: LIMIT } });

/** The kernel's buffers take a few megabytes before a slow line is felt. */
const LARGE = 900_000;
const BYTES_PER_MS = 12_000;

const numbered = (n: number, size: number) => ({ n, text: "x".repeat(size) });
const keep = (target: object, n: number, size: number): Promise<unknown> =>
  server.ok("push", { ...target, json: numbered(n, size), timeToLive: TTL });
const upTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

for (const way of WAYS)
  t.test(
    `B2: ten large packets over a slow line come in one connection, ${way.transport}, revision ${way.revision}`,
    async (t) => {
      const id = fresh("device");
      const topic = fresh("topic");
      for (const n of upTo(10)) await keep({ pushId: id }, n, LARGE);
      for (const n of upTo(5)) await keep({ topic }, 10 + n, 100_000);
      const line = await Line.open(t, server.clientPort, BYTES_PER_MS);
      const phone = await Phone.open(line.port, way);
      t.teardown(() => phone.close());
      await phone.hello({ id, topics: [topic], lastPacketIds: { [topic]: "0" } });
      // What comes live meanwhile waits its turn.
      await keep({ pushId: id }, 15, 10);
      await keep({ topic }, 16, 10);
      await phone.has(15);
      await phone.has(16);
      t.notOk(phone.ended);
      const own = (n: number): boolean => n < 10 || n === 15;
      t.same(phone.got.filter(own), [...upTo(10), 15]);
      t.same(
        phone.got.filter((n) => !own(n)),
        [10, 11, 12, 13, 14, 16],
      );
    },
  );

t.test("B2: while a large packet is on its way, what else is sent waits beside it, in order", async (t) => {
  const id = fresh("device");
  const [joined, late] = [fresh("joined"), fresh("late")];
  await keep({ pushId: id }, 0, 8_000_000);
  const line = await Line.open(t, server.clientPort, BYTES_PER_MS);
  const phone = await Phone.open(line.port, WAYS[0]!);
  t.teardown(() => phone.close());
  phone.emit("subscribeTopic", { topic: joined });
  await phone.hello({ id });
  for (const n of upTo(10)) await server.ok("push", { topic: joined, json: 1 + n });
  phone.emit("subscribeTopic", { topic: late });
  phone.send("2");
  while ((await server.ok("topicOnline", { topic: late }))["count"] !== 1);
  await server.ok("push", { topic: late, json: 11 });
  t.equal((await server.ok("topicOnline", { topic: joined }))["count"], 1);
  await phone.has(11);
  t.same(phone.got, upTo(12));
  phone.emit("unsubscribeTopic", { topic: joined });
  await phone.hello({ id });
  await server.ok("push", { topic: joined, json: 12 });
  await server.ok("push", { topic: late, json: 13 });
  await phone.has(13);
  t.same(phone.got.slice(12), [13]);
});

t.test("B2: a client too slow for what comes live is closed, and has got on when it comes back", async (t) => {
  const id = fresh("device");
  for (const n of upTo(3)) await keep({ pushId: id }, n, 8_000_000);
  let position = "0";
  const got: number[] = [];
  for (let round = 0; got.length < 3 && round < 4; round++) {
    const line = await Line.open(t, server.clientPort, BYTES_PER_MS);
    const phone = await Phone.open(line.port, WAYS[0]!);
    await phone.hello({ id, lastUnicastId: position });
    await phone.has(got.length);
    got.push(...phone.got);
    // More than may be held, beside the next one.
    for (let i = 0; i < 4; i++) await server.ok("push", { pushId: id, json: numbered(100 + i, 80_000) });
    await phone.until(() => phone.ended || phone.got.includes(2));
    got.push(...phone.got.filter((n) => n < 100 && !got.includes(n)));
    position = phone.positions.get(id) ?? position;
    phone.close();
  }
  t.same(got, [0, 1, 2]);
});

for (const revision of REVISIONS)
  t.test(`B2: a kept push that is larger than the limit comes whole, revision ${revision}`, async (t) => {
    const id = fresh("device");
    const line = await Line.open(t, server.clientPort, BYTES_PER_MS);
    const phone = await Phone.open(line.port, { transport: "websocket", revision });
    t.teardown(() => phone.close());
    await phone.hello({ id });
    await keep({ pushId: id }, 0, 10_000_000);
    await phone.has(0);
    t.notOk(phone.ended, "not closed because of the ping behind it");
    t.same(phone.got, [0]);
  });

t.test("B2: a packet larger than the limit that comes while a backlog is on its way is held", async (t) => {
  const id = fresh("device");
  for (const n of upTo(2)) await keep({ pushId: id }, n, 8_000_000);
  const line = await Line.open(t, server.clientPort, BYTES_PER_MS);
  const phone = await Phone.open(line.port, WAYS[0]!);
  t.teardown(() => phone.close());
  await phone.hello({ id });
  await keep({ pushId: id }, 2, 2 * LIMIT);
  await phone.has(2);
  t.same(phone.got, upTo(3));
});

for (const probe of [true, false])
  t.test(
    `B2, B6: a backlog that waits for a poll moves to the websocket, ${probe ? "with" : "without"} a probe`,
    async (t) => {
      const [id, topic] = [fresh("device"), fresh("topic")];
      for (const n of upTo(2)) await keep({ pushId: id }, n, 10_000_000);
      const line = await Line.open(t, server.clientPort, BYTES_PER_MS);
      const phone = new OnPolling(line.port, 4);
      t.teardown(() => phone.close());
      await phone.connect();
      phone.emit("subscribeTopic", { topic });
      while ((await server.ok("topicOnline", { topic }))["count"] !== 1);
      phone.pause();
      await server.ok("push", { topic, json: 100 });
      await phone.has(100); // no poll is pending any more
      phone.emit("pushId", { version: 1, id });
      while ((await server.ok("device/get", { pushId: id }))["connected"] !== true);
      for (const n of [101, 102]) await server.ok("push", { topic, json: n });
      await phone.upgrade(probe);
      await phone.has(1);
      t.same(
        phone.got.filter((n) => n >= 100),
        [100, 101, 102],
      );
      t.same(
        phone.got.filter((n) => n < 100),
        [0, 1],
      );
    },
  );

t.test("A15: a client that asks for a large topic over and over takes no more memory than one backlog", async (t) => {
  const topic = fresh("topic");
  for (const n of upTo(10)) await keep({ topic }, n, 500_000);
  const socket = connect(server.clientPort, "127.0.0.1");
  t.teardown(() => socket.destroy());
  socket.write(
    "GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  await once(socket, "readable");
  const frame = (event: string, fields: object): Buffer => {
    const text = Buffer.from(`42${JSON.stringify([event, fields])}`);
    return Buffer.concat([Buffer.of(0x81, 0x80 | 126, text.length >> 8, text.length & 255, 0, 0, 0, 0), text]);
  };
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 200; i++) {
    socket.write(frame("subscribeTopic", { topic, lastPacketId: "0" }));
    socket.write(frame("unsubscribeTopic", { topic }));
  }
  socket.write(frame("subscribeTopic", { topic, lastPacketId: "0" })); // and it does not read
  while ((await server.ok("topicOnline", { topic }))["count"] !== 1);
  await keep({ topic: fresh("other") }, 0, 10); // whatever was read for it before this has been
  const grown = process.memoryUsage().rss - before;
  t.ok(grown < 150_000_000, `200 times 5 MB: ${Math.round(grown / 1e6)} MB`);
});
