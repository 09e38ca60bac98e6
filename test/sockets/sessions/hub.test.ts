// Which sessions a packet reaches, whoever left before.
import t from "tap";
import type { PushId, Uid } from "../../../src/core/device.ts";
import { deviceChannel, uidChannel } from "../../../src/core/packet.ts";
import { Hub } from "../../../src/sockets/sessions/hub.ts";
import { Session } from "../../../src/sockets/sessions/session.ts";
import type { Connection, Gateway } from "../../../src/sockets/transport/types.ts";

const newHub = (): Hub => new Hub(() => ({ count: () => 0 }) as unknown as Gateway<Session>, 1000, Date.now);

let stamps = 0;

/** A session that notes the bodies it is sent. */
function sessionWith(got: string[], closed: string[] = []): Session {
  const connection = {
    inDoubt: false,
    stamp: () => ++stamps,
    send: (frame: string) => void got.push(frame),
    prove() {},
    close: (reason: string) => void closed.push(reason),
  };
  return new Session(connection as unknown as Connection<Session>);
}

const packet = (seq: number) =>
  ({ event: "p", id: `packet${seq}`, body: "1", expires: Date.now() + 60_000, seq }) as const;

t.test("whoever of a user's sessions leaves, in whatever order, all others are still reached", (t) => {
  const orders = [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [1, 3, 0, 2],
    [2, 0, 3, 1],
  ];
  for (const order of orders) {
    const hub = newHub();
    const sessions = order.map(() => sessionWith([]));
    for (const session of sessions) {
      hub.name(session, "device" as PushId, undefined);
      hub.bindSession(session, "user" as Uid);
    }
    for (const [gone, i] of order.entries()) {
      const left = order.length - gone - 1;
      hub.unbindSession(sessions[i]!);
      t.equal(hub.deliver(uidChannel("user" as Uid), packet(1)), left, `of the user, ${order}`);
      t.equal(hub.deliver(deviceChannel("device" as PushId), packet(1)), left + 1, `of the device, ${order}`);
      t.equal(hub.unname(sessions[i]!), left === 0, "only the last one was the last");
    }
  }
  t.end();
});

t.test("a session that leaves one user and comes to another gets that one's packets alone", (t) => {
  const hub = newHub();
  const got: string[] = [];
  const [moving, staying] = [sessionWith(got), sessionWith([])];
  for (const session of [staying, moving]) hub.bindSession(session, "a" as Uid);
  hub.bindSession(moving, "b" as Uid);
  t.equal(hub.deliver(uidChannel("a" as Uid), packet(1)), 1);
  t.same(got, []);
  t.equal(hub.deliver(uidChannel("b" as Uid), packet(2)), 1);
  t.equal(got.length, 1);
  t.end();
});

t.test("holds 9: a client that proves nothing for minutes is closed, so what is in doubt stays bounded", (t) => {
  const hub = newHub();
  const closed: string[] = [];
  const session = sessionWith([], closed);
  hub.name(session, "device" as PushId, undefined);
  let sent = 0;
  while (closed.length === 0 && sent < 2000) {
    hub.deliver(deviceChannel("device" as PushId), packet(++sent));
    if (sent % 8 === 0) hub.tick();
  }
  t.same(closed, ["ping timeout"]);
  t.ok(sent >= 1000, `only after ${sent} packets, asked about in two minutes`);

  const patient = sessionWith([], closed);
  hub.name(patient, "other" as PushId, undefined);
  for (let seq = 1; seq <= 2000; seq++) {
    hub.deliver(deviceChannel("other" as PushId), packet(seq));
    if (seq % 8 !== 0) continue;
    hub.proofs.proven(patient, ++stamps);
    hub.tick();
  }
  t.equal(closed.length, 1, "one that answers stays");
  t.end();
});
