// Notifications and their jobs: what is being sent, how far it is, and what became of each.
import { useEffect, useRef, useState } from "preact/hooks";
import { may } from "../access.ts";
import { call, curl } from "../api.ts";
import { count, decimal, duration, percent } from "../format.ts";
import { t, tOr } from "../language.ts";
import { filter, go, href, route } from "../route.ts";
import { audience, done, isOpen, jobName, said } from "../say.ts";
import type { Delivery, Job, JobState } from "../types.ts";
import { Bar } from "../ui/chart.tsx";
import { ask, Buttons } from "../ui/dialog.tsx";
import { SelectField, TextField } from "../ui/form.tsx";
import {
  Action,
  Card,
  CopyCurl,
  Empty,
  Facts,
  Heading,
  Json,
  Loading,
  State,
  Term,
  Tile,
  Time,
  Trouble,
} from "../ui/show.tsx";
import { type Column, List, PAGE, Pager, Table } from "../ui/table.tsx";
import { complain, toast } from "../ui/toast.tsx";
import { useCall } from "../use.ts";

const STATES: readonly JobState[] = ["running", "scheduled", "deferred", "paused", "finished", "cancelled"];

export function Notifications() {
  const [id] = route.value.rest;
  return id === undefined ? <Jobs /> : <One id={id} />;
}

// ---- many

const columns = (): readonly Column<Job>[] => [
  {
    head: t("notifications.what"),
    cell: (job) => (
      <>
        <a href={href("notifications", [job.id])}>{jobName(job)}</a>
        {job.dryRun && <span class="tag">{t("notifications.dryRun")}</span>}
      </>
    ),
    wide: true,
  },
  { head: t("notifications.to"), cell: audience },
  { head: t("notifications.state"), cell: ({ state }) => <State state={state} /> },
  { head: t("job.progress"), cell: (job) => <Bar part={done(job)} label={t("job.progress")} /> },
  {
    head: <Term figure="accepted" />,
    label: t("name.accepted"),
    cell: ({ progress }) => count(progress.accepted),
    number: true,
  },
  {
    head: <Term figure="failed" />,
    label: t("name.failed"),
    cell: ({ progress }) => count(progress.failed),
    number: true,
  },
  { head: t("notifications.when"), cell: ({ acceptedAt }) => <Time at={acceptedAt} /> },
];

function Jobs() {
  const { state = "" } = route.value.query;
  const [id, set] = useState("");
  return (
    <div class="page">
      <Heading title={t("page.notifications")} about={t("notifications.about")}>
        {may("notification") && (
          <a class="button main" href={href("send")}>
            {t("page.send")}
          </a>
        )}
      </Heading>
      <Card>
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            if (id.trim() !== "") go(href("notifications", [id.trim()]));
          }}
        >
          <SelectField<JobState | "">
            label={t("notifications.state")}
            value={state as JobState | ""}
            onValue={(value) => filter({ state: value, before: undefined }, true)}
            options={[["", t("notifications.all")], ...STATES.map((one) => [one, t(`state.${one}`)] as const)]}
          />
          <TextField label={t("notifications.byId")} value={id} onValue={set} code />
          <button type="submit">{t("show")}</button>
        </form>
        <List<Job, { jobs: readonly Job[]; next?: number }>
          caption={t("page.notifications")}
          path="job/list"
          fields={state === "" ? {} : { state }}
          rows={({ jobs }) => jobs}
          next={({ next }) => next}
          cursor="before"
          name={({ job }) => String(job)}
          columns={columns()}
          every={5000}
          empty={
            <Empty
              title={t("notifications.none")}
              command={curl("notification", {
                notification: { android: { title: "Hello", message: "World" }, apn: { alert: "Hello" } },
                pushAll: "true",
                dryRun: true,
              })}
            >
              {t("notifications.noneDo")}
            </Empty>
          }
        />
      </Card>
    </div>
  );
}

// ---- one

