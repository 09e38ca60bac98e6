// Several nodes on one PostgreSQL, as a load balancer sees them: a call goes to any that is there, and to the next when it fails.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Dice } from "./plan.ts";
import { ask, Server } from "./server.ts";

/** A call that takes longer has failed. */
const PATIENCE = 60_000;
const AGAIN = 50;

export class Cluster {
  readonly nodes: ReadonlyMap<string, Server>;
  readonly #random: Dice;

  /** @param urls of PostgreSQL, by the nodes' names */
  constructor(config: string, directory: string, urls: ReadonlyMap<string, string>, random: Dice) {
    this.#random = random;
    this.nodes = new Map(
      [...urls].map(([node, url]) => {
        const flags = ["--engine", "postgres", "--node", node, "--postgres-url", url];
        return [node, new Server(config, join(directory, node), flags)];
      }),
    );
  }

  /** Rejects when one has ended though nobody killed it. */
  get crashed(): Promise<never> {
    const first = Promise.race([...this.nodes.values()].map(({ crashed }) => crashed));
    return first.then((error) => Promise.reject(error));
  }

  get errors(): readonly string[] {
    return [...this.nodes.values()].flatMap(({ errors }) => errors);
  }

  /** One after the other: the first makes the tables. */
  async start(): Promise<void> {
    for (const server of this.nodes.values()) {
      server.start();
      await server.url();
    }
  }

  /** One that is there, by chance. */
  async any(): Promise<readonly [node: string, server: Server]> {
    for (;;) {
      const there = [...this.nodes].filter(([, { isUp }]) => isUp);
      const found = there[Math.floor(this.#random() * there.length)];
      if (found !== undefined) return found;
      await pause(AGAIN);
    }
  }

  async clientUrl(): Promise<string> {
    return await (await this.any())[1].clientUrl();
  }

  /** A call that is not repeated. Undefined: whether it was made is not known. */
  async once(path: string, body: string | undefined): Promise<unknown> {
    const [, server] = await this.any();
    const answer = await ask(await server.url(), path, body, AbortSignal.timeout(PATIENCE));
    if (answer?.status === 200) return JSON.parse(answer.text);
    if (answer === undefined || answer.status === 503) return undefined;
    throw new Error(`${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
  }

  /** A call, repeated at any node until one has answered it. */
  async call(path: string, body: string | undefined, repeated: () => void): Promise<unknown> {
    for (;;) {
      const answer = await this.once(path, body);
      if (answer !== undefined) return answer;
      repeated();
      await pause(AGAIN);
    }
  }

  async stop(): Promise<readonly (number | null)[]> {
    return await Promise.all([...this.nodes.values()].map((server) => server.stop()));
  }

  end(): void {
    for (const server of this.nodes.values()) server.end();
  }
}
