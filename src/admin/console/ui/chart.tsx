// Curves over time, and how far something is.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { compact, day, moment, percent } from "../format.ts";
import { language } from "../language.ts";
import { theme } from "../theme.ts";

export interface Curve {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** A colour of console.css: 1 to 4. */
  readonly colour: 1 | 2 | 3 | 4;
}

const HEIGHT = 180;

/** @param times epoch milliseconds, one for each value @param show how a value is written */
export function Chart({
  label,
  times,
  curves,
  show = compact,
}: {
  readonly label: string;
  readonly times: readonly number[];
  readonly curves: readonly Curve[];
  readonly show?: (value: number) => string;
}) {
  const box = useRef<HTMLDivElement>(null);
  /** The point under the mouse. */
  const [at, point] = useState<number | null>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const names = curves.map(({ name }) => name).join();
  const [shownTheme, shownLanguage] = [theme.value, language.value];
  const data: uPlot.AlignedData = [times.map((at) => at / 1000), ...curves.map(({ values }) => values as number[])];
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const axis = {
      stroke: resolve(element, "--muted"),
      font: `12px ${getComputedStyle(element).fontFamily}`,
      grid: { stroke: resolve(element, "--line"), width: 1 },
      ticks: { show: false },
    };
    const options: uPlot.Options = {
      width: element.clientWidth,
      height: HEIGHT,
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      legend: { show: false },
      hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
      axes: [
        {
          ...axis,
          incrs: (_, __, from, to) => (to - from > DAYS ? DAILY : WITHIN),
          values: (plot, at) => at.map((second) => clock(second, spanOf(plot))),
          space: 70,
          size: 26,
        },
        { ...axis, ...(show === compact ? { incrs: WHOLE } : {}), values: (_, values) => values.map(show), size: 60 },
      ],
      series: [
        {},
        ...curves.map(({ name, colour: number }) => ({
          label: name,
          stroke: resolve(element, `--curve-${number}`),
          width: 2,
          points: { show: true, size: 5, filter: alone },
        })),
      ],
    };
    plot.current = new uPlot(options, data, element);
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names, shownTheme, shownLanguage]);
  useEffect(() => plot.current?.setData(data));
  const value = (values: Curve["values"]): string => {
    const shown = at === null ? values.findLast((one) => one !== null) : values[at];
    return shown === undefined || shown === null ? "–" : show(shown);
  };
  const summary = curves.map(({ name, values }) => `${name} ${value(values)}`).join(", ");
  const time = at === null ? undefined : times[at];
  return (
    <figure class="chart">
      <figcaption>
        {curves.map(({ name, values, colour }) => (
          <span key={name} class={`curve c${colour}`}>
            {name} <b>{value(values)}</b>
          </span>
        ))}
        <span class="muted">{time === undefined ? "" : moment(time)}</span>
      </figcaption>
      <div ref={box} role="img" aria-label={`${label}: ${summary}`} />
    </figure>
  );
}

/** Seconds from the first to the last. */
const spanOf = ({ scales }: uPlot): number => (scales["x"]?.max ?? 0) - (scales["x"]?.min ?? 0);

const clock = (second: number, span: number): string =>
  span > DAYS ? day(second * 1000) : new Date(second * 1000).toTimeString().slice(0, 5);

/** Seconds between two marks: of a few hours or days, and of more. */
const WITHIN = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400];
const DAILY = [1, 2, 5, 7, 14, 30].map((days) => days * 86_400);

/** Between two marks of what is counted: there is no half of it. */
const WHOLE = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

/** With more than so many seconds the day says more than the hour. */
const DAYS = 3 * 86_400;

/** Values that have none beside them: no line would show them. */
function alone({ data }: uPlot, series: number): number[] {
  const values = data[series] ?? [];
  const missing = (at: number): boolean => values[at] === null || values[at] === undefined;
  return [...values.keys()].filter((at) => !missing(at) && missing(at - 1) && missing(at + 1));
}

/** A canvas does not know custom properties, nor light-dark(). */
function resolve(element: HTMLElement, name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** @param part 0 to 1; undefined: it is not known how far */
export const Bar = ({ part, label }: { readonly part: number | undefined; readonly label: string }) => (
  <div class="bar">
    <progress aria-label={label} {...(part === undefined ? {} : { value: part, max: 1 })} />
    <span class="number">{part === undefined ? "" : percent(part)}</span>
  </div>
);

/** A curve the height of a line. */
export function Spark({ values, label }: { readonly values: readonly number[]; readonly label: string }) {
  const most = Math.max(1, ...values);
  const step = 100 / Math.max(1, values.length - 1);
  const points = values
    .map((value, i) => `${(i * step).toFixed(1)},${(22 - (value / most) * 20).toFixed(1)}`)
    .join(" ");
  return (
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points} />
    </svg>
  );
}
