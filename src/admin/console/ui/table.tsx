// Lists: a page of at most a hundred rows in the order of an index, with a link to the next.
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Fields } from "../api.ts";
import { count } from "../format.ts";
import { t } from "../language.ts";
import { href, route } from "../route.ts";
import { type Answer, useCall } from "../use.ts";
import { Card, Loading, Trouble } from "./show.tsx";

export const PAGE = 50;

export interface Column<Row> {
  readonly head: ComponentChildren;
  /** For narrow screens, where each row stands by itself; without it the head, if that is text. */
  readonly label?: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Numbers stand under each other. */
  readonly number?: boolean;
  /** Takes what the others leave. */
  readonly wide?: boolean;
}

interface TableProps<Row> {
  readonly caption: string;
  readonly rows: readonly Row[];
  readonly name: (row: Row) => string;
  readonly columns: readonly Column<Row>[];
  /** What can be chosen, by name. */
  readonly chosen?: ReadonlySet<string>;
  readonly onChoose?: (chosen: ReadonlySet<string>) => void;
}

export function Table<Row>({ caption, rows, name, columns, chosen, onChoose }: TableProps<Row>) {
  const choose = (names: readonly string[], yes: boolean): void => {
    const next = new Set(chosen);
    for (const one of names) yes ? next.add(one) : next.delete(one);
    onChoose?.(next);
  };
  const all = rows.map(name);
  return (
    <table>
      <caption>{caption}</caption>
      <thead>
        <tr>
          {chosen !== undefined && (
            <th class="pick">
              <input
                type="checkbox"
                aria-label={t("chooseAll")}
                checked={all.length > 0 && all.every((one) => chosen.has(one))}
                onChange={(event) => choose(all, event.currentTarget.checked)}
              />
            </th>
          )}
          {columns.map(({ head, number, wide }, i) => (
            <th key={i} scope="col" class={`${number === true ? "number" : ""} ${wide === true ? "wide" : ""}`}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={name(row)}>
            {chosen !== undefined && (
              <td class="pick">
                <input
                  type="checkbox"
                  aria-label={`${t("choose")}: ${name(row)}`}
                  checked={chosen.has(name(row))}
                  onChange={(event) => choose([name(row)], event.currentTarget.checked)}
                />
              </td>
            )}
            {columns.map(({ head, label, cell, number, wide }, i) => (
              <td
                key={i}
                class={`${number === true ? "number" : ""} ${wide === true ? "wide" : ""}`}
                data-label={label ?? (typeof head === "string" ? head : "")}
              >
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** To the next page and back to the first, in the address. */
export function Pager({
  cursor,
  next,
  size,
}: {
  readonly cursor: string;
  readonly next: unknown;
  readonly size: number;
}) {
  const { page, rest, query } = route.value;
  const here = query[cursor];
  if (here === undefined && next === undefined) return null;
  return (
    <nav class="pager" aria-label={t("pages")}>
      {here !== undefined && <a href={href(page, rest, { ...query, [cursor]: undefined })}>{t("firstPage")}</a>}
      <span class="muted">{t("rows", { n: size, shown: count(size) })}</span>
      {next !== undefined && <a href={href(page, rest, { ...query, [cursor]: next })}>{t("nextPage")}</a>}
    </nav>
  );
}

interface ListProps<Row, Body> extends Omit<TableProps<Row>, "rows"> {
  readonly path: string;
  readonly fields: Fields;
  readonly rows: (body: Body) => readonly Row[];
  readonly next?: (body: Body) => unknown;
  /** The parameter that the next page is asked for with, here and in the address. */
  readonly cursor?: "after" | "before";
  readonly empty: ComponentChildren;
  /** Milliseconds after which it is asked for again. New rows wait until they are wanted: none moves under the mouse. */
  readonly every?: number;
  /** Above the table, of the same answer. The table is in a card of its own then. */
  readonly above?: (answer: Answer<Body>) => ComponentChildren;
}

/** An endpoint's list as a table. */
export function List<Row, Body>(props: ListProps<Row, Body>) {
  const { path, fields, rows, next, cursor = "after", empty, every, above, name } = props;
  const here = route.value.query[cursor];
  const asked = { limit: PAGE, ...fields, ...(here === undefined ? {} : { [cursor]: here }) };
  // Only the first page has new rows.
  const answer = useCall<Body>(path, asked, here === undefined ? every : undefined);
  const shown = useRef<{ key: string; order: readonly string[] }>({ key: "", order: [] });
  const [, draw] = useState(0);
  const { data, error, loading, reload } = answer;
  if (error !== undefined && data === undefined) return <Trouble error={error} retry={reload} />;
  if (data === undefined) return <Loading />;
  const fresh = rows(data);
  const key = JSON.stringify(asked);
  const byName = new Map(fresh.map((row) => [name(row), row]));
  const kept = shown.current.order.filter((one) => byName.has(one));
  // Where nothing is shown yet nothing moves.
  const first = shown.current.key !== key || every === undefined || kept.length === 0;
  if (first && !loading) shown.current = { key, order: [...byName.keys()] };
  // Rows keep their place; what is new, and what would move them, waits.
  const order = first ? [...byName.keys()] : kept;
  const news = first ? 0 : [...byName.keys()].filter((one) => !shown.current.order.includes(one)).length;
  const show = (): void => {
    shown.current = { key, order: [...byName.keys()] };
    draw((n) => n + 1);
  };
  const table = <Table {...props} rows={order.map((one) => byName.get(one)!)} />;
  return (
    <div class="list" aria-busy={loading}>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {above?.(answer)}
      <p class="news" aria-live="polite">
        {news > 0 && (
          <button type="button" onClick={show}>
            {t("news", { n: news, shown: count(news) })}
          </button>
        )}
      </p>
      {order.length === 0 && empty}
      {order.length > 0 && above !== undefined && <Card>{table}</Card>}
      {order.length > 0 && above === undefined && table}
      <Pager cursor={cursor} next={next?.(data)} size={order.length} />
    </div>
  );
}
