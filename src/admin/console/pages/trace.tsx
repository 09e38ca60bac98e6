// Traces: one device, user, address or topic followed for a few minutes; what came, what went, what was decided.
import { useEffect, useRef, useState } from "preact/hooks";
import { may } from "../access.ts";
import { call, curl } from "../api.ts";
import { count } from "../format.ts";
import { t } from "../language.ts";
import { go, href, route } from "../route.ts";
import { SelectField, TextField } from "../ui/form.tsx";
import { Card, Empty, Heading, Loading, State, Time, Trouble } from "../ui/show.tsx";
import { Table } from "../ui/table.tsx";
import { complain, toast } from "../ui/toast.tsx";
import { useCall, visible } from "../use.ts";

const KINDS = ["pushId", "uid", "topic", "address"] as const;
type Kind = (typeof KINDS)[number];

interface Trace extends Partial<Record<Kind, string>> {
  readonly trace: string;
  readonly running: boolean;
  readonly startedAt: number;
  readonly until: number;
  readonly lines: number;
  readonly forgotten: number;
}

interface Line {
  readonly line: number;
  readonly at: number;
  readonly what: "in" | "out" | "decision";
  readonly text: string;
  readonly connection?: string;
}

const kindOf = (trace: Trace): Kind => KINDS.find((kind) => trace[kind] !== undefined) ?? "pushId";
const targetOf = (trace: Trace): string => trace[kindOf(trace)] ?? "";

export function Trace() {
  const [name] = route.value.rest;
  return name === undefined ? <All /> : <One key={name} name={name} />;
}

function All() {
  const { data, error, reload } = useCall<{ traces: readonly Trace[] }>("trace/list", {}, 5000);
  return (
    <div class="page">
      <Heading title={t("page.trace")} about={t("trace.about")} />
      {may("trace/start") && <Start />}
      {error !== undefined && <Trouble error={error} retry={reload} />}
      <Card title={t("trace.list")}>
        {data === undefined && error === undefined && <Loading />}
        {data?.traces.length === 0 && (
          <Empty title={t("trace.none")} command={curl("trace/start", { pushId: "a-device", minutes: 10 })}>
            {t("trace.noneDo")}
          </Empty>
        )}
        {data !== undefined && data.traces.length > 0 && (
          <Table<Trace>
            caption={t("trace.list")}
            rows={data.traces}
            name={({ trace }) => trace}
            columns={[
              {
                head: t("trace.whom"),
                cell: (one) => <a href={href("trace", [one.trace])}>{targetOf(one)}</a>,
                wide: true,
              },
              { head: t("trace.kind"), cell: (one) => t(`trace.kind.${kindOf(one)}`) },
              { head: t("trace.lines"), cell: ({ lines }) => count(lines), number: true },
              { head: t("trace.started"), cell: ({ startedAt }) => <Time at={startedAt} relative /> },
              { head: "", label: " ", cell: ({ running }) => <Running running={running} /> },
            ]}
          />
        )}
      </Card>
    </div>
  );
}

const Running = ({ running }: { readonly running: boolean }) => (
  <State state={running ? "running" : "finished"} text={t(running ? "trace.running" : "trace.ended")} />
);

function Start() {
  const { query } = route.value;
  const asked = KINDS.find((kind) => query[kind] !== undefined);
  const [kind, choose] = useState<Kind>(asked ?? "pushId");
  const [target, set] = useState(asked === undefined ? "" : (query[asked] ?? ""));
  const [minutes, last] = useState("10");
  const [busy, wait] = useState(false);
  const start = async (): Promise<void> => {
    wait(true);
    try {
      const { trace } = await call<{ trace: Trace }>("trace/start", {
        [kind]: target.trim(),
        minutes: Number(minutes),
      });
      go(href("trace", [trace.trace]));
    } catch (error) {
      complain(error);
      wait(false);
    }
  };
  return (
    <Card title={t("trace.start")}>
      <form
        class="filter"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <SelectField
          label={t("trace.kind")}
          value={kind}
          onValue={choose}
          options={KINDS.map((one) => [one, t(`trace.kind.${one}`)] as const)}
        />
        <TextField label={t("trace.whom")} value={target} onValue={set} code required />
        <SelectField
          label={t("trace.for")}
          value={minutes}
          onValue={last}
          options={["1", "10", "30", "60"].map((n) => [n, t("trace.minutes", { n: Number(n) })] as const)}
        />
        <button type="submit" class="main" disabled={busy}>
          {t("trace.go")}
        </button>
      </form>
      <p class="hint">{t("trace.private")}</p>
    </Card>
  );
}

