// Curves of the last days: sessions by platform, every key by hour and day, how notifications of each type arrived.
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { DAY, MINUTE } from "../../../core/time.ts";
import { callCsv, curl } from "../api.ts";
import { compact, count, decimal, duration, percent } from "../format.ts";
import { t } from "../language.ts";
import { filter, href, route } from "../route.ts";
import type { Series } from "../types.ts";
import { Chart, type Curve, Spark } from "../ui/chart.tsx";
import { Choice } from "../ui/form.tsx";
import { Card, Empty, Heading, Loading, Term, Trouble } from "../ui/show.tsx";
import { Table } from "../ui/table.tsx";
import { complain } from "../ui/toast.tsx";
import { useCall } from "../use.ts";
import { save } from "./trace.tsx";

export function Statistics() {
  const [key] = route.value.rest;
  return (
    <div class="page">
      {key === undefined ? (
        <>
          <Heading title={t("page.statistics")} about={t("stats.about")} />
          <Platforms />
          <Keys />
          <Types />
        </>
      ) : (
        <OneKey name={key} />
      )}
    </div>
  );
}

/** A card with curves, which can be taken along as a picture and as a table. */
function Curves({
  title,
  aside,
  csv,
  children,
}: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly csv?: () => Promise<string>;
  readonly children: ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  const name = title.replace(/[^\w\u4e00-\u9fff.-]+/g, "-");
  return (
    <Card
      title={title}
      aside={
        <div class="buttons">
          {aside}
          {csv !== undefined && (
            <button
              type="button"
              onClick={() => void csv().then((text) => save(text, `${name}.csv`, "text/csv"), complain)}
            >
              CSV
            </button>
          )}
          <button type="button" onClick={() => box.current && picture(box.current, `${name}.png`)}>
            PNG
          </button>
        </div>
      }
    >
      <div ref={box} class="curves">
        {children}
      </div>
    </Card>
  );
}

