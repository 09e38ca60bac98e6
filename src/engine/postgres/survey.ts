// What nodes ask each other: a question goes to all by a message, each answers for itself, and what comes within some time is given
// to whoever asked, with the nodes that were silent.
import type { Answers } from "../../core/cluster.ts";
import { type Carrier, MESSAGE } from "./carrier.ts";
import { Column, type Tx } from "./database.ts";
import type { Nodes } from "./nodes.ts";

const HEAD = 60;

interface Asked {
  readonly waiting: Set<number>;
  readonly answers: Map<number, unknown>;
  done(): void;
}

const keepText = new Column<[string], number>("INSERT INTO large_bodies (body) VALUES (?) RETURNING body_id");
const textOf = new Column<[number], string>("SELECT body FROM large_bodies WHERE body_id = ?");

export class Survey {
  readonly #carrier: Carrier;
  readonly #nodes: Pick<Nodes, "node" | "list">;
  readonly #read: () => Tx;
  readonly #patience: number;
  readonly #answering = new Map<string, (...args: readonly never[]) => Promise<unknown>>();
  readonly #asked = new Map<number, Asked>();
  #count = 0;

  /** @param read statements by themselves @param patience milliseconds */
  constructor(carrier: Carrier, nodes: Pick<Nodes, "node" | "list">, read: () => Tx, patience: number) {
    this.#carrier = carrier;
    this.#nodes = nodes;
    this.#read = read;
    this.#patience = patience;
    carrier.on("q", ({ node, number, text }) => {
      // Not waited for: what is handed over meanwhile is not held up. What fails counts as unheard.
      if (node !== nodes.node()) void this.#reply(node, number, text).catch(() => {});
    });
    carrier.on("a", ({ node, number, text }) => this.#hear(node, number, text));
  }

  /** This node answers the question. */
  on(question: string, answer: (...args: readonly never[]) => Promise<unknown>): void {
    this.#answering.set(question, answer);
  }

  /** As it is, or the number of a row that holds it. */
  async #packed(text: string): Promise<string> {
    return Buffer.byteLength(text) < MESSAGE - HEAD ? text : `${await keepText.get(this.#read(), text)}`;
  }

  async #unpacked(text: string): Promise<unknown> {
    const whole = /^\d/.test(text) ? await textOf.get(this.#read(), Number(text)) : text;
    return whole === undefined ? undefined : JSON.parse(whole);
  }

  async #reply(node: number, number: number, text: string): Promise<void> {
    const question = (await this.#unpacked(text)) as readonly [string, readonly never[], number?] | undefined; // as `ask` wrote it
    const [name = "", args = [], to = this.#nodes.node()] = question ?? [];
    const answering = this.#answering.get(name);
    if (answering === undefined || to !== this.#nodes.node()) return;
    const answer = await answering(...args);
    this.#carrier.send("a", `${node}|${await this.#packed(JSON.stringify([answer ?? null]))}`, number);
  }

  #hear(node: number, number: number, text: string): void {
    const bar = text.indexOf("|");
    const question = this.#asked.get(number);
    if (Number(text.slice(0, bar)) !== this.#nodes.node() || question === undefined) return;
    void this.#unpacked(text.slice(bar + 1)).then((answer) => {
      if (answer === undefined || !question.waiting.delete(node)) return; // a row that is gone: it counts as unheard
      question.answers.set(node, (answer as readonly unknown[])[0]);
      if (question.waiting.size === 0) question.done();
    }, question.done);
  }

  /** What other nodes answer, as far as they do. */
  async ask<Answer>(
    question: string,
    args: readonly unknown[],
    to?: number,
    patience = this.#patience,
  ): Promise<Answers<Answer>> {
    const others = this.#nodes.list().filter(({ node }) => node !== this.#nodes.node() && (to ?? node) === node);
    const waiting = new Set(others.map(({ node }) => node));
    const answers = new Map<number, unknown>();
    if (waiting.size > 0) {
      const number = ++this.#count;
      try {
        const text = await this.#packed(JSON.stringify([question, args, ...(to === undefined ? [] : [to])]));
        await new Promise<void>((resolve) => {
          this.#asked.set(number, { waiting, answers, done: resolve });
          setTimeout(resolve, patience).unref();
          this.#carrier.send("q", text, number);
        });
      } catch {
        // PostgreSQL cannot be used: nobody was asked.
      } finally {
        this.#asked.delete(number);
      }
    }
    return { answers: answers as ReadonlyMap<number, Answer>, silent: [...waiting] }; // each is what the question's answer is
  }
}
