// What `npm run smoke` asks of the executable on PostgreSQL: moved there, two nodes, what both know, and back.
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { io } from "socket.io-client4";
import { freePort } from "../test/support/ports.ts";
import { postgres } from "../test/support/postgres.ts";

export interface Smoke {
  readonly work: string;
  step<T>(name: string, act: () => Promise<T>, patience?: number): Promise<T>;
  /** Another command; it must end with 0. @returns what it printed */
  run(...args: string[]): string;
  start(clientPort: number, apiPort: number, ...more: string[]): ChildProcess;
  ready(child: ChildProcess, url: string): Promise<void>;
  call(url: string, parameters: Record<string, string>): Promise<unknown>;
  stop(child: ChildProcess): Promise<void>;
}

const PUSH_ID = "smokedevice-of-a-cluster";
/** Moving, and two starts that look at PostgreSQL. */
const PATIENCE = 60_000;

/** What `move` says of them. */
function devices(said: string): number {
  const [, count] = /^devices: (\d+)$/m.exec(said) ?? [];
  if (count === undefined) throw new Error(`no devices: ${said}`);
  return Number(count);
}

/** Leaves no process behind. @param data a directory that a server has run on */
export async function smokeOnPostgres(
  data: string,
  { work, step, run, start, ready, call, stop }: Smoke,
): Promise<void> {
  const endings: (() => unknown)[] = [];
  const nodes: ChildProcess[] = [];
  const server = await postgres({ teardown: (end: () => unknown) => void endings.push(end) });
  if (server === undefined) {
    process.stdout.write("left out: there is no PostgreSQL 15 or newer here, so nothing of it was tried\n");
    return;
  }
  try {
    const url = await server.database();
    let moved = 0;
    const store = ["--engine", "postgres", "--postgres-url", url];
    await step(
      "PostgreSQL: a data directory moves there",
      async () => {
        moved = devices(run("move", "--data", data, "--to", url));
        run("check", ...store, "--client-port", "0", "--api-port", "0", "--admin-port", "0");
        const looked = run("doctor", ...store, "--client-port", "0", "--api-port", "0", "--admin-port", "0");
        if (!looked.includes("notifications are heard")) throw new Error(looked);
      },
      PATIENCE,
    );
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const api = (i: 0 | 1): string => `http://127.0.0.1:${ports[2 + i]}`;
    await step(
      "PostgreSQL: two nodes start on it",
      async () => {
        for (const [i, name] of ["a", "b"].entries())
          nodes.push(start(ports[i]!, ports[2 + i]!, ...store, "--node", name, "--data", join(work, `node-${name}`)));
        await Promise.all(nodes.map((node, i) => ready(node, `${api(i as 0 | 1)}/readyz`)));
      },
      PATIENCE,
    );
    await step(
      "PostgreSQL: pushed at one, heard at the other; both know the device",
      async () => {
        const socket = io(`http://127.0.0.1:${ports[0]}`, { transports: ["websocket"], reconnection: false });
        try {
          const event = (name: string) => new Promise((done) => socket.once(name, done));
          await event("connect");
          const greeted = event("pushId");
          socket.emit("pushId", { id: PUSH_ID, version: 1, platform: "smoke", topics: ["smoke"] });
          await greeted;
          for (const more of [{}, { timeToLive: "1h" }]) {
            const packet = event("p");
            await call(`${api(1)}/api/push`, { topic: "smoke", json: '{"from":"b"}', ...more });
            if (JSON.stringify(await packet) !== '{"from":"b"}') throw new Error("another payload arrived");
          }
          const device = JSON.stringify(await call(`${api(1)}/api/device/get`, { pushId: PUSH_ID }));
          if (!device.includes('"connected":true')) throw new Error(device);
        } finally {
          socket.disconnect();
        }
      },
      PATIENCE,
    );
    await step(
      "PostgreSQL: both end with 0, and everything moves back",
      async () => {
        await Promise.all(nodes.map(stop));
        const back = join(work, "back");
        const count = devices(run("move", "--from", url, "--to-data", back));
        if (count !== moved + 1) throw new Error(`${moved} devices went there, and ${count} came back`);
      },
      PATIENCE,
    );
  } finally {
    for (const node of nodes) if (node.exitCode === null) node.kill("SIGKILL");
    for (const end of endings) await end();
  }
}