/** All its curves below each other, on the ground that they have here. */
function picture(box: HTMLElement, name: string): void {
  const figures = [...box.querySelectorAll("figure")];
  const canvases = figures.flatMap((figure) => figure.querySelector("canvas") ?? []);
  const line = 28 * devicePixelRatio;
  const all = document.createElement("canvas");
  all.width = Math.max(1, ...canvases.map(({ width }) => width));
  all.height = canvases.reduce((sum, { height }) => sum + height + line, 0);
  const draw = all.getContext("2d");
  if (draw === null || canvases.length === 0) return;
  const { backgroundColor, color, fontFamily } = getComputedStyle(box.closest(".card") ?? box);
  draw.fillStyle = backgroundColor;
  draw.fillRect(0, 0, all.width, all.height);
  draw.font = `${13 * devicePixelRatio}px ${fontFamily}`;
  let y = 0;
  for (const [i, canvas] of canvases.entries()) {
    draw.fillStyle = color;
    draw.fillText(figures[i]?.querySelector("figcaption")?.textContent ?? "", 8, y + line * 0.7);
    draw.drawImage(canvas, 0, y + line);
    y += line + canvas.height;
  }
  all.toBlob((blob) => {
    if (blob === null) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}

const timesOf = ({ from, step }: Pick<Series, "from" | "step">, n: number): number[] =>
  Array.from({ length: n }, (_, i) => from + i * step);

// ---- sessions by platform

const SPANS = { hour: { minutes: 60 }, day: { minutes: 1440 }, week: { hours: 168 }, month: { hours: 720 } } as const;
type Span = keyof typeof SPANS;
const PLATFORMS = ["android", "ios", "browser", "other"] as const;

function Platforms() {
  const span = (route.value.query["span"] ?? "day") as Span;
  const asked = { seconds: 0, ...(SPANS[span] ?? SPANS.day) };
  const { data, error, reload } = useCall<{ minutes?: Series; hours?: Series }>("stats/live", asked, MINUTE);
  const series = data?.minutes ?? data?.hours;
  const curves = PLATFORMS.map(
    (name, i): Curve => ({
      name: t(`stats.platform.${name}`),
      values: series?.values[name] ?? [],
      colour: (i + 1) as Curve["colour"],
    }),
  );
  const times = series === undefined ? [] : timesOf(series, curves[0]?.values.length ?? 0);
  return (
    <Curves
      title={t("stats.platforms")}
      aside={
        <Choice
          label={t("stats.span")}
          value={span}
          onValue={(value) => filter({ span: value })}
          options={(Object.keys(SPANS) as Span[]).map((one) => [one, t(`stats.span.${one}`)] as const)}
        />
      }
      csv={async () =>
        [
          ["time", ...PLATFORMS].join(),
          ...times.map((at, i) => [new Date(at).toISOString(), ...curves.map(({ values }) => values[i] ?? "")].join()),
          "",
        ].join("\r\n")
      }
    >
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {series === undefined && error === undefined && <Loading />}
      {series !== undefined && <Chart label={t("stats.platforms")} times={times} curves={curves} />}
      <p class="hint">
        {t("name.sessions")}
        {t("colon")}
        {t("figure.sessions")}
      </p>
    </Curves>
  );
}

// ---- keys

interface Line {
  readonly key: string;
  readonly count: readonly number[];
  readonly success: readonly number[];
  readonly error: readonly number[];
  readonly rate: readonly number[];
  readonly latency: readonly number[];
}

interface Lines extends Pick<Series, "from" | "step"> {
  readonly by: "hour" | "day";
  readonly series: readonly Line[];
  readonly more?: number;
}

type By = "hour" | "day";
const DAYS = { hour: 7, day: 30 } as const;
const by = (): By => (route.value.query["by"] === "day" ? "day" : "hour");

const ByChoice = () => (
  <Choice<By>
    label={t("stats.by")}
    value={by()}
    onValue={(value) => filter({ by: value })}
    options={[
      ["hour", t("stats.by.hour")],
      ["day", t("stats.by.day")],
    ]}
  />
);

const total = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);

/** Milliseconds; undefined: none was measured. */
function meanLatency({ latency, success, count: all }: Line): number | undefined {
  let [sum, samples] = [0, 0];
  for (const [i, one] of latency.entries()) {
    const n = success[i] || all[i] || 0;
    sum += one * n;
    if (one > 0) samples += n;
  }
  return samples === 0 ? undefined : sum / samples;
}

/** Whether it is known how its calls ended. */
const ends = (line: Line): boolean => total(line.success) + total(line.error) > 0;

function Keys() {
  const asked = { by: by(), days: DAYS[by()] };
  const { data, error, reload } = useCall<Lines>("stats/series", asked);
  return (
    <Card
      title={t("stats.keys")}
      aside={
        <div class="buttons">
          <ByChoice />
          <Csv path="stats/series" fields={asked} name="statistics.csv" />
        </div>
      }
    >
      <p class="text">{t("stats.keysWhat")}</p>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data === undefined && error === undefined && <Loading />}
      {data?.series.length === 0 && (
        <Empty title={t("stats.none")} command={curl("stats/series", asked)}>
          {t("stats.noneDo")}
        </Empty>
      )}
      {data !== undefined && data.series.length > 0 && (
        <Table<Line>
          caption={t("stats.keys")}
          rows={data.series}
          name={({ key }) => key}
          columns={[
            {
              head: t("stats.key"),
              cell: ({ key }) => <a href={href("statistics", [key], { by: by() })}>{key}</a>,
              wide: true,
            },
            {
              head: t("stats.curve"),
              cell: ({ key, count: values }) => <Spark values={values} label={`${key}: ${count(total(values))}`} />,
            },
            { head: t("stats.count"), cell: ({ count: values }) => count(total(values)), number: true },
            {
              head: t("stats.success"),
              cell: (line) => (ends(line) ? percent(total(line.success) / Math.max(1, total(line.count))) : ""),
              number: true,
            },
            {
              head: t("stats.latency"),
              cell: (line) => {
                const mean = meanLatency(line);
                return mean === undefined ? "" : duration(mean);
              },
              number: true,
            },
          ]}
        />
      )}
      {data?.more !== undefined && <p class="muted">{t("stats.more", { n: data.more, shown: count(data.more) })}</p>}
    </Card>
  );
}

const Csv = ({
  path,
  fields,
  name,
}: {
  readonly path: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly name: string;
}) => (
  <button
    type="button"
    onClick={() => void callCsv(path, fields).then((text) => save(text, name, "text/csv"), complain)}
  >
    CSV
  </button>
);

