// The API, as the server describes itself: what each endpoint is for, what it takes and answers, and trying it.
import { useState } from "preact/hooks";
import { may } from "../access.ts";
import { call, curl, Refused } from "../api.ts";
import { language, t } from "../language.ts";
import { filter, href, route } from "../route.ts";
import { CheckField, TextField } from "../ui/form.tsx";
import { Card, Code, Command, Empty, Heading, Loading, State, Trouble } from "../ui/show.tsx";
import { Table } from "../ui/table.tsx";
import { complain } from "../ui/toast.tsx";
import { useCall } from "../use.ts";

type Schema = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface Path {
  readonly summary: string;
  readonly "x-access"?: string;
  readonly parameters?: readonly Parameter[];
  readonly get: {
    readonly parameters?: readonly Parameter[];
    readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: Schema }>> }>>;
  };
}

interface Description {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Path>>;
}

const short = (path: string): string => path.replace(/^\/api\//, "");

export function Reference() {
  const { data, error } = useCall<Description>("openapi.json", { lang: language.value });
  const name = route.value.rest.join("/");
  if (error !== undefined) return <Trouble error={error} />;
  if (data === undefined) return <Loading />;
  const one = data.paths[`/api/${name}`];
  return name === "" ? (
    <All description={data} />
  ) : one === undefined ? (
    <Unknown name={name} />
  ) : (
    <One name={name} path={one} />
  );
}

const Unknown = ({ name }: { readonly name: string }) => (
  <div class="page">
    <Heading title={name} />
    <Empty title={t("reference.unknown")}>
      <a href={href("reference")}>{t("page.reference")}</a>
    </Empty>
  </div>
);

// ---- all

function All({ description: { info, paths } }: { readonly description: Description }) {
  const { find = "" } = route.value.query;
  const [wanted, want] = useState(find);
  const looked = wanted.trim().toLowerCase();
  const shown = Object.entries(paths).filter(([path, { summary }]) =>
    `${path} ${summary}`.toLowerCase().includes(looked),
  );
  return (
    <div class="page">
      <Heading title={t("page.reference")} about={t("reference.about", { version: info.version })}>
        <a class="button" href={`/api/openapi.json?lang=${language.value}`} download="pushbox-openapi.json">
          {t("reference.download")}
        </a>
      </Heading>
      <Card>
        <TextField
          label={t("reference.find")}
          type="search"
          value={wanted}
          onValue={(value) => {
            want(value);
            filter({ find: value });
          }}
        />
        {shown.length === 0 && <Empty title={t("reference.none")}>{t("config.noneDo")}</Empty>}
        {shown.length > 0 && (
          <Table<[string, Path]>
            caption={t("page.reference")}
            rows={shown}
            name={([path]) => path}
            columns={[
              {
                head: t("reference.path"),
                cell: ([path]) => (
                  <a href={href("reference", short(path).split("/"))}>
                    <Code>{short(path)}</Code>
                  </a>
                ),
              },
              { head: t("reference.what"), cell: ([, { summary }]) => summary, wide: true },
              { head: t("reference.access"), cell: ([, path]) => <Access path={path} /> },
            ]}
          />
        )}
      </Card>
    </div>
  );
}

const Access = ({ path }: { readonly path: Path }) => {
  const access = path["x-access"] ?? "read";
  return (
    <State
      state={access === "grave" ? "stopped" : access === "read" ? "finished" : "paused"}
      text={t(`reference.access.${access === "grave" || access === "read" ? access : "change"}`)}
    />
  );
};

// ---- one

/** A type in a word or two. */
function typeOf({ type, anyOf, enum: words, items, additionalProperties }: Schema): string {
  if (Array.isArray(words)) return words.filter((word) => typeof word === "string").join(" | ");
  if (Array.isArray(anyOf)) return (anyOf as Schema[]).map(typeOf).join(" | ");
  if (Array.isArray(type)) return type.join(" | ");
  if (type === "array") {
    const inner = typeOf((items ?? {}) as Schema);
    return inner.includes(" ") ? `(${inner})[]` : `${inner}[]`;
  }
  if (type === "object" && typeof additionalProperties === "object")
    return `{name: ${typeOf(additionalProperties as Schema)}}`;
  return typeof type === "string" ? type : "JSON";
}

function One({ name, path }: { readonly name: string; readonly path: Path }) {
  const parameters = [...(path.parameters ?? []), ...(path.get.parameters ?? [])].filter((one) => one.in !== "header");
  const answers = path.get.responses["200"]?.content ?? {};
  const [media, answer] = Object.entries(answers)[0] ?? [];
  return (
    <div class="page">
      <p class="crumb">
        <a href={href("reference")}>{t("page.reference")}</a>
      </p>
      <Heading title={name} about={path.summary}>
        <Access path={path} />
      </Heading>
      <Card title={t("reference.takes")}>
        {parameters.length === 0 ? (
          <p class="muted">{t("reference.nothing")}</p>
        ) : (
          <Table<Parameter>
            caption={t("reference.takes")}
            rows={parameters}
            name={(one) => one.name}
            columns={[
              { head: t("reference.name"), cell: (one) => <Code>{one.name}</Code> },
              { head: t("reference.type"), cell: ({ schema }) => <span class="muted">{typeOf(schema)}</span> },
              { head: t("reference.meaning"), cell: (one) => <Meaning {...one} />, wide: true },
            ]}
          />
        )}
      </Card>
      {media === "application/json" && <Try name={name} path={path} parameters={parameters} />}
      <Card title={t("reference.answers")}>
        <p class="muted">{Object.keys(answers).join(", ")}</p>
        {answer !== undefined && <Members schema={answer.schema} />}
      </Card>
    </div>
  );
}

function Meaning({ description, schema }: Parameter) {
  const { minimum, maximum, default: usual } = schema;
  const bounds =
    minimum !== undefined && maximum !== undefined
      ? t("reference.bounds", { least: String(minimum), most: String(maximum) })
      : "";
  return (
    <>
      {description ?? ""}
      <span class="muted">
        {bounds === "" ? "" : ` ${bounds}`}
        {usual === undefined ? "" : ` ${t("reference.usual", { usual: String(usual) })}`}
      </span>
    </>
  );
}

/** The members of an answer, those inside others below them. */
function Members({ schema }: { readonly schema: Schema }) {
  const inner = schemaOf(schema);
  const properties = Object.entries((inner["properties"] ?? {}) as Readonly<Record<string, Schema>>);
  const required = new Set((inner["required"] ?? []) as readonly string[]);
  if (properties.length === 0) return <Code>{typeOf(schema)}</Code>;
  return (
    <ul class="members">
      {properties.map(([name, one]) => (
        <li key={name}>
          <Code>{name}</Code> <span class="muted">{typeOf(one)}</span>
          {!required.has(name) && <span class="muted"> {t("reference.mayBeAbsent")}</span>}
          {typeof one["description"] === "string" && <span> – {one["description"]}</span>}
          {"properties" in schemaOf(one) && <Members schema={one} />}
        </li>
      ))}
    </ul>
  );
}

/** What a list is a list of; of several forms the first that has members. */
function schemaOf(schema: Schema): Schema {
  if (schema["type"] === "array") return schemaOf((schema["items"] ?? {}) as Schema);
  const { anyOf } = schema;
  return Array.isArray(anyOf)
    ? ((anyOf as Schema[]).map(schemaOf).find((one) => "properties" in one) ?? schema)
    : schema;
}

interface TryProps {
  readonly name: string;
  readonly path: Path;
  readonly parameters: readonly Parameter[];
}

function Try({ name, path, parameters }: TryProps) {
  const [values, set] = useState<Readonly<Record<string, string>>>({});
  const [answer, show] = useState<{ readonly text: string; readonly well: boolean } | undefined>(undefined);
  const [busy, wait] = useState(false);
  const free = parameters.find((one) => one.in === "path")?.name;
  const place = free === undefined ? name : name.replace(`{${free}}`, encodeURIComponent(values[free] ?? ""));
  const fields = Object.fromEntries(
    Object.entries(values).flatMap(([one, value]) => (value === "" || one === free ? [] : [[one, given(value)]])),
  );
  if (!may(name)) return null;
  const go = async (): Promise<void> => {
    wait(true);
    try {
      show({ text: JSON.stringify(await call(place, fields), null, 2), well: true });
    } catch (error) {
      if (error instanceof Refused)
        show({
          text: JSON.stringify({ status: error.status, message: error.message, hint: error.hint }, null, 2),
          well: false,
        });
      else complain(error);
    } finally {
      wait(false);
    }
  };
  return (
    <Card title={t("reference.try")}>
      {path["x-access"] !== "read" && (
        <div class="notice">
          <span class="what">{t("reference.tryWarns")}</span>
        </div>
      )}
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <div class="fields two">
          {parameters.map((one) =>
            isFlag(one.schema) ? (
              <CheckField
                key={one.name}
                label={one.name}
                value={values[one.name] === "true"}
                onValue={(yes) => set({ ...values, [one.name]: yes ? "true" : "" })}
              />
            ) : (
              <TextField
                key={one.name}
                label={one.name}
                value={values[one.name] ?? ""}
                onValue={(value) => set({ ...values, [one.name]: value })}
                code
              />
            ),
          )}
        </div>
        <div class="buttons">
          <button type="submit" class="main" disabled={busy}>
            {t("reference.go")}
          </button>
        </div>
      </form>
      <Command text={curl(place, fields)} />
      {answer !== undefined && (
        <div role="status">
          <p class={answer.well ? "better" : "worse"}>{t(answer.well ? "reference.well" : "reference.ill")}</p>
          <Command text={answer.text} />
        </div>
      )}
    </Card>
  );
}

const isFlag = ({ enum: words }: Schema): boolean => Array.isArray(words) && words.includes(true);

/** Lists and objects are written as JSON; what is none is text. */
function given(value: string): unknown {
  if (!/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
