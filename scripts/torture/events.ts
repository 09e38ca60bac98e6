// The torture of events: phones come, go, bind and change rooms while the server is killed; a backend that fails now and then is told.
// In the end its last word on everybody is compared with what is, and every event of the log with what it took.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { stringify } from "smol-toml";
import { type Backend, startBackend } from "./backend.ts";
import { Phone, ROOM } from "./phones.ts";
import { dice } from "./plan.ts";
import { Server } from "./server.ts";
import { compare, countedTypes, lastWords, quiet, readLog } from "./words.ts";

export interface EventsOptions {
  /** An empty directory for the configuration and the data. */
  readonly directory: string;
  readonly kills: number;
  readonly devices: number;
  readonly seed: number;
  /** They change rooms, and some do not return after the last kill: what a kill hid is told half a minute later. */
  readonly absent: boolean;
  /** Milliseconds for the end, until all is told. */
  readonly limit: number;
  readonly tell: (line: string) => void;
}

export interface EventsResult {
  readonly kills: number;
  /** In the log, taken by the backend, and those of them that it had already. */
  readonly logged: number;
  readonly taken: number;
  readonly repeated: number;
  /** Requests, and those that the backend failed. */
  readonly requests: number;
  readonly failed: number;
  /** Calls that were answered, and those repeated because of a kill. */
  readonly calls: number;
  readonly callsRepeated: number;
  readonly types: ReadonlyMap<string, number>;
  readonly seconds: number;
  readonly problems: readonly string[];
  readonly serverErrors: readonly string[];
}

const DELAY = 300;
/** What is not back after a start is told of after so many milliseconds more than the disconnect delay, and a look each second. */
const RETURN = 33_000;

export async function tortureEvents(options: EventsOptions): Promise<EventsResult> {
  const { directory, kills, seed, tell } = options;
  const begun = Date.now();
  const random = dice(seed);
  const backend = await startBackend(dice(seed + 1));
  const server = new Server(config(directory, backend), join(directory, "data"));
  const failure = server.crashed.then((error) => Promise.reject(error));
  failure.catch(() => undefined); // it is felt in the races below
  const end = (): void => server.end();
  process.once("exit", end);
  const life = { moving: options.absent, isOver: false, calls: 0, repeated: 0, jobs: [] as string[] };
  const phones = Array.from({ length: options.devices }, (_, i) => new Phone(i, server, life, dice(seed + 2 + i)));
  try {
    server.start();
    await Promise.race([failure, server.url()]);
    const lived = Promise.all(phones.map((phone) => phone.live()));
    lived.catch(() => undefined);
    for (let kill = 1; kill <= kills; kill++) {
      await Promise.race([failure, server.url()]);
      await Promise.race([failure, lived, pause(100 + 700 * random())]);
      await server.kill();
      if (kill % 10 === 0) tell(`${kill} kills, ${backend.taken.length} events taken`);
    }
    await Promise.race([failure, server.url()]);
    // On a busy machine little happens between two kills.
    const late = Date.now() + options.limit;
    const isTold = (wanted: string): boolean => backend.taken.some(({ type }) => type === wanted);
    while (!(isTold("client.packet") && isTold("device.online")) && Date.now() < late)
      await Promise.race([failure, lived, pause(50)]);
    life.isOver = true;
    await Promise.race([failure, lived]);
    backend.behave();
    const back = server.kills.at(-1)?.back ?? 0;
    for (const phone of phones) await Promise.race([failure, phone.end(options.absent)]);
    if (options.absent) await pause(Math.max(0, back + RETURN + DELAY - Date.now()));
    await Promise.race([failure, quiet(server, options.limit)]);
    const problems = [...backend.problems];
    const log = await readLog(server);
    problems.push(...compare(log, backend.taken, life.jobs));
    problems.push(...(await lastWords(server, phones, backend.taken)));
    const code = await server.stop();
    if (code !== 0) problems.push(`the server ended with ${code} after SIGTERM`);
    const ids = new Set(backend.taken.map(({ id }) => id));
    return {
      kills: server.kills.length,
      logged: log.length,
      taken: backend.taken.length,
      repeated: backend.taken.length - ids.size,
      requests: backend.requests,
      failed: backend.failed,
      calls: life.calls,
      callsRepeated: life.repeated,
      types: countedTypes(log),
      seconds: Math.round((Date.now() - begun) / 1000),
      problems,
      serverErrors: server.errors,
    };
  } finally {
    life.isOver = true;
    end();
    process.off("exit", end);
    for (const phone of phones) phone.cut();
    await backend.close();
  }
}

function config(directory: string, { url, secret }: Backend): string {
  const file = join(directory, "torture.toml");
  const tell = [{ name: "backend", url, secret, events: ["*"], timeout: 2000 }];
  const client = { disconnect_delay: DELAY };
  writeFileSync(file, stringify({ client, hooks: { topics: [ROOM], tell } }), { mode: 0o600 });
  return file;
}
