// What failed at vendors: how many alike, whether it grows, what helps; and trying again.
import { useState } from "preact/hooks";
import { DAY, MINUTE } from "../../../core/time.ts";
import { may } from "../access.ts";
import { call, curl, Declined, type Fields } from "../api.ts";
import { count } from "../format.ts";
import { t } from "../language.ts";
import { filter, href, route } from "../route.ts";
import { said } from "../say.ts";
import { Spark } from "../ui/chart.tsx";
import { ask, Buttons } from "../ui/dialog.tsx";
import { SelectField, TextField } from "../ui/form.tsx";
import { Card, CopyCurl, Empty, Heading, State, Term, Time } from "../ui/show.tsx";
import { List, Table } from "../ui/table.tsx";
import { complain, explain, toast } from "../ui/toast.tsx";
import { useCall, useWanted } from "../use.ts";

type FailedState = "gone" | "refused" | "expired";

interface Group {
  readonly provider?: string;
  readonly app?: string;
  readonly state: FailedState;
  readonly reason?: string;
  readonly count: number;
  /** How many in each of the last 24 hours, this one last. */
  readonly trend?: readonly number[];
  /** Some of their devices. */
  readonly pushIds?: readonly string[];
  /** The reason in plain words. */
  readonly text?: string;
  readonly remedy?: string;
}

interface Failed extends Pick<Group, "provider" | "app" | "state" | "reason"> {
  readonly delivery: number;
  readonly id: string;
  readonly pushId: string;
  readonly uid?: string;
  readonly retries: number;
  readonly settledAt: number;
}

interface Body {
  readonly groups?: readonly Group[];
  readonly partial?: boolean;
  readonly deliveries: readonly Failed[];
  readonly next?: string;
}

const SPANS = { "1": "failures.day", "7": "failures.week", "": "failures.ever" } as const;

/** What the endpoint understands of the address. */
function asked(): Fields {
  const { state, provider, app, reason, days = "" } = route.value.query;
  // To the minute, so that it stays the same question for a while.
  const now = Math.floor(Date.now() / MINUTE) * MINUTE;
  return {
    ...(state && { state }),
    ...(provider && { provider }),
    ...(app && { app }),
    ...(reason && { reason }),
    ...(Number(days) > 0 && { from: now - Number(days) * DAY }),
  };
}

