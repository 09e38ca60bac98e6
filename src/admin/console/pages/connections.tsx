// Connections: a sample of those that are open, by what they are, and the end of one.
import { curl, type Fields } from "../api.ts";
import { bytes, count } from "../format.ts";
import { t } from "../language.ts";
import { filter, href, route } from "../route.ts";
import { SelectField, TextField } from "../ui/form.tsx";
import { Action, Card, Code, Empty, Heading, Time, Trouble } from "../ui/show.tsx";
import { Table } from "../ui/table.tsx";
import { useCall, useWanted } from "../use.ts";

interface Connection {
  readonly connection: string;
  readonly pushId?: string;
  readonly uid?: string;
  readonly platform?: string;
  readonly transport: string;
  readonly revision: number;
  readonly address: string;
  readonly since: number;
  readonly topics: number;
  readonly waiting: number;
  readonly node?: string;
}

interface Sample {
  readonly connections: readonly Connection[];
  readonly looked: number;
  readonly open: number;
}

const NAMES = ["platform", "transport", "revision", "address", "waiting", "olderThan", "youngerThan"] as const;
type Filter = Record<(typeof NAMES)[number], string>;

const ROWS = 100;
/** Bytes that wait for a client that counts as slow here. */
const SLOW = "4096";

export function Connections() {
  const { query } = route.value;
  const given = Object.fromEntries(NAMES.map((name) => [name, query[name] ?? ""])) as Filter;
  const [wanted, want] = useWanted(given);
  const set = (name: keyof Filter) => (value: string) => want({ ...wanted, [name]: value });
  const fields: Fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
  const { data, error, reload, loading } = useCall<Sample>("connection/list", { limit: ROWS, ...fields });
  const any = t("connections.any");
  return (
    <div class="page">
      <Heading title={t("page.connections")} about={t("connections.about")}>
        <button type="button" onClick={reload}>
          {t("connections.again")}
        </button>
      </Heading>
      <Card>
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            filter(wanted, true);
          }}
        >
          <TextField
            label={t("devices.platform")}
            value={wanted.platform}
            onValue={set("platform")}
            placeholder="ios"
          />
          <SelectField
            label={t("devices.transport")}
            value={wanted.transport}
            onValue={set("transport")}
            options={[
              ["", any],
              ["websocket", "websocket"],
              ["polling", "polling"],
            ]}
          />
          <SelectField
            label={t("connections.revision")}
            value={wanted.revision}
            onValue={set("revision")}
            options={[
              ["", any],
              ["3", "3"],
              ["4", "4"],
            ]}
          />
          <TextField label={t("devices.address")} value={wanted.address} onValue={set("address")} code />
          <SelectField
            label={t("connections.speed")}
            value={wanted.waiting}
            onValue={set("waiting")}
            options={[
              ["", any],
              [SLOW, t("connections.slow")],
            ]}
          />
          <SelectField
            label={t("connections.age")}
            value={wanted.olderThan === "" ? wanted.youngerThan : wanted.olderThan}
            onValue={(value) =>
              want({ ...wanted, olderThan: value === "1m" ? "" : value, youngerThan: value === "1m" ? value : "" })
            }
            options={[
              ["", any],
              ["1m", t("connections.new")],
              ["1h", t("connections.hour")],
              ["1d", t("connections.day")],
            ]}
          />
          <button type="submit" class="main">
            {t("show")}
          </button>
        </form>
        {error !== undefined && <Trouble error={error} retry={reload} />}
        <div class="list" aria-busy={loading}>
          {data !== undefined && (
            <p class="muted" role="status">
              {t("connections.looked", {
                shown: count(data.connections.length),
                looked: count(data.looked),
                open: count(data.open),
              })}
            </p>
          )}
          {data?.connections.length === 0 && (
            <Empty title={t("connections.none")} command={curl("connection/list", fields)}>
              {t(data.open === 0 ? "connections.noneYet" : "connections.noneFits")}
            </Empty>
          )}
          {data !== undefined && data.connections.length > 0 && (
            <Table<Connection>
              caption={t("page.connections")}
              rows={data.connections}
              name={({ connection }) => connection}
              columns={[
                {
                  head: t("devices.id"),
                  cell: ({ pushId }) =>
                    pushId === undefined ? (
                      <span class="muted">{t("connections.unnamed")}</span>
                    ) : (
                      <a href={href("devices", [pushId])}>{pushId}</a>
                    ),
                },
                {
                  head: t("devices.user"),
                  cell: ({ uid }) => (uid === undefined ? "" : <a href={href("users", [uid])}>{uid}</a>),
                },
                { head: t("devices.platform"), cell: ({ platform }) => platform ?? "" },
                {
                  head: t("devices.transport"),
                  cell: ({ transport, revision }) => `${transport}, Engine.IO ${revision}`,
                },
                {
                  head: t("devices.address"),
                  cell: ({ address }) => (
                    <a href={href("connections", [], { address })}>
                      <Code>{address}</Code>
                    </a>
                  ),
                },
                ...(data.connections.some(({ node }) => node !== undefined)
                  ? [{ head: t("nodes.at"), cell: ({ node }: Connection) => node ?? "" }]
                  : []),
                { head: t("devices.since"), cell: ({ since }) => <Time at={since} relative /> },
                {
                  head: t("connections.waiting"),
                  cell: ({ waiting }) => (waiting === 0 ? "" : bytes(waiting)),
                  number: true,
                },
                {
                  head: "",
                  label: " ",
                  cell: ({ connection }) => (
                    <Action
                      path="connection/close"
                      fields={{ connection }}
                      label={t("connections.close")}
                      question={t("connections.closeAsk")}
                      done="connections.closed"
                      then={reload}
                    />
                  ),
                },
              ]}
            />
          )}
        </div>
      </Card>
    </div>
  );
}
