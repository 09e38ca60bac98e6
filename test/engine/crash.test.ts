// A process is killed in the middle of its work, again and again: nothing that it had answered may be missing afterwards.
//   KILLS=50 npm test -- test/engine/crash.test.ts
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import t from "tap";
import type { PushId } from "../../src/core/device.ts";
import { deviceChannel } from "../../src/core/packet.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { missed } from "../support/engine.ts";
import { nodeArguments } from "../support/process.ts";
import { unbalanced } from "./balance.ts";

const KILLS = Number(process.env["KILLS"] ?? 15);
const child = fileURLToPath(new URL("./crash-child.ts", import.meta.url));

t.test(`what was answered survives ${KILLS} kills, without any repair (holds 1)`, async (t) => {
  const dir = t.testdir();
  const dataDir = join(dir, "data");
  const answers = join(dir, "answers");
  for (let run = 0; run < KILLS; run++) {
    const argv = [...nodeArguments, child, dataDir, answers, String(run), JSON.stringify(TRAITS)];
    const victim = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(victim, "exit");
    await Promise.race([once(victim.stdout, "data"), ended]);
    setTimeout(() => victim.kill("SIGKILL"), 20 + ((run * 37) % 150)); // a different moment each time
    const [, signal] = (await ended) as [number | null, string | null];
    if (signal !== "SIGKILL") return t.fail(`run ${run} ended by itself`);
  }
  const said = readFileSync(answers, "utf8");
  const answered = said.slice(0, said.lastIndexOf("\n")).split("\n");
  t.comment(`${answered.length} answers`);
  t.ok(answered.length >= KILLS, "each run had work to lose");

  const engine = await openLocalEngine({
    dataDir,
    synchronous: "FULL",
    keep: { default: 10, prefixes: [] },
    arrivalDays: 30,
    vendors: TRAITS,
    onFatal: (error) => t.error(error),
  });
  const now = Date.now();
  const { work } = await engine.outbox.unexpanded(1_000_000, now);
  const notifications = new Set(work.map(({ notification }) => notification.id));
  const missing = await Promise.all(
    answered.map(async (line) => {
      const [kind, name = "", id = ""] = line.split(" ");
      const pushId = name as PushId;
      const device = async () => (await engine.devices.get([pushId], now))[0];
      switch (kind) {
        case "packet":
          return (await missed(engine, deviceChannel(pushId), "unsent", now))[0]?.id === id ? "" : line;
        case "bind":
          return (await device())?.uid === id ? "" : line;
        case "device":
          return (await device())?.token === id ? "" : line;
        case "notification":
          return notifications.has(id) ? "" : line;
        case "settled": {
          const told = (await engine.outbox.deliveries(id, undefined, 10))?.deliveries ?? [];
          return told.length === 1 && told[0]?.receipt === `receipt-${id}` ? "" : line;
        }
        default:
          return `a line that means nothing: ${line}`;
      }
    }),
  );
  t.same(
    missing.filter((line) => line !== ""),
    [],
  );
  await engine.close();
  const db = new Database(join(dataDir, "pushbox.db"), { readonly: true });
  t.equal(db.pragma("integrity_check", { simple: true }), "ok");
  t.same(unbalanced(db), []);
  db.close();
});
