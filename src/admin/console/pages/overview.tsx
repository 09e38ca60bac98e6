// The first page: how it goes now, and what wants attention.
import { useState } from "preact/hooks";
import { MINUTE } from "../../../core/time.ts";
import { curl } from "../api.ts";
import { compact, count, duration } from "../format.ts";
import { t } from "../language.ts";
import { useLive } from "../live.ts";
import { href } from "../route.ts";
import { done, jobName, laneName, said } from "../say.ts";
import type { Job, Lane, Series } from "../types.ts";
import { Bar, Chart } from "../ui/chart.tsx";
import { Choice } from "../ui/form.tsx";
import { Card, Empty, Heading, Loading, State, Tile, Trouble } from "../ui/show.tsx";
import { type Answer, useCall } from "../use.ts";
import { Nodes } from "./nodes.tsx";

/** Milliseconds. What is told once a second comes by itself. */
const EVERY = 10_000;

interface Hook {
  readonly name: string;
  readonly state: "running" | "failing" | "off";
  readonly waiting: number;
  readonly lastError?: { readonly reason: string };
}

export function Overview() {
  const lanes = useCall<{ lanes: readonly Lane[] }>("lane/list", {}, EVERY);
  const hooks = useCall<{ hooks: readonly Hook[] }>("hook/list", {}, EVERY);
  const jobs = useCall<{ jobs: readonly Job[] }>("job/list", { state: "running", limit: 5 }, EVERY);
  return (
    <div class="page">
      <Heading title={t("page.overview")} />
      <Figures />
      <Attention lanes={lanes} hooks={hooks} />
      <Nodes />
      <Curves />
      <Jobs answer={jobs} />
    </div>
  );
}

function Figures() {
  const told = useLive();
  const queue = told?.queue;
  const waiting = queue && queue.waiting + queue.paused + queue.stopped + queue.atVendors;
  const show = (value: number | undefined): string => (value === undefined ? "–" : compact(value));
  return (
    <div class="tiles">
      <Tile figure="sessions" value={show(told?.sessions.total)} to={href("connections")} />
      <Tile figure="connections" value={show(told?.connections)} to={href("connections")} />
      <Tile figure="packets" label={t("overview.packets")} value={show(told?.rates.packets)} />
      <Tile figure="apiCalls" label={t("overview.calls")} value={show(told?.rates.apiCalls)} />
      <Tile
        figure="apiErrors"
        label={t("overview.errors")}
        value={show(told?.rates.apiErrors)}
        {...((told?.rates.apiErrors ?? 0) > 0 ? { tone: "warn" as const } : {})}
      />
      <Tile figure="waiting" label={t("overview.waiting")} value={show(waiting)} to={href("vendors")} />
    </div>
  );
}

/** In words, the worst first; good news otherwise. */
function Attention({
  lanes,
  hooks,
}: {
  readonly lanes: Answer<{ lanes: readonly Lane[] }>;
  readonly hooks: Answer<{ hooks: readonly Hook[] }>;
}) {
  const error = lanes.error ?? hooks.error;
  if (error !== undefined) return <Trouble error={error} retry={lanes.reload} />;
  if (lanes.data === undefined || hooks.data === undefined) return <Loading />;
  const stopped = lanes.data.lanes.filter(({ state }) => state === "stopped");
  const paused = lanes.data.lanes.filter(({ state }) => state === "paused");
  const holding = lanes.data.lanes.filter(({ holdsDeletions }) => holdsDeletions);
  const ill = hooks.data.hooks.filter(({ state }) => state !== "running");
  if (stopped.length + paused.length + holding.length + ill.length === 0)
    return (
      <div class="notices">
        <div class="notice good">
          <span class="what">{t("overview.well")}</span>
        </div>
      </div>
    );
  return (
    <div class="notices">
      {stopped.map((lane) => (
        <Notice key={`s${laneName(lane)}`} bad to={href("vendors")}>
          {t("overview.stopped", { lane: laneName(lane), reason: said(lane.reason ?? "") })}
        </Notice>
      ))}
      {paused.map((lane) => (
        <Notice key={`p${laneName(lane)}`} to={href("vendors")}>
          {t("overview.paused", { lane: laneName(lane), reason: said(lane.reason ?? "") })}
        </Notice>
      ))}
      {holding.map((lane) => (
        <Notice key={`h${laneName(lane)}`} to={href("vendors")}>
          {t("overview.holding", { lane: laneName(lane) })}
        </Notice>
      ))}
      {ill.map(({ name, state, waiting, lastError }) => (
        <Notice key={`k${name}`} bad={state === "off"} to={href("hooks")}>
          {t(state === "off" ? "overview.hookOff" : "overview.hookFails", {
            name,
            reason: said(lastError?.reason ?? ""),
            n: waiting,
            waiting: count(waiting),
          })}
        </Notice>
      ))}
    </div>
  );
}

