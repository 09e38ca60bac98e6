// The settings that hold, where each came from, and what reading their sources again would change.
import { curl } from "../api.ts";
import { language, t } from "../language.ts";
import { filter, route } from "../route.ts";
import { said } from "../say.ts";
import { CheckField, TextField } from "../ui/form.tsx";
import { Action, Card, Code, Command, Empty, Heading, Loading, OneProcess, State, Trouble } from "../ui/show.tsx";
import { Table } from "../ui/table.tsx";
import { useCall, useWanted } from "../use.ts";

interface Setting {
  readonly name: string;
  readonly value: unknown;
  readonly origin: string;
  readonly why: string;
  readonly live: boolean;
}

interface Entry {
  readonly provider: string;
  readonly origin: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly why: Readonly<Record<string, string>>;
}

interface Difference {
  readonly name: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly takes: "reload" | "restart";
}

interface Compared {
  readonly changes: readonly Difference[];
  readonly warnings?: readonly string[];
  readonly problems?: readonly string[];
}

export function Configuration() {
  const { data, error, reload } = useCall<{ settings: readonly Setting[]; vendors: readonly Entry[] }>("config/get", {
    lang: language.value,
  });
  const compared = useCall<Compared>("config/diff", { lang: language.value });
  const again = (): void => {
    reload();
    compared.reload();
  };
  return (
    <div class="page">
      <Heading title={t("page.configuration")} about={t("config.about")} />
      <OneProcess />
      <Card
        title={t("config.sources")}
        aside={
          <div class="buttons">
            <button type="button" onClick={compared.reload}>
              {t("config.compare")}
            </button>
            <Action
              path="config/reload"
              fields={{}}
              label={t("config.reload")}
              question={t("config.reloadAsk")}
              done="config.reloaded"
              kind="main"
              then={again}
            />
          </div>
        }
      >
        {compared.error !== undefined && <Trouble error={compared.error} retry={compared.reload} />}
        {compared.data === undefined && compared.error === undefined && <Loading />}
        {compared.data !== undefined && <Differences {...compared.data} />}
      </Card>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data !== undefined && <Settings settings={data.settings} />}
      {data !== undefined && <Vendors entries={data.vendors} />}
    </div>
  );
}

function Differences({ changes, warnings = [], problems = [] }: Compared) {
  return (
    <>
      {problems.length > 0 && (
        <div class="trouble" role="alert">
          <div>
            <p>{t("config.problems")}</p>
            <ul>
              {problems.map((problem) => (
                <li key={problem}>
                  <Code>{problem}</Code>
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
      {warnings.map((warning) => (
        <div key={warning} class="notice">
          <span class="what">{warning}</span>
        </div>
      ))}
      {problems.length === 0 && changes.length === 0 && (
        <div class="notice good">
          <span class="what">{t("config.same")}</span>
        </div>
      )}
      {changes.length > 0 && (
        <Table<Difference>
          caption={t("config.changes")}
          rows={changes}
          name={({ name }) => name}
          columns={[
            { head: t("config.setting"), cell: ({ name }) => <Code>{said(name)}</Code> },
            { head: t("config.before"), cell: ({ before }) => <Value value={before} />, wide: true },
            { head: t("config.after"), cell: ({ after }) => <Value value={after} />, wide: true },
            {
              head: t("config.takes"),
              cell: ({ takes }) => (
                <State state={takes === "reload" ? "running" : "paused"} text={t(`config.takes.${takes}`)} />
              ),
            },
          ]}
        />
      )}
    </>
  );
}

const Value = ({ value }: { readonly value: unknown }) =>
  value === undefined || value === "" ? <span class="muted">–</span> : <Code>{written(value)}</Code>;

const written = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const section = (name: string): string => (name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "");

function Settings({ settings }: { readonly settings: readonly Setting[] }) {
  const { find = "", set = "" } = route.value.query;
  const [wanted, want] = useWanted(find);
  const looked = wanted.trim().toLowerCase();
  const shown = settings.filter(
    ({ name, why, origin, value }) =>
      (set === "" || origin !== "default") && `${name} ${why} ${written(value ?? "")}`.toLowerCase().includes(looked),
  );
  const sections = [...new Set(shown.map(({ name }) => section(name)))];
  return (
    <Card title={t("config.settings")}>
      <div class="filter-line">
        <TextField
          label={t("config.find")}
          type="search"
          value={wanted}
          onValue={(value) => {
            want(value);
            filter({ find: value });
          }}
        />
        <CheckField
          label={t("config.onlySet")}
          value={set !== ""}
          onValue={(yes) => filter({ set: yes ? "yes" : undefined })}
        />
      </div>
      {shown.length === 0 && <Empty title={t("config.none")}>{t("config.noneDo")}</Empty>}
      {sections.map((one) => (
        <section key={one} class="settings">
          <h3>{one === "" ? t("config.general") : `[${one}]`}</h3>
          <Table<Setting>
            caption={one === "" ? t("config.general") : `[${one}]`}
            rows={shown.filter(({ name }) => section(name) === one)}
            name={({ name }) => name}
            columns={[
              {
                head: t("config.setting"),
                cell: ({ name, why }) => (
                  <div>
                    <Code>{name.slice(name.lastIndexOf(".") + 1)}</Code>
                    <div class="hint">{why}</div>
                  </div>
                ),
                wide: true,
              },
              { head: t("config.value"), cell: ({ value }) => <Value value={value} /> },
              {
                head: t("config.origin"),
                cell: ({ origin }) =>
                  origin === "default" ? <span class="muted">{t("config.default")}</span> : <Code>{origin}</Code>,
              },
              { head: t("config.takes"), cell: ({ live }) => t(live ? "config.live" : "config.restart") },
            ]}
          />
        </section>
      ))}
    </Card>
  );
}

function Vendors({ entries }: { readonly entries: readonly Entry[] }) {
  return (
    <Card title={t("config.vendors")}>
      {entries.length === 0 && (
        <Empty title={t("config.noVendors")} command="pushbox init">
          {t("config.noVendorsDo")}
        </Empty>
      )}
      {entries.map(({ provider, origin, values, why }) => (
        <section key={`${provider} ${origin}`} class="settings">
          <h3>
            {provider} <span class="muted">{origin}</span>
          </h3>
          <dl class="facts">
            {Object.entries(values).map(([name, value]) => (
              <div key={name}>
                <dt>
                  <Code>{name}</Code>
                  {why[name] !== undefined && <div class="hint">{why[name]}</div>}
                </dt>
                <dd>
                  <Value value={value} />
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <details>
        <summary>{t("copyCurl")}</summary>
        <Command text={curl("config/get", {})} />
      </details>
    </Card>
  );
}