function OneKey({ name }: { readonly name: string }) {
  const asked = { key: name, by: by(), days: DAYS[by()] };
  const { data, error, reload } = useCall<Lines>("stats/series", asked);
  const line = data?.series[0];
  if (error !== undefined) return <Trouble error={error} retry={reload} />;
  if (data === undefined || line === undefined) return <Loading />;
  const times = timesOf(data, line.count.length);
  const success = line.success.map((one, i) => (line.count[i] ? one / line.count[i]! : null));
  const latency = line.latency.map((one) => (one === 0 ? null : one));
  const one = (label: string, values: Curve["values"], colour: Curve["colour"], show?: (value: number) => string) => (
    <Chart label={label} times={times} curves={[{ name: label, values, colour }]} {...(show ? { show } : {})} />
  );
  return (
    <>
      <p class="crumb">
        <a href={href("statistics", [], { by: by() })}>{t("page.statistics")}</a>
      </p>
      <Heading title={name} />
      <Curves title={name} aside={<ByChoice />} csv={() => callCsv("stats/series", asked)}>
        {one(t("stats.count"), line.count, 1)}
        {one(t("stats.rate"), line.rate, 3, (value) => decimal(value))}
        {latency.some((value) => value !== null) &&
          one(t("stats.latency"), latency, 2, (value) => `${compact(value)} ms`)}
        {ends(line) && one(t("stats.success"), success, 4, percent)}
      </Curves>
    </>
  );
}

// ---- types

interface OfType {
  readonly type: string;
  readonly notifications: number;
  readonly target: number;
  readonly accepted: number;
  readonly arrive: number;
  readonly click: number;
  readonly failed: number;
  readonly arrivalRate: string;
  readonly clickRate: string;
  readonly partial?: boolean;
  readonly days: readonly { readonly day: number; readonly target: number; readonly arrive: number }[];
}

const TYPE_DAYS = { days: 30 };

function Types() {
  const { data, error, reload } = useCall<{ from: number; types: readonly OfType[] }>("stats/types", TYPE_DAYS);
  return (
    <Card title={t("stats.types")} aside={<Csv path="stats/types" fields={TYPE_DAYS} name="arrivals.csv" />}>
      <p class="text">{t("stats.typesWhat")}</p>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data === undefined && error === undefined && <Loading />}
      {data?.types.length === 0 && (
        <Empty
          title={t("stats.noTypes")}
          command={curl("notification", {
            pushId: "PUSHID",
            type: "news",
            notification: { android: { title: "Hello" } },
          })}
        >
          {t("stats.noTypesDo")}
        </Empty>
      )}
      {data !== undefined && data.types.length > 0 && (
        <Table<OfType>
          caption={t("stats.types")}
          rows={data.types}
          name={({ type }) => type}
          columns={[
            {
              head: t("stats.type"),
              cell: ({ type, partial }) => `${type}${partial === true ? " *" : ""}`,
              wide: true,
            },
            {
              head: t("stats.curve"),
              cell: ({ type, days }) => <Spark values={byDay(days, data.from)} label={type} />,
            },
            { head: t("stats.notifications"), cell: (one) => count(one.notifications), number: true },
            { head: t("stats.target"), cell: ({ target }) => count(target), number: true },
            {
              head: <Term figure="accepted" />,
              label: t("name.accepted"),
              cell: ({ accepted }) => count(accepted),
              number: true,
            },
            {
              head: <Term figure="arrived" />,
              label: t("name.arrived"),
              cell: ({ arrive, arrivalRate }) => `${count(arrive)} (${arrivalRate})`,
              number: true,
            },
            {
              head: <Term figure="clicked" />,
              label: t("name.clicked"),
              cell: ({ click, clickRate }) => `${count(click)} (${clickRate})`,
              number: true,
            },
            {
              head: <Term figure="failed" />,
              label: t("name.failed"),
              cell: ({ failed }) => count(failed),
              number: true,
            },
          ]}
        />
      )}
      {data?.types.some(({ partial }) => partial === true) === true && <p class="muted">{t("stats.partial")}</p>}
    </Card>
  );
}

/** Devices addressed on each day. */
function byDay(days: OfType["days"], from: number): number[] {
  const values = new Array<number>(TYPE_DAYS.days).fill(0);
  for (const { day, target } of days) {
    const at = Math.round((day - from) / DAY);
    if (at >= 0 && at < values.length) values[at] = target;
  }
  return values;
}
