// The processes that share a PostgreSQL: a card of the overview, and nothing where there is only one process.
import { compact } from "../format.ts";
import { t } from "../language.ts";
import { laneName } from "../say.ts";
import type { Lane } from "../types.ts";
import { Card, Code, State, Time } from "../ui/show.tsx";
import { Table } from "../ui/table.tsx";
import { useCall } from "../use.ts";

interface NodeRow {
  readonly node: number;
  readonly name: string;
  readonly state: "here" | "alive" | "silent" | "gone" | "left";
  readonly started: number;
  /** Milliseconds. */
  readonly beat: number;
  readonly lanes: readonly Pick<Lane, "provider" | "app" | "host">[];
  readonly hooks: readonly string[];
  readonly version?: string;
  readonly connections?: number;
  readonly sessions?: number;
  readonly rates?: Readonly<Record<"opened" | "packets" | "apiCalls" | "apiErrors", number>>;
}

/** Milliseconds. */
const EVERY = 5000;

const STATES: Readonly<Record<NodeRow["state"], string>> = {
  here: "running",
  alive: "running",
  silent: "failing",
  gone: "stopped",
  left: "finished",
};

export function Nodes() {
  const { data } = useCall<{ nodes: readonly NodeRow[] }>("node/list", {}, EVERY);
  if (data === undefined || data.nodes.length === 0) return null;
  const told = (value: number | undefined): string => (value === undefined ? "–" : compact(value));
  return (
    <Card title={t("nodes.title")}>
      <p class="muted">{t("nodes.about")}</p>
      <Table<NodeRow>
        caption={t("nodes.title")}
        rows={data.nodes}
        name={({ node }) => String(node)}
        columns={[
          { head: t("nodes.name"), cell: ({ name, node }) => <span title={String(node)}>{name}</span> },
          {
            head: t("nodes.state"),
            cell: ({ state }) => <State state={STATES[state]} text={t(`nodes.state.${state}`)} />,
          },
          { head: t("nodes.version"), cell: ({ version }) => version ?? "–" },
          { head: t("nodes.started"), cell: ({ started }) => <Time at={started} relative /> },
          { head: t("nodes.beat"), cell: ({ beat }) => <Time at={Date.now() - beat} relative /> },
          { head: t("name.connections"), cell: ({ connections }) => told(connections), number: true },
          { head: t("name.sessions"), cell: ({ sessions }) => told(sessions), number: true },
          { head: t("overview.packets"), cell: ({ rates }) => told(rates?.packets), number: true },
          { head: t("overview.calls"), cell: ({ rates }) => told(rates?.apiCalls), number: true },
          {
            head: t("nodes.does"),
            cell: ({ lanes, hooks }) =>
              [...lanes.map(laneName), ...hooks].map((name) => (
                <div key={name}>
                  <Code>{name}</Code>
                </div>
              )),
          },
        ]}
      />
    </Card>
  );
}
