// Devices whose connections are cut at random moments while packets are kept for them: nothing is ever lost, and only what was in
// doubt comes again.
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { choices } from "../support/choices.ts";
import { type Cut, Line } from "../support/line.ts";
import { Phone, WAYS, type Way } from "../support/phone.ts";

const SEED = 20_181_126;
const RUNS = 30;
const CONNECTIONS = 5;
const TTL = 600_000;

interface Figures {
  pushed: number;
  repeated: number;
}

/** One device without memory, or one that keeps its position from connection to connection. */
class Device {
  readonly #t: Test;
  readonly #server: TestApp;
  readonly #id: string;
  readonly #remembers: boolean;
  readonly #choose: ReturnType<typeof choices>;
  readonly faults: string[] = [];
  readonly figures: Figures = { pushed: 0, repeated: 0 };
  /** What it has had, and what of it the server had proof of. */
  readonly #had = new Set<number>();
  readonly #proven = new Set<number>();
  #position: string | undefined;

  constructor(t: Test, server: TestApp, id: string, seed: number) {
    this.#t = t;
    this.#server = server;
    this.#id = id;
    this.#choose = choices(seed);
    this.#remembers = this.#choose.chance(0.5);
  }

  async #push(count: number): Promise<void> {
    for (let i = 0; i < count; i++)
      await this.#server.ok("push", { pushId: this.#id, json: ++this.figures.pushed, timeToLive: TTL });
  }

  #hello(phone: Phone): Promise<void> {
    const memory = this.#remembers ? { lastUnicastId: this.#position ?? "0" } : {};
    return phone.hello({ id: this.#id, ...memory });
  }

  /** What a connection brought is compared with what the connections before it had brought. */
  #look(phone: Phone): void {
    phone.got.forEach((n, i) => {
      const before = phone.got[i - 1];
      if (before !== undefined && n <= before) this.faults.push(`${this.#id}: ${n} after ${before}`);
      if (before !== undefined && n !== before + 1) this.faults.push(`${this.#id}: a gap before ${n}`);
      if (this.#had.has(n)) {
        this.figures.repeated++;
        if (this.#remembers) this.faults.push(`${this.#id}: ${n} again, though its position said that it has it`);
        if (this.#proven.has(n)) this.faults.push(`${this.#id}: ${n} again, though it was proven`);
      }
    });
    for (const n of phone.got) this.#had.add(n);
    for (const n of phone.got.slice(0, phone.proven)) this.#proven.add(n);
    this.#position = phone.positions.get(this.#id) ?? this.#position;
  }

  async #connection(way: Way): Promise<void> {
    const { chance, one, upTo } = this.#choose;
    const line = await Line.open(this.#t, this.#server.clientPort);
    const phone = await Phone.open(line.port, way);
    const cut = async (): Promise<void> => {
      const how = one<Cut | "deaf">(["silent", "reset", "deaf"]);
      if (how === "deaf") line.deaf = true;
      else line.cut(how);
      await this.#push(upTo(3));
    };
    if (chance(0.2)) {
      void this.#hello(phone); // cut while it says who it is, or while it is replayed
      await cut();
    } else {
      await this.#hello(phone);
      const count = upTo(4);
      const pushes = this.#push(count);
      if (chance(0.5)) await phone.upgrade(); // while they come
      await pushes;
      if (chance(0.3) && count > 0) await phone.has(this.figures.pushed);
      if (chance(0.5)) await phone.hello({ id: this.#id }); // its answer comes after the proof
      await cut();
    }
    phone.close();
    line.close();
    this.#look(phone);
  }

  async run(): Promise<void> {
    const { one, upTo } = this.#choose;
    for (let i = 0; i < CONNECTIONS; i++) {
      await this.#push(upTo(2));
      await this.#connection(one(WAYS));
    }
    await this.#push(1);
    const last = await Phone.open(this.#server.clientPort, one(WAYS));
    await this.#hello(last);
    await last.has(this.figures.pushed);
    last.close();
    this.#look(last);
    for (let n = 1; n <= this.figures.pushed; n++) if (!this.#had.has(n)) this.faults.push(`${this.#id}: ${n} is lost`);
  }
}

t.test(
  `B5, holds 9: ${RUNS} devices whose connections are cut lose nothing; only what was in doubt comes again`,
  async (t) => {
    const server = await startTestApp(t, { storage: { keep: 1000 } });
    const devices = Array.from({ length: RUNS }, (_, i) => new Device(t, server, `device-${i}-0123456789`, SEED + i));
    for (let i = 0; i < RUNS; i += 10) await Promise.all(devices.slice(i, i + 10).map((device) => device.run()));
    t.same(
      devices.flatMap(({ faults }) => faults.slice(0, 3)),
      [],
      `seed ${SEED}`,
    );
    const sum = (of: (figures: Figures) => number): number =>
      devices.reduce((total, { figures }) => total + of(figures), 0);
    const [pushed, repeated] = [sum((figures) => figures.pushed), sum((figures) => figures.repeated)];
    t.ok(repeated > 0, "something was in doubt, else this shows nothing");
    t.comment(`${pushed} packets, ${repeated} came again`);
  },
);
