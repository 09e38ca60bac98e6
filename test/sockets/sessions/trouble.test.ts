// A store that takes nothing for a while, with real sockets: clients are sent away to come again, and nothing else becomes of it.
import t from "tap";
import { PushError } from "../../../src/core/errors.ts";
import { deviceChannel } from "../../../src/core/packet.ts";
import { RawClient } from "../../support/clients.ts";
import { openTestEngine } from "../../support/engine.ts";
import { sockets } from "../../support/sockets.ts";

const ID = "device-in-trouble" as Parameters<typeof deviceChannel>[0];

t.test(
  "D10, holds 9: a hello that finds neither positions nor record stored closes its own connection alone",
  async (t) => {
    const engine = await openTestEngine(t);
    let isInTrouble = false;
    let refused = 0;
    const full = (): Promise<never> => {
      refused++;
      return Promise.reject(new PushError("unavailable", "the disk is full"));
    };
    const { devices, broker } = engine;
    const errors: string[] = [];
    const { port } = await sockets(
      t,
      {
        ...engine,
        devices: { ...devices, connect: (hello, now) => (isInTrouble ? full() : devices.connect(hello, now)) },
        broker: { ...broker, sent: (marks) => (isInTrouble ? full() : broker.sent(marks)) },
      },
      { log: { warn: () => {}, error: (_fields: object, message: string) => void errors.push(message) } },
    );
    const rejections: unknown[] = [];
    const rejected = (reason: unknown): void => void rejections.push(reason);
    process.on("unhandledRejection", rejected);
    t.teardown(() => process.off("unhandledRejection", rejected));

    const open = (): Promise<RawClient> => RawClient.open(port);
    const push = (id: string) =>
      broker.publish([
        { channel: deviceChannel(ID), packet: { event: "p", id, body: `"${id}"`, expires: Date.now() + 600_000 } },
      ]);
    const [device, other] = [await open(), await open()];
    await other.hello({ id: "device-beside-it" });
    await device.hello({ id: ID });
    isInTrouble = true;
    await push("first");
    await device.next('42["p","first"');
    await device.settle(); // by now the server has proof
    device.emit("pushId", { version: 1, platform: "android", id: ID });
    await device.closed;
    t.ok(refused >= 2, "both were refused");
    t.match(errors.join("\n"), /hello failed; the connection is closed so that the client tries again/);
    await other.settle();
    await new Promise(setImmediate);
    t.same(rejections, [], "no rejection that would end the process");

    isInTrouble = false;
    await push("second");
    const again = await open();
    again.emit("pushId", { version: 1, platform: "android", id: ID });
    t.match(await again.next('42["p"'), /^42\["p","second"/, "what was proven before is not repeated");
    for (const client of [again, other]) await client.close();
  },
);