interface Told {
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly notification?: unknown;
  readonly timeToLive?: number;
  readonly state: JobState;
  readonly acceptedAt: number;
  readonly sendAt?: number;
  readonly reached?: Readonly<Record<"socket" | "vendor" | "waiting" | "nobody", number>>;
  readonly jobs: readonly Job[];
  readonly counts: Readonly<Record<string, unknown>>;
  readonly deliveries: readonly Delivery[];
  readonly next?: string;
}

function One({ id }: { readonly id: string }) {
  const { after } = route.value.query;
  const [settled, settle] = useState(false);
  const fields = { id, limit: PAGE, ...(after === undefined ? {} : { after }) };
  const { data, error, reload } = useCall<Told>("notification/get", fields, settled ? undefined : 2000);
  const state = data?.state;
  useEffect(() => settle(state === "finished" || state === "cancelled"), [state]);
  return (
    <div class="page">
      <p class="crumb">
        <a href={href("notifications")}>{t("page.notifications")}</a>
      </p>
      {data === undefined && <Heading title={id} />}
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data === undefined && error === undefined && <Loading />}
      {data !== undefined && <Known told={data} reload={reload} />}
    </div>
  );
}

function Known({ told, reload }: { readonly told: Told; readonly reload: () => void }) {
  const { id, jobs, counts } = told;
  const [job] = jobs;
  if (job === undefined) return null;
  const sum = (of: (one: Job) => number): number => jobs.reduce((all, one) => all + of(one), 0);
  return (
    <>
      <Heading title={jobName(told)} about={<State state={told.state} />}>
        {isOpen(job) && (
          <>
            {job.state === "paused" ? (
              <Action
                path="job/resume"
                fields={{ id }}
                label={t("job.resume")}
                done="job.resumed"
                kind="main"
                then={reload}
              />
            ) : (
              <Action path="job/pause" fields={{ id }} label={t("job.pause")} done="job.paused" then={reload} />
            )}
            {may("job/rate") && (
              <button type="button" onClick={() => void changeRate(job, reload)}>
                {t("job.rate")}
              </button>
            )}
            <Action
              path="job/cancel"
              fields={{ id }}
              label={t("job.cancel")}
              question={t("job.cancelAsk", { n: job.progress.waiting, waiting: count(job.progress.waiting) })}
              done="job.cancelled"
              kind="grave"
              then={reload}
            />
          </>
        )}
      </Heading>
      <Progress job={job} />
      <div class="tiles">
        <Tile figure="queued" value={count(sum(({ progress }) => progress.queued))} />
        <Tile figure="sent" value={count(sum(({ progress }) => progress.sent))} />
        <Tile figure="accepted" value={count(sum(({ progress }) => progress.accepted))} />
        <Tile figure="arrived" value={count(totalOf(counts, "arrive"))} />
        <Tile figure="clicked" value={count(totalOf(counts, "click"))} />
        <Tile figure="waiting" value={count(sum(({ progress }) => progress.waiting))} />
        <Tile
          figure="failed"
          value={count(sum(({ progress }) => progress.failed))}
          {...(sum(({ progress }) => progress.failed) > 0 ? { tone: "bad" as const } : {})}
        />
        <Tile figure="skipped" value={count(sum(({ progress }) => progress.skipped))} />
      </div>
      {told.reached !== undefined && <Reached counts={told.reached} />}
      <div class="columns">
        <Card title={t("notifications.ways")}>
          <Ways counts={counts} />
        </Card>
        <Card title={t("notifications.call")}>
          <Facts
            rows={[
              [t("notifications.id"), <code>{id}</code>],
              [t("notifications.to"), audience(job)],
              told.type !== "" && [t("notifications.type"), told.type],
              [t("notifications.acceptedAt"), <Time at={told.acceptedAt} />],
              told.sendAt !== undefined && [t("notifications.sendAt"), <Time at={told.sendAt} />],
              job.deferred !== undefined && [t("notifications.deferred"), <Time at={job.deferred} />],
              job.finishedAt !== undefined && [t("notifications.finishedAt"), <Time at={job.finishedAt} />],
              job.rate !== undefined && [t("job.limit"), t("job.perSecond", { rate: count(job.rate) })],
              told.timeToLive !== undefined &&
                told.timeToLive > 0 && [t("notifications.life"), duration(told.timeToLive)],
            ]}
          />
          {told.notification !== undefined && (
            <>
              <Json title={t("asSent")} value={told.notification} />
              <div class="buttons">
                <CopyCurl path="notification" fields={{ notification: told.notification, pushId: "PUSHID" }} />
                {may("notification") && (
                  <a class="button" href={href("send", [], { like: id })}>
                    {t("notifications.like")}
                  </a>
                )}
              </div>
            </>
          )}
        </Card>
      </div>
      <Reasons failed={job.failed} />
      <Deliveries told={told} job={job} />
    </>
  );
}