const Notice = ({
  bad = false,
  to,
  children,
}: {
  readonly bad?: boolean;
  readonly to: string;
  readonly children: string;
}) => (
  <div class={bad ? "notice bad" : "notice"}>
    <span class="what">{children}</span>
    <a href={to}>{t("look")}</a>
  </div>
);

function Curves() {
  const [span, set] = useState<"seconds" | "minutes">("seconds");
  const asked = span === "seconds" ? { seconds: 600, minutes: 0 } : { seconds: 0, minutes: 1440 };
  const { data, error, reload } = useCall<Record<"seconds" | "minutes", Series | undefined>>(
    "stats/live",
    asked,
    span === "seconds" ? 5000 : MINUTE,
  );
  if (error !== undefined) return <Trouble error={error} retry={reload} />;
  // The curves of before stay until the others are there, and with them the choice that has the focus.
  const series = data?.[span] ?? data?.seconds ?? data?.minutes;
  if (series === undefined) return <Loading />;
  const size = series.values["connections"]?.length ?? 0;
  const times = Array.from({ length: size }, (_, i) => series.from + i * series.step);
  const values = (name: string): readonly (number | null)[] => series.values[name] ?? [];
  const choice = (
    <Choice
      label={t("overview.span")}
      value={span}
      onValue={set}
      options={[
        ["seconds", t("overview.minutes10")],
        ["minutes", t("overview.day")],
      ]}
    />
  );
  return (
    <div class="columns">
      <Card title={t("overview.connections")} aside={choice}>
        <Chart
          label={t("overview.connections")}
          times={times}
          curves={[
            { name: t("name.connections"), values: values("connections"), colour: 1 },
            { name: t("name.sessions"), values: values("sessions"), colour: 2 },
          ]}
        />
      </Card>
      <Card title={t("overview.traffic")}>
        <Chart
          label={t("overview.traffic")}
          times={times}
          curves={[
            { name: t("name.packets"), values: values("packets"), colour: 1 },
            { name: t("name.apiCalls"), values: values("apiCalls"), colour: 3 },
            { name: t("name.apiErrors"), values: values("apiErrors"), colour: 4 },
          ]}
        />
      </Card>
    </div>
  );
}

function Jobs({ answer }: { readonly answer: Answer<{ jobs: readonly Job[] }> }) {
  const { data, error, reload } = answer;
  return (
    <Card title={t("overview.jobs")} aside={<a href={href("notifications")}>{t("overview.allJobs")}</a>}>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {error === undefined && data?.jobs.length === 0 && (
        <Empty
          title={t("overview.noJobs")}
          command={curl("notification", {
            notification: { android: { title: "Hello", message: "World" }, apn: { alert: "Hello" } },
            pushAll: true,
            dryRun: true,
          })}
        >
          {t("overview.noJobsDo")}
        </Empty>
      )}
      {data?.jobs.map((job) => (
        <div key={job.job} class="job">
          <div class="buttons">
            <a href={href("notifications", [job.id])}>{jobName(job)}</a>
            <State state={job.state} />
          </div>
          <Bar part={done(job)} label={t("job.progress")} />
          <span class="muted">{t("job.since", { time: duration(Date.now() - job.acceptedAt) })}</span>
        </div>
      ))}
    </Card>
  );
}
