// What pages are made of: headings, figures with their meaning, states, times, what is not there yet.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Figure } from "../../../core/figures.ts";
import { may } from "../access.ts";
import { call, curl, type Fields, session } from "../api.ts";
import { ago, exact, moment } from "../format.ts";
import { t, tOr, type Word } from "../language.ts";
import { confirm } from "./dialog.tsx";
import { Icon } from "./icon.tsx";
import { complain, explain, toast } from "./toast.tsx";

/** To the page's heading; while it is loading, to the place where that comes. */
export function focusPage(): void {
  const main = document.querySelector<HTMLElement>("main");
  (main?.querySelector<HTMLElement>("h1") ?? main)?.focus({ preventScroll: true });
}

export function Heading({
  title,
  about,
  children,
}: {
  readonly title: string;
  readonly about?: ComponentChildren;
  /** Actions, at the end of the line. */
  readonly children?: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${title} · pushbox`;
  }, [title]);
  useLayoutEffect(() => {
    if (document.activeElement?.tagName === "MAIN") focusPage();
  }, []);
  return (
    <header class="heading">
      <div>
        <h1 tabIndex={-1}>{title}</h1>
        {about !== undefined && <p class="about">{about}</p>}
      </div>
      {children !== undefined && <div class="buttons">{children}</div>}
    </header>
  );
}

/** On pages that speak of one process, where there are several: which one. */
export const OneProcess = () =>
  session.value?.here === undefined ? null : <p class="muted">{t("nodes.one", { name: session.value.here })}</p>;

export const Card = ({
  title,
  aside,
  children,
}: {
  readonly title?: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}) => (
  <section class="card">
    {(title !== undefined || aside !== undefined) && (
      <header>
        {title !== undefined && <h2>{title}</h2>}
        {aside}
      </header>
    )}
    {children}
  </section>
);

// ---- definitions

interface Tip {
  readonly id: string;
  readonly text: string;
  readonly left: number;
  readonly top: number;
}

const tip = signal<Tip | undefined>(undefined);
addEventListener("scroll", () => (tip.value = undefined), true);

/** The one that is shown: outside of everything, so that nothing cuts it off. */
export function Tips() {
  const box = useRef<HTMLDivElement>(null);
  const shown = tip.value;
  useEffect(() => {
    if (shown === undefined || box.current === null) return;
    const { offsetWidth, offsetHeight, style } = box.current;
    style.left = `${Math.max(8, Math.min(shown.left, innerWidth - offsetWidth - 8))}px`;
    style.top = `${shown.top + offsetHeight > innerHeight - 8 ? shown.top - offsetHeight - 36 : shown.top}px`;
  }, [shown]);
  if (shown === undefined) return null;
  return (
    <div ref={box} class="tip" aria-hidden="true">
      {shown.text}
    </div>
  );
}

/** A word with the sentence that says what is meant by it, shown when it has the focus or the mouse. */
export function Term({ figure, children }: { readonly figure: Figure; readonly children?: ComponentChildren }) {
  const id = useId();
  const text = t(`figure.${figure}`);
  const show = ({ currentTarget }: { readonly currentTarget: HTMLElement }): void => {
    const { left, bottom } = currentTarget.getBoundingClientRect();
    tip.value = { id, text, left, top: bottom + 6 };
  };
  const hide = (): void => {
    if (tip.value?.id === id) tip.value = undefined;
  };
  return (
    <button
      type="button"
      class="term"
      aria-description={text}
      onFocus={show}
      onMouseEnter={show}
      onBlur={hide}
      onMouseLeave={hide}
      onKeyDown={({ key }) => key === "Escape" && hide()}
    >
      {children ?? t(`name.${figure}`)}
    </button>
  );
}

/** A figure under its name. */
export const Tile = ({
  figure,
  label,
  value,
  note,
  tone,
  to,
}: {
  readonly figure?: Figure;
  readonly label?: string;
  readonly value: ComponentChildren;
  readonly note?: ComponentChildren;
  readonly tone?: Tone;
  readonly to?: string;
}) => (
  <div class={`tile ${tone ?? ""}`}>
    <div class="name">{figure === undefined ? label : <Term figure={figure}>{label}</Term>}</div>
    <div class="value">{to === undefined ? value : <a href={to}>{value}</a>}</div>
    {note !== undefined && <div class="note">{note}</div>}
  </div>
);

// ---- states and times

export type Tone = "good" | "warn" | "bad" | "calm";

const TONES: Readonly<Record<string, Tone>> = {
  running: "good",
  accepted: "good",
  sent: "good",
  connected: "good",
  arrived: "good",
  finished: "calm",
  scheduled: "calm",
  deferred: "calm",
  queued: "calm",
  paused: "warn",
  failing: "warn",
  expired: "warn",
  skipped: "calm",
  cancelled: "calm",
  stopped: "bad",
  refused: "bad",
  gone: "bad",
  off: "bad",
};

/** A state in a word, and its colour. */
export const State = ({ state, text }: { readonly state: string; readonly text?: string }) => (
  <span class={`state ${TONES[state] ?? "calm"}`}>{text ?? tOr(`state.${state}`, state)}</span>
);

const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 10_000);

/** @param relative also how long ago that was */
export const Time = ({ at, relative }: { readonly at: number | undefined; readonly relative?: boolean }) =>
  at === undefined ? (
    <span class="muted">–</span>
  ) : (
    <time dateTime={new Date(at).toISOString()} title={exact(at)}>
      {relative === true ? ago(at, at > now.value ? Date.now() : now.value) : moment(at)}
    </time>
  );

/** A name that programs chose: as it is, in one width. */
export const Code = ({ children }: { readonly children: ComponentChildren }) => <code>{children}</code>;

/** A name and its value; false: there is none. */
export type Fact = readonly [name: string, value: ComponentChildren] | false;

export const Facts = ({ rows }: { readonly rows: readonly Fact[] }) => (
  <dl class="facts">
    {rows.map(
      (row) =>
        row && (
          <div key={row[0]}>
            <dt>{row[0]}</dt>
            <dd>{row[1]}</dd>
          </div>
        ),
    )}
  </dl>
);

// ---- what is not there

export const Trouble = ({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) => (
  <div class="trouble" role="alert">
    <p>{explain(error)}</p>
    {retry !== undefined && (
      <button type="button" onClick={retry}>
        {t("again")}
      </button>
    )}
  </div>
);

/** What to do so that something is here. */
export const Empty = ({
  title,
  children,
  command,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly command?: string;
}) => (
  <div class="empty">
    <p class="title">{title}</p>
    {children !== undefined && <p>{children}</p>}
    {command !== undefined && <Command text={command} />}
  </div>
);

export const Loading = () => (
  <p class="loading" aria-busy="true">
    {t("loading")}
  </p>
);

// ---- commands

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  } catch {
    toast(t("notCopied"), true);
  }
}

/** A line for a terminal. */
export const Command = ({ text }: { readonly text: string }) => (
  <div class="command">
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what is wider than the page is scrolled by keys */}
    <pre tabIndex={0}>{text}</pre>
    <button type="button" class="plain" aria-label={t("copy")} title={t("copy")} onClick={() => void copy(text)}>
      <Icon name="copy" />
    </button>
  </div>
);

export const CopyCurl = ({ path, fields }: { readonly path: string; readonly fields: Fields }) => (
  <button type="button" onClick={() => void copy(curl(path, fields))}>
    <Icon name="copy" />
    {t("copyCurl")}
  </button>
);

/** JSON as it was sent. */
export function Json({ value, title }: { readonly value: unknown; readonly title: string }) {
  const text = JSON.stringify(value, null, 2);
  return (
    <details class="json">
      <summary>{title}</summary>
      <Command text={text} />
    </details>
  );
}

/** A button that calls an endpoint; it is not there for whoever may not call it. */
export function Action({
  path,
  fields,
  label,
  done,
  question,
  kind,
  then,
}: {
  readonly path: string;
  readonly fields: Fields;
  readonly label: string;
  /** Said when it went well. */
  readonly done: Word | ((answer: Fields) => string);
  /** Asked before. */
  readonly question?: string;
  readonly kind?: "main" | "grave";
  readonly then?: () => void;
}) {
  const [busy, wait] = useState(false);
  if (!may(path)) return null;
  const act = async (): Promise<void> => {
    if (question !== undefined && !(await confirm(label, question, label, kind === "grave"))) return;
    wait(true);
    try {
      const answer = await call(path, fields);
      toast(typeof done === "function" ? done(answer) : t(done));
      then?.();
    } catch (error) {
      complain(error);
    } finally {
      wait(false);
    }
  };
  return (
    <button type="button" class={kind ?? ""} disabled={busy} onClick={() => void act()}>
      {label}
    </button>
  );
}