// ---- one

/** Milliseconds between two questions. */
const EVERY = 1000;
const AT_ONCE = 500;

interface Followed {
  readonly trace?: Trace;
  readonly lines: readonly Line[];
  readonly error?: unknown;
}

/** Asks for what has come since, while the tab is seen and the trace runs. */
function useTrace(name: string): Followed & { readonly reload: () => void } {
  const [followed, set] = useState<Followed>({ lines: [] });
  const [turn, again] = useState(0);
  const after = useRef(0);
  const seen = visible.value;
  useEffect(() => {
    if (!seen) return;
    const control = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const fields = { trace: name, after: after.current, limit: AT_ONCE };
        const answer = await call<{ trace: Trace; lines: readonly Line[]; next: number }>(
          "trace/get",
          fields,
          control.signal,
        );
        if (control.signal.aborted) return;
        after.current = answer.next;
        set(({ lines }) => ({ trace: answer.trace, lines: [...lines, ...answer.lines].slice(-1000) }));
        if (answer.lines.length === AT_ONCE) return void (await ask());
        if (answer.trace.running) timer = setTimeout(() => void ask(), EVERY);
      } catch (error) {
        if (!control.signal.aborted) set((now) => ({ ...now, error }));
      }
    };
    void ask();
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [name, seen, turn]);
  return { ...followed, reload: () => again((n) => n + 1) };
}

function One({ name }: { readonly name: string }) {
  const { trace, lines, error, reload } = useTrace(name);
  const [what, choose] = useState<"all" | Line["what"]>("all");
  if (error !== undefined && trace === undefined) return <Trouble error={error} retry={reload} />;
  if (trace === undefined) return <Loading />;
  const shown = lines.filter((line) => what === "all" || line.what === what);
  const stop = async (): Promise<void> => {
    try {
      await call("trace/stop", { trace: name });
      toast(t("trace.stopped"));
      reload();
    } catch (reason) {
      complain(reason);
    }
  };
  return (
    <div class="page">
      <p class="crumb">
        <a href={href("trace")}>{t("page.trace")}</a>
      </p>
      <Heading
        title={targetOf(trace)}
        about={
          <>
            <Running running={trace.running} /> {t("trace.until")} <Time at={trace.until} />
          </>
        }
      >
        {trace.running && may("trace/stop") && (
          <button type="button" onClick={() => void stop()}>
            {t("trace.stop")}
          </button>
        )}
        <button type="button" disabled={lines.length === 0} onClick={() => download(trace, lines)}>
          {t("trace.download")}
        </button>
      </Heading>
      <Card
        title={t("trace.counted", { n: trace.lines, shown: count(trace.lines) })}
        aside={
          <SelectField
            label={t("trace.show")}
            value={what}
            onValue={choose}
            options={(["all", "in", "out", "decision"] as const).map((one) => [one, t(`trace.what.${one}`)] as const)}
          />
        }
      >
        {trace.forgotten > 0 && (
          <p class="muted">{t("trace.forgotten", { n: trace.forgotten, shown: count(trace.forgotten) })}</p>
        )}
        {shown.length === 0 && (
          <Empty title={t("trace.nothing")}>{t(trace.running ? "trace.waits" : "trace.over")}</Empty>
        )}
        {shown.length > 0 && (
          <ol class="frames" aria-label={t("trace.lines")}>
            {shown.map(({ line, at, what: direction, text }) => (
              <li key={line} class={direction}>
                <time dateTime={new Date(at).toISOString()}>{clock(at)}</time>
                <span class="what">{t(`trace.what.${direction}`)}</span>
                <code>{text}</code>
              </li>
            ))}
          </ol>
        )}
      </Card>
    </div>
  );
}

/** With milliseconds: what comes before what is what one looks for here. */
export const clock = (at: number): string => {
  const time = new Date(at);
  return `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, "0")}`;
};

/** Has the browser store it as a file. */
export function save(text: string, name: string, type = "text/plain"): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const download = (trace: Trace, lines: readonly Line[]): void =>
  save(
    lines
      .map(({ at, what, text, connection = "" }) => `${new Date(at).toISOString()}\t${what}\t${connection}\t${text}\n`)
      .join(""),
    `trace-${targetOf(trace).replace(/[^\w.-]+/g, "_")}.txt`,
  );