export function Failures() {
  const { state = "", provider = "", reason = "", days = "" } = route.value.query;
  const [wanted, want] = useWanted({ provider, reason });
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [turn, again] = useState(0);
  const fields = asked();
  const filtered = Object.keys(fields).length > 0;
  const retried = (): void => {
    choose(new Set());
    again((n) => n + 1);
  };
  return (
    <div class="page">
      <Heading title={t("page.failures")} about={t("failures.about")}>
        <CopyCurl path="delivery/list" fields={fields} />
      </Heading>
      <Card>
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            filter({ ...wanted, after: undefined }, true);
          }}
        >
          <SelectField
            label={t("failures.since")}
            value={days as keyof typeof SPANS}
            onValue={(value) => filter({ days: value, after: undefined }, true)}
            options={(["1", "7", ""] as const).map((value) => [value, t(SPANS[value])] as const)}
          />
          <SelectField
            label={t("failures.how")}
            value={state as FailedState | ""}
            onValue={(value) => filter({ state: value, after: undefined }, true)}
            options={[
              ["", t("failures.any")],
              ...(["gone", "refused", "expired"] as const).map((one) => [one, t(`state.${one}`)] as const),
            ]}
          />
          <TextField
            label={t("failures.provider")}
            value={wanted.provider}
            onValue={(value) => want({ ...wanted, provider: value })}
            code
          />
          <TextField
            label={t("failures.reason")}
            value={wanted.reason}
            onValue={(value) => want({ ...wanted, reason: value })}
            code
          />
          <button type="submit" class="main">
            {t("show")}
          </button>
        </form>
      </Card>
      <List<Failed, Body>
        key={turn}
        caption={t("failures.each")}
        path="delivery/list"
        fields={fields}
        rows={({ deliveries }) => deliveries}
        next={({ next }) => next}
        name={({ delivery }) => String(delivery)}
        every={10_000}
        {...(may("delivery/retry") ? { chosen, onChoose: choose } : {})}
        above={({ data }) => (
          <>
            <Groups groups={data?.groups} partial={data?.partial === true} fields={fields} then={retried} />
            {data !== undefined && data.deliveries.length > 0 && (
              <div class="between">
                <h2>{t("failures.each")}</h2>
                {may("delivery/retry") && (
                  <div class="buttons">
                    <button
                      type="button"
                      disabled={chosen.size === 0}
                      onClick={() => void retry({ delivery: [...chosen].map(Number) }, retried)}
                    >
                      {t("failures.retryChosen", { n: count(chosen.size) })}
                    </button>
                    {filtered && (
                      <button type="button" onClick={() => void retry(fields, retried)}>
                        {t("failures.retryFiltered")}
                      </button>
                    )}
                  </div>
                )}
              </div>
            )}
          </>
        )}
        columns={[
          {
            head: t("devices.id"),
            cell: ({ pushId }) => (
              <div class="roomy">
                <a href={href("devices", [pushId])}>{pushId}</a>
              </div>
            ),
          },
          { head: t("failures.notification"), cell: ({ id }) => <a href={href("notifications", [id])}>{id}</a> },
          { head: t("failures.provider"), cell: ({ provider: one }) => one ?? "" },
          { head: t("failures.how"), cell: (one) => <State state={one.state} /> },
          { head: t("failures.reason"), cell: (one) => said(one.reason ?? ""), wide: true },
          { head: t("notifications.when"), cell: ({ settledAt }) => <Time at={settledAt} /> },
          {
            head: "",
            cell: ({ id, pushId }) => <a href={href("why", [], { id, pushId })}>{t("notifications.why")}</a>,
          },
        ]}
        empty={
          <Empty title={t(filtered ? "failures.noneFits" : "failures.none")} command={curl("delivery/list", fields)}>
            {t("failures.noneDo")}
          </Empty>
        }
      />
    </div>
  );
}

const nameOf = ({ provider, app, state, reason }: Group): string => [provider, app, state, reason].join("\n");

function Groups({
  groups,
  partial,
  fields,
  then,
}: {
  readonly groups: readonly Group[] | undefined;
  readonly partial: boolean;
  readonly fields: Fields;
  readonly then: () => void;
}) {
  if (groups === undefined || groups.length === 0) return null;
  return (
    <Card title={t("failures.groups")} aside={partial && <span class="muted">{t("failures.partial")}</span>}>
      <div class="list">
        <Table<Group>
          caption={t("failures.groups")}
          rows={groups}
          name={nameOf}
          columns={[
            {
              head: t("failures.provider"),
              cell: ({ provider, app }) => (
                <div>
                  <strong>{provider}</strong>
                  <br />
                  <span class="muted">{app}</span>
                </div>
              ),
              label: t("failures.provider"),
            },
            {
              head: t("failures.how"),
              cell: ({ state }) => (
                <Term figure={state}>
                  <State state={state} />
                </Term>
              ),
            },
            {
              head: t("failures.reason"),
              cell: ({ provider, app, state, reason, text, remedy, pushIds = [] }) => (
                <div>
                  <a
                    href={href("failures", [], {
                      ...route.value.query,
                      provider,
                      app,
                      state,
                      reason,
                      after: undefined,
                    })}
                  >
                    {reason === undefined ? t("failures.noReason") : said(reason)}
                  </a>
                  {text !== undefined && <p>{said(text)}</p>}
                  {remedy !== undefined && (
                    <p class="muted">
                      {t("why.remedy")} {said(remedy)}
                    </p>
                  )}
                  {pushIds.length > 0 && (
                    <p class="samples">
                      {[...new Set(pushIds)].map((pushId) => (
                        <a key={pushId} href={href("devices", [pushId])}>
                          {pushId}
                        </a>
                      ))}
                    </p>
                  )}
                </div>
              ),
              wide: true,
            },
            { head: t("failures.count"), cell: (group) => count(group.count), number: true },
            {
              head: t("failures.trend"),
              cell: ({ trend }) => trend !== undefined && <Trend hours={trend} />,
              number: true,
            },
            ...(may("delivery/retry")
              ? [
                  {
                    head: "",
                    cell: ({ provider, app, state, reason }: Group) =>
                      // Nobody is there any more.
                      state !== "gone" && (
                        <button
                          type="button"
                          onClick={() => void retry({ ...fields, provider, app, state, reason }, then)}
                        >
                          {t("failures.retry")}
                        </button>
                      ),
                  },
                ]
              : []),
          ]}
        />
      </div>
    </Card>
  );
}

