// Webhooks: how each endpoint does, what it was told last, trying it, sending it once more.
import { useState } from "preact/hooks";
import { DAY, HOUR } from "../../../core/time.ts";
import { may } from "../access.ts";
import { call, curl } from "../api.ts";
import { count, decimal, duration } from "../format.ts";
import { t, tOr } from "../language.ts";
import { href, route } from "../route.ts";
import { said } from "../say.ts";
import { SelectField } from "../ui/form.tsx";
import { Action, Card, Code, Empty, Facts, Heading, Json, Loading, State, Time, Trouble } from "../ui/show.tsx";
import { List } from "../ui/table.tsx";
import { complain, toast } from "../ui/toast.tsx";
import { useCall } from "../use.ts";

interface Fault {
  readonly reason: string;
  readonly at: number;
}

interface Hook {
  readonly name: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly state: "running" | "failing" | "off";
  readonly waiting: number;
  readonly lag: number;
  readonly dead: number;
  readonly dropped: number;
  readonly delivered: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly inFlight: number;
  readonly failures: number;
  readonly failingSince?: number;
  readonly nextTry?: number;
  readonly lastError?: Fault;
  readonly off?: Fault;
}

const EVERY = 5000;

const CONFIGURE = `[[hooks.tell]]
name = "backend"
url = "https://backend.example.com/pushbox"
secret = "whsec_..."
events = ["user.*", "notification.*"]`;

export function Hooks() {
  const [name] = route.value.rest;
  const { data, error, reload } = useCall<{ hooks: readonly Hook[] }>("hook/list", {}, EVERY);
  if (error !== undefined && data === undefined) return <Trouble error={error} retry={reload} />;
  if (data === undefined) return <Loading />;
  const one = data.hooks.find((hook) => hook.name === name);
  if (name !== undefined && one !== undefined) return <One hook={one} reload={reload} />;
  return (
    <div class="page">
      <Heading title={t("page.hooks")} about={t("hooks.about")} />
      {name !== undefined && <Trouble error={new Error(t("hooks.unknown", { name }))} />}
      {data.hooks.length === 0 ? (
        <Empty title={t("hooks.none")} command={CONFIGURE}>
          {t("hooks.noneDo")}
        </Empty>
      ) : (
        <div class="lanes">
          {data.hooks.map((hook) => (
            <section key={hook.name} class="card lane">
              <header>
                <h2>
                  <a href={href("hooks", [hook.name])}>{hook.name}</a>
                </h2>
                <State state={hook.state} text={t(`hooks.state.${hook.state}`)} />
              </header>
              <p>{words(hook)}</p>
              <p class="muted">
                <Code>{hook.url}</Code>
              </p>
              <Buttons hook={hook} reload={reload} />
            </section>
          ))}
        </div>
      )}
      <Events />
    </div>
  );
}

/** What is the matter, in a sentence. */
function words({ state, waiting, lag, lastError, off }: Hook): string {
  if (state === "off") return t("hooks.isOff", { reason: said(off?.reason ?? "") });
  if (state === "failing")
    return t("hooks.isFailing", { reason: said(lastError?.reason ?? ""), shown: count(waiting) });
  return waiting === 0 ? t("hooks.idle") : t("hooks.waits", { n: waiting, shown: count(waiting), lag: duration(lag) });
}

const Buttons = ({ hook: { name, state }, reload }: { readonly hook: Hook; readonly reload: () => void }) => (
  <div class="buttons">
    {state !== "running" && (
      <Action
        path="hook/resume"
        fields={{ name }}
        label={t("hooks.resume")}
        done="hooks.resumed"
        kind="main"
        then={reload}
      />
    )}
    <Action
      path="hook/test"
      fields={{ name }}
      label={t("hooks.test")}
      done={({ delivered, reason, status, took }) =>
        delivered === true
          ? t("hooks.tested", { status: String(status), took: decimal(Number(took)) })
          : t("hooks.testFailed", { reason: said(String(reason ?? status)) })
      }
      then={reload}
    />
  </div>
);

// ---- one

interface Dead {
  readonly seq: number;
  readonly type: string;
  readonly key: string;
  readonly attempts: number;
  readonly reason?: string;
  readonly diedAt: number;
}

