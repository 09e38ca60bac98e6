// Who changed something: when, from where, what, and what came of it.
import { curl, type Fields } from "../api.ts";
import { t } from "../language.ts";
import { filter, route } from "../route.ts";
import { said } from "../say.ts";
import { TextField } from "../ui/form.tsx";
import { Card, Code, Empty, Heading, State, Time } from "../ui/show.tsx";
import { List } from "../ui/table.tsx";
import { useWanted } from "../use.ts";

interface Entry {
  readonly entry: number;
  readonly time: number;
  readonly who?: string;
  readonly address: string;
  readonly action: string;
  readonly what: Fields;
  readonly status: number;
  readonly message?: string;
  readonly requestId: string;
}

const NAMES = ["who", "action", "from", "to"] as const;
type Filter = Record<(typeof NAMES)[number], string>;

/** As the field has it, by the clock of whoever looks; the API wants a moment. */
const moment = (local: string): number | undefined => (local === "" ? undefined : new Date(local).getTime());

export function Audit() {
  const { query } = route.value;
  const given = Object.fromEntries(NAMES.map((name) => [name, query[name] ?? ""])) as Filter;
  const [wanted, want] = useWanted(given);
  const set = (name: keyof Filter) => (value: string) => want({ ...wanted, [name]: value });
  const [from, to] = [moment(given.from), moment(given.to)];
  const fields = {
    ...(given.who && { who: given.who }),
    ...(given.action && { action: given.action }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  return (
    <div class="page">
      <Heading title={t("page.audit")} about={t("audit.about")} />
      <Card>
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            filter({ ...wanted, before: undefined }, true);
          }}
        >
          <TextField label={t("audit.who")} value={wanted.who} onValue={set("who")} />
          <TextField
            label={t("audit.action")}
            value={wanted.action}
            onValue={set("action")}
            placeholder="job/cancel"
            code
          />
          <TextField label={t("audit.from")} value={wanted.from} onValue={set("from")} type="datetime-local" />
          <TextField label={t("audit.to")} value={wanted.to} onValue={set("to")} type="datetime-local" />
          <button type="submit" class="main">
            {t("show")}
          </button>
        </form>
        <List<Entry, { entries: readonly Entry[]; next?: number }>
          caption={t("page.audit")}
          path="audit/list"
          fields={fields}
          cursor="before"
          every={5000}
          rows={({ entries }) => entries}
          next={({ next }) => next}
          name={({ entry }) => String(entry)}
          columns={[
            { head: t("devices.when"), cell: ({ time }) => <Time at={time} /> },
            {
              head: t("audit.who"),
              cell: ({ who, address }) => (
                <div class="roomy">
                  {who ?? <span class="muted">{t("audit.nobody")}</span>}
                  <div class="hint">{address}</div>
                </div>
              ),
            },
            { head: t("audit.action"), cell: ({ action }) => <Code>{action.replace(/^\//, "")}</Code> },
            { head: t("audit.what"), cell: ({ what }) => <What what={what} />, wide: true },
            {
              head: t("audit.result"),
              cell: ({ status, message, requestId }) => (
                <span title={requestId}>
                  <State
                    state={status < 400 ? "running" : "refused"}
                    text={status < 400 ? t("audit.done") : t("audit.refused", { status })}
                  />
                  {message !== undefined && <div class="hint">{said(message)}</div>}
                </span>
              ),
            },
          ]}
          empty={
            <Empty title={t("audit.none")} command={curl("audit/list", fields)}>
              {t("audit.noneDo")}
            </Empty>
          }
        />
      </Card>
    </div>
  );
}

/** A list as its members. */
const written = (value: unknown): string =>
  typeof value === "string"
    ? value
    : Array.isArray(value) && value.every((one) => typeof one === "string")
      ? value.join(", ")
      : JSON.stringify(value);

const What = ({ what }: { readonly what: Fields }) =>
  Object.keys(what).length === 0 ? null : (
    <ul class="what">
      {Object.entries(what).map(([name, value]) => (
        <li key={name}>
          <span class="muted">{name}</span> <Code>{written(value)}</Code>
        </li>
      ))}
    </ul>
  );
