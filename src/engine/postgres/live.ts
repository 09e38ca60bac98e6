// Who is online, of every node: a question goes to all by a message, each answers for its own sockets, and what comes within some
// time is put together. A node that is silent counts as one without sockets.
import type { Live, Presence, SessionCounts } from "../../core/live.ts";
import { localLive } from "../live.ts";
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

/** What a method of `Live` answers, as JSON; a map is a list of pairs there. */
const toPlain = (answer: unknown): unknown =>
  typeof answer === "object" && answer !== null && "byPlatform" in answer
    ? { ...answer, byPlatform: [...(answer as SessionCounts).byPlatform] }
    : answer;

/** Another node's answer as if its hub gave it here. */
function hubOf(method: keyof Live, args: readonly unknown[], answer: unknown): Presence {
  const one = (name: string): Presence => {
    const places = new Map((args[0] as readonly string[]).map((pushId, i) => [pushId, i]));
    return { [name]: (pushId: string) => (answer as readonly unknown[])[places.get(pushId)!] } as unknown as Presence;
  };
  switch (method) {
    case "isConnected":
    case "connectionsOf":
    case "reached":
      return one(method);
    case "areAwake":
      return one("isAwake");
    case "sessions": {
      const { byPlatform, ...counts } = answer as SessionCounts;
      return { sessions: () => ({ ...counts, byPlatform: new Map(byPlatform) }) } as unknown as Presence;
    }
    default:
      return { [method]: () => answer } as unknown as Presence; // the one method that is asked
  }
}

/** @param read statements by themselves @param patience milliseconds */
export function sharedLive(
  carrier: Carrier,
  nodes: Pick<Nodes, "node" | "alone" | "list">,
  read: () => Tx,
  patience: number,
): Live {
  const own = localLive(carrier.hubs);
  const asked = new Map<number, Asked>();
  let count = 0;

  /** As it is, or the number of a row that holds it. */
  const packed = async (text: string): Promise<string> =>
    Buffer.byteLength(text) < MESSAGE - HEAD ? text : `${await keepText.get(read(), text)}`;
  const unpacked = async (text: string): Promise<unknown> => {
    const whole = /^\d/.test(text) ? await textOf.get(read(), Number(text)) : text;
    return whole === undefined ? undefined : JSON.parse(whole);
  };

  const answerOf = (method: keyof Live, args: readonly unknown[]): Promise<unknown> =>
    (own[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args);

  carrier.on("q", ({ node, number, text }) => {
    if (node === nodes.node()) return;
    // Not waited for: what is handed over meanwhile is not held up.
    void (async () => {
      const question = (await unpacked(text)) as readonly [keyof Live, readonly unknown[]] | undefined;
      if (question === undefined) return;
      const answer = await answerOf(...question);
      carrier.send("a", `${node}|${await packed(JSON.stringify([toPlain(answer)]))}`, number);
    })().catch(() => {}); // it counts as silent
  });
  carrier.on("a", ({ node, number, text }) => {
    const bar = text.indexOf("|");
    const question = asked.get(number);
    if (Number(text.slice(0, bar)) !== nodes.node() || question === undefined) return;
    void unpacked(text.slice(bar + 1)).then((answer) => {
      if (!question.waiting.delete(node)) return;
      if (answer !== undefined) question.answers.set(node, (answer as readonly unknown[])[0]);
      if (question.waiting.size === 0) question.done();
    }, question.done);
  });

  /** What other nodes answer, as far as they do. */
  async function ask(method: keyof Live, args: readonly unknown[]): Promise<Map<number, unknown>> {
    const number = ++count;
    const others = nodes
      .list()
      .map(({ node }) => node)
      .filter((node) => node !== nodes.node());
    const text = await packed(JSON.stringify([method, args]));
    const question = await new Promise<Asked>((resolve) => {
      const one: Asked = { waiting: new Set(others), answers: new Map(), done: () => resolve(one) };
      asked.set(number, one);
      setTimeout(one.done, patience).unref();
      carrier.send("q", text, number);
    });
    asked.delete(number);
    return question.answers;
  }

  async function both(method: keyof Live, args: readonly unknown[]): Promise<unknown> {
    if (nodes.alone()) return answerOf(method, args);
    const here = answerOf(method, args);
    const answers = await ask(method, args).catch(() => new Map<number, unknown>());
    answers.set(nodes.node(), toPlain(await here));
    // In the same order whoever asks.
    const hubs = [...answers].sort(([a], [b]) => a - b).map(([, answer]) => hubOf(method, args, answer));
    const all = localLive(hubs);
    return (all[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args);
  }

  return Object.fromEntries(
    (Object.keys(own) as (keyof Live)[]).map((method) => [method, (...args: readonly unknown[]) => both(method, args)]),
  ) as unknown as Live; // the methods of `own`, each with its arguments
}