function One({ hook, reload }: { readonly hook: Hook; readonly reload: () => void }) {
  const requests = Object.entries(hook.requests).filter(([, n]) => n > 0);
  return (
    <div class="page">
      <p class="crumb">
        <a href={href("hooks")}>{t("page.hooks")}</a>
      </p>
      <Heading title={hook.name} about={<State state={hook.state} text={t(`hooks.state.${hook.state}`)} />}>
        <Buttons hook={hook} reload={reload} />
      </Heading>
      <div class="columns">
        <Card title={t("hooks.how")}>
          <p>{words(hook)}</p>
          <Facts
            rows={[
              [t("hooks.url"), <Code>{hook.url}</Code>],
              [
                t("hooks.events"),
                hook.events.map((event) => (
                  <span key={event} class="tag">
                    {event}
                  </span>
                )),
              ],
              [t("hooks.delivered"), count(hook.delivered)],
              [t("hooks.waiting"), count(hook.waiting)],
              [t("hooks.inFlight"), count(hook.inFlight)],
              hook.dropped > 0 && [t("hooks.dropped"), count(hook.dropped)],
            ]}
          />
          <Json title={t("asAnswered")} value={hook} />
        </Card>
        <Card title={t("hooks.attempts")}>
          {requests.length === 0 && <p class="muted">{t("hooks.noAttempts")}</p>}
          <Facts
            rows={[
              ...requests.map(([what, n]) => [tOr(`hooks.request.${what}`, what), count(n)] as const),
              hook.failures > 0 && [t("hooks.inARow"), count(hook.failures)],
              hook.failingSince !== undefined && [t("hooks.since"), <Time at={hook.failingSince} relative />],
              hook.nextTry !== undefined && [t("hooks.next"), <Time at={hook.nextTry} relative />],
              hook.lastError !== undefined && [
                t("hooks.lastError"),
                <>
                  {said(hook.lastError.reason)} (<Time at={hook.lastError.at} relative />)
                </>,
              ],
            ]}
          />
        </Card>
      </div>
      {may("event/replay") && <Replay name={hook.name} dead={hook.dead} reload={reload} />}
      <Card title={t("hooks.dead")}>
        <List<Dead, { events: readonly Dead[]; next?: number }>
          caption={t("hooks.dead")}
          path="hook/dead"
          fields={{ name: hook.name }}
          rows={({ events }) => events}
          next={({ next }) => next}
          name={({ seq }) => String(seq)}
          columns={[
            { head: t("hooks.type"), cell: ({ type }) => <Code>{type}</Code> },
            { head: t("hooks.key"), cell: ({ key }) => key, wide: true },
            { head: t("hooks.tries"), cell: ({ attempts }) => count(attempts), number: true },
            { head: t("devices.why"), cell: ({ reason }) => said(reason ?? "") },
            { head: t("devices.when"), cell: ({ diedAt }) => <Time at={diedAt} /> },
          ]}
          empty={<Empty title={t("hooks.noDead")}>{t("hooks.noDeadWhy")}</Empty>}
        />
      </Card>
    </div>
  );
}

const SPANS = { hour: HOUR, day: DAY, week: 7 * DAY } as const;
type Span = keyof typeof SPANS | "dead";

/** What the log has, once more. */
function Replay({ name, dead, reload }: { readonly name: string; readonly dead: number; readonly reload: () => void }) {
  const [span, set] = useState<Span>(dead > 0 ? "dead" : "hour");
  const [busy, wait] = useState(false);
  const replay = async (): Promise<void> => {
    wait(true);
    try {
      const which = span === "dead" ? { dead: true } : { from: Date.now() - SPANS[span] };
      const { replayed } = await call<{ replayed: number }>("event/replay", { hook: name, ...which });
      toast(t("hooks.replayed", { n: replayed, shown: count(replayed) }));
      reload();
    } catch (error) {
      complain(error);
    } finally {
      wait(false);
    }
  };
  return (
    <Card title={t("hooks.replay")}>
      <p class="text">{t("hooks.replayWhat")}</p>
      <form
        class="filter"
        onSubmit={(event) => {
          event.preventDefault();
          void replay();
        }}
      >
        <SelectField<Span>
          label={t("hooks.which")}
          value={span}
          onValue={set}
          options={[
            ["dead", t("hooks.which.dead", { shown: count(dead) })],
            ["hour", t("hooks.which.hour")],
            ["day", t("hooks.which.day")],
            ["week", t("hooks.which.week")],
          ]}
        />
        <button type="submit" disabled={busy || (span === "dead" && dead === 0)}>
          {t("hooks.replayGo")}
        </button>
      </form>
    </Card>
  );
}

// ---- the log

interface Event {
  readonly id: string;
  readonly type: string;
  readonly key: string;
  readonly timestamp: string;
  readonly data: unknown;
}

function Events() {
  return (
    <Card title={t("hooks.log")}>
      <List<Event, { events: readonly Event[]; next?: number }>
        caption={t("hooks.log")}
        path="event/list"
        fields={{}}
        rows={({ events }) => events}
        next={({ next }) => next}
        name={({ id }) => id}
        columns={[
          { head: t("hooks.type"), cell: ({ type }) => <Code>{type}</Code> },
          { head: t("hooks.key"), cell: ({ key }) => key, wide: true },
          { head: t("devices.when"), cell: ({ timestamp }) => <Time at={Date.parse(timestamp)} /> },
        ]}
        empty={
          <Empty title={t("hooks.noEvents")} command={curl("events", {})}>
            {t("hooks.noEventsWhy")}
          </Empty>
        }
      />
    </Card>
  );
}
