// The nodes as the rest of the server sees them, and what they tell each other besides packets and events.
import type { Cluster, News, NodeStatus } from "../../core/cluster.ts";
import { type Carrier, MESSAGE } from "./carrier.ts";
import { Statement, type Tx } from "./database.ts";
import { GONE, type Nodes, SILENT } from "./nodes.ts";
import type { Survey } from "./survey.ts";

interface Row extends Pick<NodeStatus, "node" | "name" | "started" | "beat"> {
  /** null: it was not swept. */
  readonly stopped: boolean | null;
}

// One that is silent, is swept and lives on is there under its number again.
const all = new Statement<[], Row>(`
  SELECT DISTINCT ON (name, node) node, name, started, stopped, (extract(epoch FROM clock_timestamp() - at) * 1000)::bigint AS beat FROM (
    SELECT node, name, started, NULL::boolean AS stopped, beat AS at FROM nodes WHERE beat <> 'epoch'
    UNION ALL SELECT node, name, started, stopped, at FROM nodes_gone WHERE at > clock_timestamp() - interval '1 day'
    UNION ALL SELECT node, name, started, true, clock_timestamp() FROM nodes WHERE beat = 'epoch') n
  ORDER BY name, node, stopped NULLS FIRST`);
const owners = new Statement<[], { readonly kind: string; readonly name: string; readonly node: number }>(
  "SELECT kind, name, node FROM owners ORDER BY kind, name",
);

/** What a message has besides the news. */
const HEAD = 100;

type Heard = (news: never) => void;

export interface OwnCluster extends Cluster {
  /** This node hears that there is work, and tells nobody. */
  work(): void;
}

/** @param read statements by themselves, outside of turns */
export function openCluster(
  name: string,
  carrier: Carrier,
  nodes: Pick<Nodes, "node" | "alone" | "list">,
  survey: Survey,
  read: () => Tx,
): OwnCluster {
  const leads = (): boolean => nodes.list().every((one) => one.node >= nodes.node());
  const listeners = new Map<string, Heard[]>();
  const hear = (kind: string, news: unknown): void => {
    for (const heard of listeners.get(kind) ?? []) heard(news as never); // as `tell` took it
  };
  carrier.on("n", ({ node, text }) => {
    if (node === nodes.node()) return;
    const [kind, news] = JSON.parse(text) as readonly [string, unknown]; // as `tell` wrote it
    if (kind !== "accepted") hear(kind, news);
    else if (leads()) hear(kind, news);
  });

  /** A long list goes in halves. */
  function tell(kind: keyof News, news: unknown): void {
    const text = JSON.stringify([kind, news]);
    if (Buffer.byteLength(text) < MESSAGE - HEAD || !Array.isArray(news) || news.length < 2)
      return carrier.send("n", text);
    const half = news.length >> 1;
    tell(kind, news.slice(0, half));
    tell(kind, news.slice(half));
  }

  return {
    name,
    node: nodes.node,
    leads,
    nameOf: (node) => nodes.list().find((one) => one.node === node)?.name || String(node),
    async nodes() {
      const [rows, owned] = await Promise.all([all.all(read()), owners.all(read())]);
      return rows.map((row): NodeStatus => {
        const of = (kind: string): string[] =>
          owned.filter((one) => one.node === row.node && one.kind === kind).map((one) => one.name);
        const { stopped, ...rest } = row;
        return { ...rest, state: stateOf(row, row.node === nodes.node()), lanes: of("lane"), hooks: of("hook") };
      });
    },
    ask: (question, args, to, patience) => survey.ask(question, args, to, patience),
    answer: (question, answer) => survey.on(question, answer),
    tell(kind, news) {
      if (!nodes.alone()) tell(kind, news);
    },
    hear(kind, heard) {
      listeners.set(kind, [...(listeners.get(kind) ?? []), heard as Heard]);
    },
    work: () => hear("work", null),
  };
}

function stateOf({ stopped, beat }: Row, isOwn: boolean): NodeStatus["state"] {
  if (isOwn) return "here";
  if (stopped !== null) return stopped ? "left" : "gone";
  return beat < SILENT ? "alive" : beat < GONE ? "silent" : "gone";
}
