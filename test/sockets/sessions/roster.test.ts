// Who is found by device and by user while others come and go, and what is held for a session that is joining.
import t from "tap";
import type { PushId, Uid } from "../../../src/core/device.ts";
import { Pace } from "../../../src/core/pace.ts";
import { topicChannel } from "../../../src/core/packet.ts";
import { HeldPackets } from "../../../src/sockets/sessions/held-packets.ts";
import { Roster } from "../../../src/sockets/sessions/roster.ts";
import { Session } from "../../../src/sockets/sessions/session.ts";
import type { Connection } from "../../../src/sockets/transport/types.ts";

const session = (closed: string[] = []): Session =>
  new Session({ close: (reason: string) => void closed.push(reason) } as unknown as Connection<Session>);

const ALICE = "alice" as Uid;

/** One that is over after each step. */
class Short extends Pace {
  readonly #between: () => void;

  constructor(between: () => void) {
    super();
    this.#between = between;
  }

  override over(): boolean {
    return true;
  }

  override turn(): Promise<void> {
    this.#between();
    return Promise.resolve();
  }
}

t.test("sessions are counted by the platform that each came with, until it leaves", (t) => {
  const roster = new Roster();
  const [phone, tablet, browser] = [session(), session(), session()];
  roster.name(phone, "a" as PushId, "ios");
  roster.name(tablet, "b" as PushId, "ios");
  roster.name(browser, "c" as PushId, undefined);
  t.equal(roster.size, 3);
  t.same([...roster.byPlatform], [["ios", 2]]);
  roster.unname(phone);
  roster.unname(phone);
  t.equal(roster.size, 2, "one that leaves twice is counted once");
  t.same([...roster.byPlatform], [["ios", 1]]);
  roster.unname(tablet);
  t.same([...roster.byPlatform], []);
  t.same([...roster.devices()], ["c"]);
  t.end();
});

t.test("all sessions of a user that stay are visited, whoever leaves between two of them", async (t) => {
  const roster = new Roster();
  const sessions = Array.from({ length: 6 }, () => session());
  for (const [i, one] of sessions.entries()) {
    roster.name(one, `device${i}` as PushId, undefined);
    roster.bind(one, ALICE);
  }
  const leaving = [5, 3, 0];
  const visited = new Set<Session>();
  const pace = new Short(() => {
    const next = leaving.shift();
    if (next !== undefined) roster.unname(sessions[next]!);
  });
  await roster.visit({ uids: [ALICE] }, pace, (one) => void visited.add(one));
  for (const i of [1, 2, 4]) t.ok(visited.has(sessions[i]!), `the session ${i}`);
  t.same(new Set(roster.ofUser(ALICE)), new Set([1, 2, 4].map((i) => sessions[i])));
});

t.test("what is held for a session is its own, and with too much it is closed as slow", (t) => {
  const topic = topicChannel("news");
  const held = new HeldPackets(1);
  const closed: string[] = [];
  const [slow, other] = [session(closed), session(closed)];
  held.hold(slow, topic, "newest");
  held.hold(other, topic, "newest");
  t.equal(held.of(topic)?.size, 2);
  const packet = { event: "p", id: "one", body: '"0123456789"', expires: 0 } as const;
  held.add(slow, topic, packet);
  t.same(closed, [], "a single packet may be larger than the limit");
  held.add(slow, topic, packet);
  t.same(closed, ["slow"]);
  t.equal(other.joins?.heldSize, 0);
  held.release(slow, topic);
  t.equal(slow.joins?.heldSize, 0, "nothing is counted for what was let go");
  held.release(other, topic);
  t.equal(held.of(topic), undefined, "nobody is joining any more");
  t.end();
});
