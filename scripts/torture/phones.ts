// Phones of the torture: they come, go, send, are bound to users and change rooms, server or not.
import { setTimeout as pause } from "node:timers/promises";
import type { Dice } from "./plan.ts";
import type { Server } from "./server.ts";

export const ROOMS = 5;
/** The rooms' names begin so. */
export const ROOM = "room:";

export interface Life {
  /** From room to room. */
  readonly moving: boolean;
  isOver: boolean;
  calls: number;
  repeated: number;
  /** Notifications of jobs that were answered for. */
  readonly jobs: string[];
}

/** One that does as it likes, server or not. */
export class Phone {
  readonly id: string;
  readonly #server: Pick<Server, "call" | "clientUrl">;
  readonly #life: Life;
  readonly #random: Dice;
  readonly #number: number;
  #socket: WebSocket | undefined;
  room = "";

  constructor(number: number, server: Pick<Server, "call" | "clientUrl">, life: Life, random: Dice) {
    this.id = `torture-phone-${number}`;
    this.#number = number;
    this.#server = server;
    this.#life = life;
    this.#random = random;
  }

  get isConnected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  async live(): Promise<void> {
    while (!this.#life.isOver) {
      await this.#act();
      await pause(80 * this.#random());
    }
  }

  /** Comes back; then stays or goes. @param absent it may also not come back */
  async end(absent: boolean): Promise<void> {
    const choice = this.#random();
    if (absent && choice < 0.3) return this.cut();
    while (!this.isConnected) await this.#come();
    if (choice < 0.6) this.cut();
  }

  cut(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #act(): Promise<void> {
    if (!this.isConnected) return this.#come();
    const choice = this.#random();
    const user = `user${Math.floor((this.#number * 7 + this.#random() * 3) % 11)}`;
    if (choice < 0.25) this.cut();
    else if (choice < 0.4) this.#emit("packetProxy", { path: "/torture", sequenceId: "1", data: { at: Date.now() } });
    else if (choice < 0.6) await this.#call("uid/bind", { pushId: this.id, uid: user });
    else if (choice < 0.65) await this.#call("uid/remove", { pushId: this.id });
    else if (choice < 0.7) {
      const id = `job-${this.#number}-${this.#life.calls}`;
      await this.#call("notification", { tag: "nobody", notification: { id, android: { title: "t" } } });
      this.#life.jobs.push(id);
    } else {
      const room = this.#anyRoom();
      if (room === this.room) return;
      if (this.room !== "") this.#emit("unsubscribeTopic", { topic: this.room });
      this.#emit("subscribeTopic", { topic: room });
      this.room = room;
    }
  }

  #anyRoom(): string {
    return `${ROOM}${this.#life.moving ? Math.floor(this.#random() * ROOMS) : this.#number % ROOMS}`;
  }

  async #call(path: string, body: object): Promise<void> {
    await this.#server.call(path, JSON.stringify(body), () => {
      this.#life.repeated++;
    });
    this.#life.calls++;
  }

  #emit(event: string, argument: object): void {
    if (!this.isConnected) return;
    this.#socket?.send(`42${JSON.stringify([event, argument])}`);
  }

  /** Resolves once it is there, or the server is gone. */
  async #come(): Promise<void> {
    const url = await this.#server.clientUrl();
    const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=3&transport=websocket`);
    this.#socket = socket;
    this.room = "";
    const room = this.#anyRoom();
    await new Promise<void>((resolve) => {
      const beat = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send("2"), 5000);
      const late = setTimeout(() => socket.close(), 5000);
      socket.addEventListener("open", () => {
        const hello = { id: this.id, version: 1, platform: "android", topics: [room] };
        socket.send(`42${JSON.stringify(["pushId", hello])}`);
      });
      socket.addEventListener("message", ({ data }) => {
        if (!String(data).startsWith('42["pushId"')) return;
        clearTimeout(late);
        this.room = room;
        resolve();
      });
      const gone = (): void => {
        clearInterval(beat);
        clearTimeout(late);
        if (this.#socket === socket) this.#socket = undefined;
        resolve();
      };
      socket.addEventListener("close", gone);
      socket.addEventListener("error", gone);
    });
  }
}