/** All ways together. Of a device that has both, each counts. */
function totalOf(counts: Told["counts"], figure: "arrive" | "click"): number {
  return blocks(counts).reduce((sum, [, block]) => sum + (block[figure] ?? 0), 0);
}

type Block = Readonly<Partial<Record<"target" | "accepted" | "arrive" | "click" | "failed", number>>>;

/** The figures of each way that had a device. */
const blocks = (counts: Told["counts"]): readonly (readonly [string, Block])[] =>
  Object.entries(counts).flatMap(([name, value]) =>
    typeof value === "object" && value !== null && "target" in value ? [[name, value as Block] as const] : [],
  );

function Ways({ counts }: { readonly counts: Told["counts"] }) {
  const rows = blocks(counts);
  if (rows.length === 0) return <p class="muted">{t("notifications.noWay")}</p>;
  const number = (value: number | undefined): string => (value === undefined ? "–" : count(value));
  const rate = (part: number | undefined, whole: number | undefined): string =>
    part === undefined || whole === undefined || whole === 0 ? "" : ` (${percent(part / whole)})`;
  return (
    <div class="list">
      <Table<readonly [string, Block]>
        caption={t("notifications.ways")}
        rows={rows}
        name={([name]) => name}
        columns={[
          { head: t("notifications.way"), cell: ([name]) => tOr(`way.${name}`, name) },
          { head: t("notifications.target"), cell: ([, { target }]) => number(target), number: true },
          {
            head: <Term figure="accepted" />,
            label: t("name.accepted"),
            cell: ([, { accepted }]) => number(accepted),
            number: true,
          },
          {
            head: <Term figure="arrived" />,
            label: t("name.arrived"),
            cell: ([, { arrive, target }]) => `${number(arrive)}${rate(arrive, target)}`,
            number: true,
          },
          {
            head: <Term figure="clicked" />,
            label: t("name.clicked"),
            cell: ([, { click, arrive }]) => `${number(click)}${rate(click, arrive)}`,
            number: true,
          },
        ]}
      />
    </div>
  );
}

