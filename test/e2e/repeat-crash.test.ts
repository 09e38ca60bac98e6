// The server process is killed while callers push with idempotency keys. They repeat what was not answered, as callers do, and
// in the end each device has each push once.
import { join } from "node:path";
import Database from "better-sqlite3";
import t from "tap";
import { RawClient } from "../support/clients.ts";
import { argument } from "../support/devices.ts";
import { type Server, serve } from "../support/process.ts";
import { ofSqlite } from "../support/shared-store.ts";

const KILLS = 4;
const CALLERS = 40;
/** Answers until a run is killed. */
const ANSWERS = 400;
/** Every so many calls one is for a list that takes several commits. */
const LIST_EVERY = 90;
const LIST = 2500;

interface Call {
  readonly key: string;
  readonly pushIds: readonly string[];
}

const makeCall = (n: number): Call => ({
  key: `order-${n}`,
  pushIds: Array.from({ length: n % LIST_EVERY === 0 ? LIST : 1 }, (_, i) => `device-${n}-${i}-0123456789`),
});

const post = ({ key, pushIds }: Call, server: Server) =>
  server.call("push", {
    pushId: JSON.stringify(pushIds),
    json: JSON.stringify({ order: key }),
    timeToLive: "3600000",
    idempotencyKey: key,
  });

t.test(`holds 1, SQLite: ${KILLS} kills among pushes with a key; repeated, each is kept once`, ofSqlite, async (t) => {
  const directory = t.testdir({});
  const file = join(directory, "pushbox-data", "pushbox.db");
  const answered: Call[] = [];
  let unanswered: Call[] = [];
  let repeated: Call[] = [];
  let made = 0;
  let turn = 0;

  /** Answered calls are repeated too, now and then: their callers may ask again for a day. */
  async function caller(server: Server, until: number): Promise<void> {
    while (answered.length < until) {
      const again = turn++ % 7 === 6 ? answered[turn % answered.length] : undefined;
      const call = unanswered.pop() ?? again ?? makeCall(++made);
      try {
        const { status, text } = await post(call, server);
        if (status !== 200) throw new Error(text);
        answered.push(call);
        if (answered.length === until) server.child.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // what fetch throws when the connection is gone
        repeated.push(call);
        return;
      }
    }
  }

  let cut = 0;
  // A kill that took no answer shows nothing: then there is one more.
  for (let run = 1; run <= KILLS || (cut === 0 && run <= 5 * KILLS); run++) {
    const server = await serve(t, directory);
    await Promise.all(Array.from({ length: CALLERS }, () => caller(server, run * ANSWERS)));
    await server.ended;
    const db = new Database(file);
    const kept = db.prepare<[string], number>("SELECT count(*) FROM packets WHERE channel = ?").pluck<number>();
    cut += repeated.filter(({ pushIds }) => kept.get(`d:${pushIds[0]}`) === 1).length;
    db.close();
    unanswered.push(...repeated);
    repeated = [];
  }
  t.comment(`${made} calls, of ${answered.length} answers; ${cut} were stored when a kill took their answer`);
  t.ok(cut > 0, "a kill took the answer of a call that was stored");

  const server = await serve(t, directory);
  const open = unanswered;
  unanswered = [];
  for (const call of open) t.match(await post(call, server), { status: 200 });
  const [some] = open;
  const client = await RawClient.open(Number(new URL(server.clientUrl).port));
  await client.hello({ id: some!.pushIds[0]! });
  t.same(
    (await client.settle()).filter((frame) => frame.startsWith('42["p"')).map(argument),
    [{ order: some!.key }],
    "and the device gets it once",
  );
  await client.close();
  t.equal((await server.stop()).code, 0);

  const db = new Database(file, { readonly: true });
  const counts = new Map(
    db
      .prepare<[], { channel: string; count: number }>(
        "SELECT channel, count(*) AS count FROM packets GROUP BY channel",
      )
      .all()
      .map(({ channel, count }) => [channel, count]),
  );
  db.close();
  const wrong: string[] = [];
  for (let n = 1; n <= made; n++)
    for (const pushId of makeCall(n).pushIds) {
      const count = counts.get(`d:${pushId}`) ?? 0;
      if (count !== 1) wrong.push(`${pushId}: ${count} times`);
    }
  t.same(wrong.slice(0, 5), [], `${wrong.length} of ${counts.size} devices`);
});
