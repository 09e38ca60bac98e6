// What the web console costs: fan-out while ten pages are open, and how long a page waits for what it shows at 20,000 connections and
// 1,000,000 devices.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { newSecret } from "../../src/admin/sessions.ts";
import { atAdminDesk } from "../../src/engine/admins.ts";
import { freePort } from "../../test/support/ports.ts";
import { type Running, root, start, tools } from "./servers.ts";
import { add, limit, median, put, short } from "./table.ts";

const PAGES = 10;
/** As often as the overview asks for its lists, milliseconds. */
const ASKED_EVERY = 5000;
/** Fewer where no more files may be open (`ulimit -n`). */
const CONNECTIONS = Number(process.env["CONNECTIONS"] ?? 20_000);
const LONGEST = 300;
/** Fan-out is measured by turns, in the same minutes of the same server. */
const SLICES = 2;

interface Measures {
  /** Frames per second to 1,000 subscribers, and the server's processor time for each, microseconds. */
  fanOut(server: Running): Promise<{ readonly perSecond: number; readonly cost: number }>;
  subscribe(server: Running, connections: number, seconds: number): Promise<{ stop(): void }>;
}

/** A server, and its console as somebody who has logged in calls it. */
interface AtConsole {
  readonly server: Running;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function startConsole(data: string): Promise<AtConsole> {
  const port = await freePort();
  const server = await start("pushbox", { data }, ["--admin-enabled=true", `--admin-port=${port}`]);
  const url = `http://127.0.0.1:${port}`;
  const { secret, id } = newSecret();
  await atAdminDesk(data, (desk) => desk.invite({ id, until: Date.now() + 60_000, role: "operator" }, "bench"));
  const answer = await fetch(`${url}/admin/setup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ link: secret, password: "a password of a bench" }),
  });
  const [cookie = ""] = answer.headers.getSetCookie().map((line) => line.split(";")[0] ?? "");
  if (!answer.ok) throw new Error(await answer.text());
  return { server, url, headers: { cookie, "content-type": "application/json" } };
}

const ask = async ({ url, headers }: AtConsole, path: string, fields: object): Promise<void> => {
  const answer = await fetch(`${url}/api/${path}`, { method: "POST", headers, body: JSON.stringify(fields) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text.slice(0, 200)}`);
};

/** So many pages as the overview is: the stream, and its lists again and again. */
function openPages(at: AtConsole): () => void {
  const ended = new AbortController();
  const gone = (error: unknown): void => {
    if (!ended.signal.aborted) throw error;
  };
  const timers = Array.from({ length: PAGES }, (_, i) => {
    const topics = Array.from({ length: 5 }, (_, topic) => (topic === 0 ? "bench" : `topic-${i}-${topic}`)).join();
    void fetch(`${at.url}/admin/live?topics=${topics}`, { headers: at.headers, signal: ended.signal })
      .then(async ({ body }) => {
        for await (const piece of body ?? []) void piece;
      })
      .catch(gone);
    return setInterval(() => {
      for (const path of ["lane/list", "hook/list", "job/list"]) void ask(at, path, {}).catch(gone);
    }, ASKED_EVERY);
  });
  return () => {
    ended.abort();
    for (const timer of timers) clearInterval(timer);
  };
}

export async function pagesOpen(rounds: number, { fanOut }: Measures): Promise<void> {
  const figures = { closed: [] as number[], open: [] as number[] };
  const costs = { closed: [] as number[], open: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const at = await startConsole(join(tools, `console-${round}`));
    await fanOut(at.server);
    for (let slice = 0; slice < SLICES; slice++)
      for (const kind of ["closed", "open"] as const) {
        const close = kind === "open" ? openPages(at) : () => {};
        const { perSecond, cost } = await fanOut(at.server);
        close();
        figures[kind].push(perSecond);
        costs[kind].push(cost);
      }
    await at.server.stop();
  }
  const what = `topic push, 50 callers, ${PAGES} pages of the console open`;
  add(`${what}: frames/s`, ">= 0.95 x without", median(figures.closed), median(figures.open), 0.95);
  const ratio = median(costs.open) / median(costs.closed);
  put({
    what: "the same: the server's processor time per frame, us",
    target: "<= 1.05 x without",
    reference: short(median(costs.closed)),
    measured: short(median(costs.open)),
    ratio,
    holds: ratio <= 1.05,
  });
}

/** What the pages ask for first, and the filters that may be slow. */
const ASKED: readonly (readonly [path: string, fields: object])[] = [
  ["stats/live", { seconds: 600, minutes: 1440, hours: 720 }],
  ["stats/base", {}],
  ["stats/series", { days: 30 }],
  ["stats/types", { days: 30 }],
  ["device/list", { limit: 100 }],
  ["device/list", { limit: 100, prefix: "device00009999" }],
  ["device/list", { limit: 100, tag: "everyone" }],
  ["device/list", { limit: 100, uid: "nobody" }],
  ["device/list", { limit: 100, token: "nothing" }],
  ["device/get", { pushId: "device0000500000" }],
  ["search", { text: "device0000500000" }],
  ["topic/list", { limit: 100 }],
  ["topic/list", { limit: 100, prefix: "be" }],
  ["topic/get", { topic: "bench" }],
  ["topicDevices", { topic: "bench", limit: 100 }],
  ["connection/list", { limit: 100 }],
  ["connection/list", { limit: 100, platform: "nokia" }],
  ["connection/list", { limit: 100, waiting: 1_000_000 }],
  ["connection/list", { limit: 100, olderThan: "7d" }],
  ["job/list", { limit: 100 }],
  ["job/list", { limit: 100, state: "paused" }],
  ["delivery/list", { limit: 100 }],
  ["lane/list", {}],
  ["hook/list", {}],
  ["event/list", { limit: 100 }],
  ["audit/list", { limit: 100 }],
  ["audit/list", { limit: 100, who: "nobody" }],
  ["trace/list", {}],
  ["config", {}],
  ["openapi.json", {}],
];

/** Each asked for so often. */
const TIMES = 5;

export async function pagesFilled({ subscribe }: Measures): Promise<void> {
  const devices = Number(process.env["DEVICES"] ?? 1_000_000);
  const data = join(tools, "console-filled");
  const fill = ["--disable-warning=ExperimentalWarning", "scripts/bench/fill.ts", data, String(devices)];
  execFileSync(process.execPath, fill, { cwd: root, stdio: "inherit" });
  const at = await startConsole(data);
  const clients = await subscribe(at.server, CONNECTIONS, 600);
  const took = new Map<string, number[]>();
  for (let time = 0; time < TIMES; time++)
    for (const [path, fields] of ASKED) {
      const from = performance.now();
      await ask(at, path, fields);
      const name = `${path} ${JSON.stringify(fields)}`;
      took.set(name, [...(took.get(name) ?? []), performance.now() - from]);
    }
  clients.stop();
  await at.server.stop();
  const what = `what a page of the console asks for, ${CONNECTIONS} connections, ${devices} devices, the slowest: ms`;
  for (const [kind, of] of [
    ["", median],
    [", asked for the first time", ([first = 0]: readonly number[]) => first],
  ] as const) {
    const [[name, ms] = ["", 0], ...others] = [...took]
      .map(([name, times]) => [name, of(times)] as const)
      .sort(([, a], [, b]) => b - a);
    process.stderr.write(
      `${[[name, ms] as const, ...others.slice(0, 4)].map(([name, ms]) => `${ms.toFixed(1)} ms  ${name}\n`).join("")}`,
    );
    limit(what + kind, `<= ${LONGEST}`, LONGEST, ms);
  }
}