/** The last day, hour by hour. */
function Trend({ hours }: { readonly hours: readonly number[] }) {
  const sum = hours.reduce((all, one) => all + one, 0);
  if (sum === 0) return <span class="muted">{t("failures.quiet")}</span>;
  return (
    <div class="trend">
      <Spark values={hours} label={t("failures.hours", { shown: count(sum) })} />
      <span>{count(sum)}</span>
    </div>
  );
}

// ---- trying again

interface Retried {
  readonly retried: number;
  readonly dead: number;
  readonly late: number;
  readonly notifications: number;
  readonly next?: string;
}

/** All pages of it. */
async function retryAll(fields: Fields): Promise<Retried> {
  let sum: Retried = { retried: 0, dead: 0, late: 0, notifications: 0 };
  let after: string | undefined;
  do {
    const one: Retried = await call<Retried>("delivery/retry", {
      ...fields,
      ...(after === undefined ? {} : { after }),
    });
    sum = {
      retried: sum.retried + one.retried,
      dead: sum.dead + one.dead,
      late: sum.late + one.late,
      notifications: sum.notifications + one.notifications,
    };
    after = one.next;
  } while (after !== undefined);
  return sum;
}

async function retry(fields: Fields, then: () => void): Promise<void> {
  try {
    const life = await ask<string>(t("failures.retryTitle"), (answer) => <Life fields={fields} answer={answer} />);
    if (life === undefined) return;
    const done = await retryAll({ ...fields, ...(life === "" ? {} : { timeToLive: life }) });
    toast(
      t("failures.retried", {
        ...{ n: done.retried, retried: count(done.retried) },
        ...{ all: done.notifications, jobs: count(done.notifications) },
      }),
    );
    then();
  } catch (error) {
    if (!(error instanceof Declined)) complain(error);
  }
}

/** How many it would be, before it is done. */
function Life({ fields, answer }: { readonly fields: Fields; readonly answer: (life: string | undefined) => void }) {
  const [life, set] = useState("10m");
  const { data, error } = useCall<Retried>("delivery/retry", {
    ...fields,
    dryRun: true,
    ...(life.trim() === "" ? {} : { timeToLive: life }),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        answer(life.trim());
      }}
    >
      <div class="text" aria-live="polite">
        {data === undefined ? (
          <p>{t("loading")}</p>
        ) : (
          <>
            <p>
              <strong>
                {t("failures.will", {
                  ...{ n: data.retried, retried: count(data.retried) },
                  ...{ all: data.notifications, jobs: count(data.notifications) },
                })}
              </strong>
            </p>
            {data.dead > 0 && <p>{t("failures.dead", { n: data.dead, dead: count(data.dead) })}</p>}
            {data.late > 0 && <p>{t("failures.late", { n: data.late, late: count(data.late) })}</p>}
          </>
        )}
      </div>
      <TextField
        label={t("failures.life")}
        hint={t("failures.lifeHint")}
        value={life}
        onValue={set}
        error={error === undefined ? undefined : explain(error)}
        code
        focus
      />
      <Buttons
        action={t("failures.retry")}
        busy={data === undefined || data.retried === 0 || error !== undefined}
        onCancel={() => answer(undefined)}
      />
    </form>
  );
}
