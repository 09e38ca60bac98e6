// How quickly clients register: the first ones after a start, when all come at once and no code is compiled yet, and later ones. Each
// server is measured in the same way: 5,000 connect, drop, connect again.
import { type Cpu, type Running, type ServerName, start } from "./servers.ts";
import { add, median, put, short } from "./table.ts";

const CONNECTIONS = Number(process.env["CONNECTIONS"] ?? 5000);
/** Of one server: before those that count as later ones, and of these. */
const WARMING = 3;
const LATER = 3;

/** Connects so many and resolves once all have registered. */
type Subscribe = (
  server: Running,
  connections: number,
  seconds: number,
) => Promise<{ readonly registered: number; readonly result: Promise<unknown> }>;

interface Figures {
  /** Connections per second. */
  readonly rate: number;
  /** Of one registration, microseconds. */
  readonly cpu: Cpu;
}

async function once(server: Running, subscribe: Subscribe): Promise<Figures> {
  const before = server.threads();
  const subscribers = await subscribe(server, CONNECTIONS, 0.1);
  const after = server.threads();
  await subscribers.result;
  const each = (kind: keyof Cpu): number => ((after[kind] - before[kind]) * 1e6) / CONNECTIONS;
  const cpu = { main: each("main"), storage: each("storage"), others: each("others") };
  return { rate: CONNECTIONS / subscribers.registered, cpu };
}

/** Of each round: the first ones after a start, and the median of the later ones. */
class Measured {
  readonly first: Figures[] = [];
  readonly later: Figures[] = [];

  async take(name: ServerName, subscribe: Subscribe): Promise<void> {
    const server = await start(name);
    for (let i = 0; i < 1 + WARMING + LATER; i++) {
      const figures = await once(server, subscribe);
      if (i === 0) this.first.push(figures);
      else if (i > WARMING) this.later.push(figures);
    }
    await server.stop();
  }

  rate(when: When): number {
    return median(this[when].map(({ rate }) => rate));
  }

  /** The least: whoever else uses the machine only adds to it. */
  cpu(when: When): Cpu {
    const least = (kind: keyof Cpu): number => Math.min(...this[when].map(({ cpu }) => cpu[kind]));
    return { main: least("main"), storage: least("storage"), others: least("others") };
  }
}

type When = "first" | "later";
const WHAT: Readonly<Record<When, string>> = {
  first: `the first ${CONNECTIONS} after a start`,
  later: `${CONNECTIONS} that come again`,
};

export async function registering(rounds: number, subscribe: Subscribe): Promise<void> {
  const measured = { bare: new Measured(), talk: new Measured(), socketio: new Measured(), pushbox: new Measured() };
  for (let round = 0; round < rounds; round++)
    for (const name of ["bare", "talk", "socketio", "pushbox"] as const) await measured[name].take(name, subscribe);
  const { bare, talk, socketio, pushbox } = measured;
  for (const when of ["first", "later"] as const) {
    const ours = pushbox.rate(when);
    add(`connections registered per s, ${WHAT[when]}`, ">= 0.35 x bare", bare.rate(when), ours, 0.35);
    add("the same", ">= 4 x socketio", socketio.rate(when), ours, 4);
    add("the same", "reported, talk", talk.rate(when), ours, 0);
    const { main, storage, others } = pushbox.cpu(when);
    const references = [bare, talk].map((one) => all(one.cpu(when)));
    put({
      what: "processor time of each: us; main thread, storage thread, compiler and collector",
      target: "reported, bare and talk",
      reference: references.map(short).join(" and "),
      measured: [main, storage, others].map(Math.round).join(", "),
      ratio: (main + storage + others) / references[0]!,
      holds: true,
    });
  }
}

const all = ({ main, storage, others }: Cpu): number => main + storage + others;