/** How far, how fast, how long yet. */
function Progress({ job }: { readonly job: Job }) {
  const before = useRef<readonly { readonly at: number; readonly gone: number }[]>([]);
  const { progress } = job;
  const gone = progress.queued - progress.waiting;
  const at = Date.now();
  if (before.current.at(-1)?.gone !== gone || at - (before.current.at(-1)?.at ?? 0) > 1500)
    before.current = [...before.current.slice(-9), { at, gone }];
  if (!isOpen(job)) return null;
  if (job.state === "scheduled" || job.state === "deferred")
    return (
      <div class="notice calm">
        <span class="what">
          {t(job.state === "deferred" ? "job.deferred" : "job.begins")} <Time at={job.deferred ?? job.sendAt} /> (
          <Time at={job.deferred ?? job.sendAt} relative />)
        </span>
      </div>
    );
  const [first] = before.current;
  const speed = first === undefined || at - first.at < 1000 ? 0 : ((gone - first.gone) * 1000) / (at - first.at);
  return (
    <Card title={t("job.progress")}>
      <Bar part={done(job)} label={t("job.progress")} />
      <p class="muted">
        {[
          t("job.seen", { n: progress.seen, seen: count(progress.seen) }),
          t("job.waiting", { waiting: count(progress.waiting) }),
          speed > 0 && t("job.speed", { speed: decimal(speed) }),
          speed > 0 && progress.waiting > 0 && t("job.left", { time: duration((progress.waiting * 1000) / speed) }),
          job.rate !== undefined && t("job.limited", { rate: count(job.rate) }),
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </Card>
  );
}

const Reached = ({ counts }: { readonly counts: NonNullable<Told["reached"]> }) => (
  <div class="tiles">
    {(["socket", "vendor", "waiting", "nobody"] as const).map((way) => (
      <Tile key={way} label={t(`reached.${way}`)} value={count(counts[way])} />
    ))}
  </div>
);

function Reasons({ failed }: { readonly failed: Job["failed"] }) {
  const rows = Object.entries(failed).sort(([, a], [, b]) => b - a);
  if (rows.length === 0) return null;
  return (
    <Card title={t("notifications.reasons")}>
      <div class="list">
        <Table<readonly [string, number]>
          caption={t("notifications.reasons")}
          rows={rows}
          name={([reason]) => reason}
          columns={[
            {
              head: t("failures.reason"),
              cell: ([reason]) => <a href={href("failures", [], { reason })}>{said(reason)}</a>,
              wide: true,
            },
            { head: t("failures.count"), cell: ([, n]) => count(n), number: true },
          ]}
        />
      </div>
    </Card>
  );
}

function Deliveries({ told: { id, deliveries, next }, job }: { readonly told: Told; readonly job: Job }) {
  return (
    <Card title={t("notifications.deliveries")}>
      {deliveries.length === 0 ? (
        <p class="muted">
          {t(
            job.state === "scheduled" || job.state === "deferred"
              ? "notifications.notYet"
              : "notifications.noDeliveries",
          )}
        </p>
      ) : (
        <div class="list">
          <Table<Delivery>
            caption={t("notifications.deliveries")}
            rows={deliveries}
            name={({ pushId, queuedAt, provider }) => `${pushId} ${queuedAt} ${provider}`}
            columns={[
              {
                head: t("devices.id"),
                cell: ({ pushId }) => (
                  <div class="roomy">
                    <a href={href("devices", [pushId])}>{pushId}</a>
                  </div>
                ),
              },
              { head: t("notifications.way"), cell: ({ provider }) => provider ?? t("way.android") },
              { head: t("notifications.state"), cell: (one) => <State state={stateOf(one)} /> },
              { head: t("failures.reason"), cell: ({ reason }) => said(reason ?? ""), wide: true },
              { head: t("notifications.when"), cell: (one) => <Time at={one.settledAt ?? one.queuedAt} /> },
              {
                head: "",
                cell: ({ pushId }) => <a href={href("why", [], { id, pushId })}>{t("notifications.why")}</a>,
              },
            ]}
          />
          <Pager cursor="after" next={next} size={deliveries.length} />
        </div>
      )}
    </Card>
  );
}

/** The furthest it came. */
const stateOf = ({ state, arrivedAt, clickedAt }: Delivery): string =>
  clickedAt !== undefined ? "clicked" : arrivedAt !== undefined ? "arrived" : state;

// ---- another rate

async function changeRate(job: Job, reload: () => void): Promise<void> {
  const rate = await ask<string>(t("job.rate"), (answer) => <Rate before={job.rate} answer={answer} />);
  if (rate === undefined) return;
  try {
    await call("job/rate", { id: job.id, rate: Number(rate) });
    toast(t("job.rated"));
    reload();
  } catch (error) {
    complain(error);
  }
}

function Rate({
  before,
  answer,
}: {
  readonly before: number | undefined;
  readonly answer: (rate: string | undefined) => void;
}) {
  const [rate, set] = useState(String(before ?? 0));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        answer(rate);
      }}
    >
      <TextField
        label={t("job.rateLabel")}
        hint={t("job.rateHint")}
        type="number"
        min={0}
        value={rate}
        onValue={set}
        required
        focus
      />
      <Buttons action={t("save")} onCancel={() => answer(undefined)} />
    </form>
  );
}
