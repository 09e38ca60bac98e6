// The server is killed again and again while devices come and go: what was told last of each device, user and topic is what is.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import t from "tap";
import { TRAITS } from "../../src/vendors/index.ts";
import { choices } from "../support/choices.ts";
import { RawClient } from "../support/clients.ts";
import { freePort } from "../support/ports.ts";
import { kill, nodeArguments } from "../support/process.ts";
import { ofSqlite } from "../support/shared-store.ts";

const KILLS = Number(process.env["KILLS"] ?? 4);
const DEVICES = Number(process.env["DEVICES"] ?? 40);
const DELAY = 1000;
const GRACE = 2000;
/** Milliseconds. */
const PATIENCE = 60_000;
const child = fileURLToPath(new URL("./told-child.ts", import.meta.url));

t.test(
  `integration 3, SQLite: ${KILLS} kills under load, and the last word on everybody is right`,
  ofSqlite,
  async (t) => {
    const dataDir = join(t.testdir(), "data");
    const port = await freePort();
    const random = choices(Number(process.env["SEED"] ?? 1));

    async function start() {
      // The vendors themselves would take a third of its start.
      const own = [dataDir, port, DELAY, GRACE, JSON.stringify(TRAITS)].map(String);
      const args = [...nodeArguments, child, ...own];
      const server = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
      t.teardown(() => kill(server));
      server.stdin.on("error", () => {}); // it may have been killed
      let said = "";
      const printed = (word: string): Promise<void> =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (said.includes(word)) resolve();
          };
          server.stdout.on("data", look);
          server.on("exit", () => reject(new Error(`it ended before it was ${word}`)));
          look();
        });
      server.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
      await printed("listening");
      return {
        settled(): Promise<void> {
          server.stdin.write("now\n");
          return printed("settled");
        },
        kill: () => kill(server),
      };
    }

    /** A phone that does as it likes, server or not; at the end it is there or not. */
    async function phone(i: number) {
      const id = `phone-${i}-0123456789`;
      let client: RawClient | undefined;
      let topic = "";
      let uid = "";
      const gone = (): void => {
        client = undefined;
      };
      async function come(): Promise<void> {
        topic = `room:${random.upTo(4)}`;
        const opened = await RawClient.open(port);
        opened.closed.then(gone, gone);
        const cut = opened.closed.then(() => {
          throw new Error("closed");
        });
        cut.catch(() => {});
        const reply = await Promise.race([opened.hello({ id, topics: [topic] }), cut]);
        uid = typeof reply["uid"] === "string" ? reply["uid"] : "";
        client = opened;
      }
      async function bind(): Promise<void> {
        const wanted = `user${random.upTo(DEVICES / 3)}`;
        client?.emit("bindUid", { uid: wanted });
        uid = wanted;
      }
      return {
        id,
        /** One thing; a server that is not there is one too. */
        async act(): Promise<void> {
          try {
            if (client === undefined) await come();
            else if (random.chance(0.4)) await client.close();
            else await bind();
          } catch {
            client = undefined; // it was killed meanwhile
          }
        },
        /** Makes up its mind. */
        async end(): Promise<void> {
          if (random.chance(0.5)) await client?.close();
          else {
            await client?.close();
            await come();
          }
        },
        is: () => ({ connected: client !== undefined, topic, uid }),
      };
    }

    const phones = await Promise.all(Array.from({ length: DEVICES }, (_, i) => phone(i)));
    let over = false;
    t.teardown(() => {
      over = true;
    });
    let server = await start();
    const acting = phones.map(async ({ act }) => {
      while (!over) {
        await act();
        await pause(random.upTo(300));
      }
    });
    for (let kill = 0; kill < KILLS; kill++) {
      // Now and then it lives long enough to tell of those who did not come back.
      await pause(kill % 4 === 3 ? GRACE + 2 * DELAY : 200 + random.upTo(800));
      await server.kill();
      server = await start();
      t.comment(`kill ${kill + 1}`);
    }
    over = true;
    await Promise.all(acting);
    for (const { end } of phones) await end();
    await server.settled();

    const db = new Database(join(dataDir, "pushbox.db"), { readonly: true });
    t.teardown(() => void db.close());
    interface Row {
      readonly seq: number;
      readonly type: string;
      readonly key: string;
      readonly data: string;
    }
    const counts = new Map<string, number>();
    /** The last word on everybody, beside what is so. */
    const compare = (same: (said: unknown, is: unknown, what: string) => void): void => {
      counts.clear();
      const latest = new Map<string, Row>();
      for (const row of db.prepare<[], Row>("SELECT seq, type, key, data FROM events ORDER BY seq").all()) {
        const { pushId, reason } = JSON.parse(row.data) as Record<string, unknown>;
        const family = row.type.slice(0, row.type.indexOf("."));
        const member = /^topic\.(joined|left)$/.test(row.type) ? ` ${String(pushId)}` : "";
        latest.set(`${family} ${row.key}${member}`, row);
        const name = reason === undefined ? row.type : `${row.type} ${String(reason)}`;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      const said = (key: string): string | undefined => latest.get(key)?.type;
      const users = new Map<string, boolean>();
      const rooms = new Map<string, boolean>();
      const bound = db.prepare<[string], { uid: string | null }>("SELECT uid FROM devices WHERE push_id = ?");
      for (const { id, is } of phones) {
        const { connected, topic } = is();
        same(
          said(`device device:${id}`) === "device.online",
          connected,
          `${id} is ${connected ? "" : "not "}connected`,
        );
        const uid = bound.get(id)?.uid ?? null;
        const word = latest.get(`uid device:${id}`);
        const told = word?.type === "uid.bound" ? (JSON.parse(word.data) as { uid: string }).uid : null;
        same(told, uid, `the uid of ${id}`);
        if (uid !== null) users.set(uid, (users.get(uid) ?? false) || connected);
        for (let room = 0; room <= 4; room++) {
          const name = `room:${room}`;
          const there = connected && topic === name;
          rooms.set(name, (rooms.get(name) ?? false) || there);
          same(said(`topic topic:${name} ${id}`) === "topic.joined", there, `${id} in ${name}`);
        }
      }
      for (const [uid, online] of users) same(said(`user user:${uid}`) === "user.online", online, `${uid} is online`);
      for (const [room, occupied] of rooms)
        same(said(`topic topic:${room}`) === "topic.occupied", occupied, `somebody is in ${room}`);
    };
    const right = (): boolean => {
      let all = true;
      compare((said, is) => {
        all &&= said === is;
      });
      return all;
    };
    // By then it should be; the thread that writes it may wait longer for its turn.
    for (const late = performance.now() + PATIENCE; !right() && performance.now() < late; ) await pause(100);
    compare((said, is, what) => void t.equal(said, is, what));
    t.comment([...counts].map(([name, count]) => `${name}: ${count}`).join(", "));
    if (KILLS >= 4) t.ok((counts.get("device.offline server_restart") ?? 0) > 0, "some did not come back");
    await server.kill();
  },
);
