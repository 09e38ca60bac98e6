// Who is online, of every node: each answers for its own sockets. A node that is silent counts as one without sockets.

import type { Hub } from "../../core/engine.ts";
import { PushError } from "../../core/errors.ts";
import type { ConnectionSample, Live, Presence, SessionCounts, Watched } from "../../core/live.ts";
import { localLive } from "../live.ts";
import type { Nodes } from "./nodes.ts";
import type { Survey } from "./survey.ts";

type Question = Exclude<keyof Live, "watched">;
type Ask = (...args: readonly unknown[]) => Promise<unknown>;

/** Another node's answer as if its hub gave it here. */
function hubOf(method: Question, args: readonly unknown[], answer: unknown): Presence {
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

/** A connection of node 3 is called 3-17. */
const NAMED = /^(\d{1,15})-(.+)$/;

const NAMING: ReadonlySet<Question> = new Set<Question>(["connections", "connectionsOf"]);

export function sharedLive(hubs: readonly Hub[], nodes: Pick<Nodes, "node" | "alone" | "list">, survey: Survey): Live {
  const own = localLive(hubs);
  const questions = Object.keys(own) as Question[];
  const ownAnswer = (method: Question): Ask => own[method] as Ask;
  const nameOf = (node: number): string => nodes.list().find((one) => one.node === node)?.name || String(node);

  /** As JSON, and connections by names that no other node uses. */
  async function answer(method: Question, args: readonly unknown[]): Promise<unknown> {
    const node = nodes.node();
    if (method === "disconnect") {
      const [, of, connection] = NAMED.exec(String(args[0])) ?? [];
      return Number(of) === node && (await ownAnswer(method)(connection));
    }
    const answer = await ownAnswer(method)(...args);
    switch (method) {
      case "sessions": {
        const counts = answer as SessionCounts;
        return { ...counts, byPlatform: [...counts.byPlatform] }; // a map is a list of pairs there
      }
      case "connections": {
        const { connections, ...sample } = answer as ConnectionSample;
        const name = nameOf(node);
        const named = connections.map((one) => ({ ...one, connection: `${node}-${one.connection}`, node: name }));
        return { ...sample, connections: named };
      }
      case "connectionsOf": {
        const name = nameOf(node);
        return (answer as Awaited<ReturnType<Live["connectionsOf"]>>).map((list) =>
          list.map((one) => ({ ...one, node: name })),
        );
      }
      default:
        return answer;
    }
  }
  for (const method of questions) survey.on(method, (...args) => answer(method, args));

  async function both(
    method: Question,
    args: readonly unknown[],
    missed: (names: readonly string[]) => void,
  ): Promise<unknown> {
    if (nodes.alone() && !NAMING.has(method)) return ownAnswer(method)(...args);
    const here = answer(method, args);
    const { answers, silent } = await survey.ask<unknown>(method, args);
    missed(silent.map(nameOf));
    const all = new Map(answers).set(nodes.node(), await here);
    // In the same order whoever asks.
    const asHubs = [...all].sort(([a], [b]) => a - b).map(([, one]) => hubOf(method, args, one));
    return (localLive(asHubs)[method] as Ask)(...args);
  }

  /** Only the node is asked that has it; one that is gone has none. */
  async function disconnect(connection: string): Promise<boolean> {
    const node = Number(NAMED.exec(connection)?.[1]);
    if (node === nodes.node()) return (await answer("disconnect", [connection])) as boolean;
    const { answers, silent } = await survey.ask<boolean>("disconnect", [connection], node);
    if (silent.length > 0)
      throw new PushError(
        "unavailable",
        `node ${nameOf(node)}, which has this connection, has not answered: whether it is closed is not known, ask again`,
      );
    return answers.get(node) ?? false;
  }

  const asked = (missed: (names: readonly string[]) => void): Live =>
    ({
      ...Object.fromEntries(
        questions.map((method) => [method, (...args: readonly unknown[]) => both(method, args, missed)]),
      ),
      disconnect,
    }) as unknown as Live; // the methods of `own`, each with its arguments

  return {
    ...asked(() => {}),
    watched(): Watched {
      const silent = new Set<string>();
      const live = asked((names) => {
        for (const name of names) silent.add(name);
      });
      return { live, silent: () => [...silent] };
    },
  };
}
