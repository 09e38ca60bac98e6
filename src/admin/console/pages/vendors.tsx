// The ways to the vendors, in words: what waits, what is wrong, what helps.
import { DAY } from "../../../core/time.ts";
import type { Fields } from "../api.ts";
import { curl } from "../api.ts";
import { count, decimal, duration, moment } from "../format.ts";
import { t } from "../language.ts";
import { href } from "../route.ts";
import { laneName, said } from "../say.ts";
import type { Lane } from "../types.ts";
import { Action, Card, Command, Empty, Heading, Loading, State, Term, Time, Trouble } from "../ui/show.tsx";
import { useCall } from "../use.ts";

const EVERY = 3000;
const MONTH = 30 * DAY;

export function Vendors() {
  const { data, error, reload } = useCall<{ lanes: readonly Lane[] }>("lane/list", {}, EVERY);
  return (
    <div class="page">
      <Heading title={t("page.vendors")} about={t("vendors.about")}>
        {data?.lanes.some(isTroubled) === true && (
          <Action
            path="lane/resume"
            fields={{}}
            label={t("vendors.resumeAll")}
            question={t("vendors.resumeAllAsk")}
            done={resumed}
            then={reload}
          />
        )}
      </Heading>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data === undefined && error === undefined && <Loading />}
      {data?.lanes.length === 0 && (
        <Empty title={t("vendors.none")} command={"pushbox init\npushbox check"}>
          {t("vendors.noneDo")} <a href={href("send")}>{t("page.send")}</a>
        </Empty>
      )}
      {data !== undefined && data.lanes.length > 0 && (
        <div class="lanes">
          {[...data.lanes].sort(worstFirst).map((lane) => (
            <LaneCard key={`${lane.provider} ${lane.app} ${lane.host ?? ""}`} lane={lane} reload={reload} />
          ))}
        </div>
      )}
      <Card title={t("vendors.reload")}>
        <p class="text">{t("vendors.reloadDo")}</p>
        <Command text={curl("config/reload", {})} />
        <div class="buttons">
          <Action
            path="config/reload"
            fields={{}}
            label={t("vendors.reloadNow")}
            done="vendors.reloaded"
            then={reload}
          />
        </div>
      </Card>
    </div>
  );
}

const resumed = (answer: Fields): string => {
  const n = (answer["resumed"] as readonly unknown[]).length;
  return t("vendors.resumed", { n, shown: count(n) });
};

const RANK = { stopped: 0, paused: 1, running: 2 } as const;
/** By what is wrong, then by name: their places do not change with their figures. */
const worstFirst = (a: Lane, b: Lane): number =>
  RANK[a.state] - RANK[b.state] || laneName(a).localeCompare(laneName(b));

/** There is something to resume. */
const isTroubled = ({ state, holdsDeletions, stoppedWays = [] }: Lane): boolean =>
  state !== "running" || holdsDeletions === true || stoppedWays.length > 0;

/** What is the matter, in a sentence. */
function words(lane: Lane): string {
  const at = lane.until === undefined ? "" : moment(lane.until);
  switch (lane.state) {
    case "stopped":
      return t("vendors.stopped", { reason: said(lane.reason ?? ""), at });
    case "paused":
      return t("vendors.paused", { reason: said(lane.reason ?? ""), at });
    case "running":
      if (lane.depth === 0) return t("vendors.idle");
      return lane.rate > 0
        ? t("vendors.sending", { rate: decimal(lane.rate), waiting: count(lane.depth) })
        : t("vendors.waiting", { waiting: count(lane.depth) });
  }
}

function LaneCard({ lane, reload }: { readonly lane: Lane; readonly reload: () => void }) {
  const { provider, app, host, state } = lane;
  const which = { provider, app, ...(host === undefined ? {} : { host }) };
  return (
    <section class="card lane">
      <header>
        <h2>
          {provider} <span class="muted">{host ?? app}</span>
        </h2>
        <State state={state} />
      </header>
      <p>{words(lane)}</p>
      {lane.expiring !== undefined && lane.expiring > 0 && (
        <p class="worse">{t("vendors.expiring", { n: lane.expiring, shown: count(lane.expiring) })}</p>
      )}
      {lane.holdsDeletions && <p class="worse">{t("vendors.holds")}</p>}
      {lane.stoppedWays?.map(({ way, reason, until }) => (
        <p key={way} class="worse">
          {t("vendors.way", { way, reason: said(reason), at: moment(until) })}
        </p>
      ))}
      <dl class="figures">
        <div>
          <dt>
            <Term figure="depth" />
          </dt>
          <dd>{count(lane.depth)}</dd>
        </div>
        <div>
          <dt>
            <Term figure="oldest" />
          </dt>
          <dd>{lane.oldest === undefined ? "–" : duration(lane.oldest)}</dd>
        </div>
        <div>
          <dt>
            <Term figure="accepted" />
          </dt>
          <dd>{count(lane.accepted)}</dd>
        </div>
        <div>
          <dt>
            <Term figure="failed" />
          </dt>
          <dd>
            {lane.failed === 0 ? "0" : <a href={href("failures", [], { provider, app })}>{count(lane.failed)}</a>}
          </dd>
        </div>
      </dl>
      {lane.quota !== undefined && (
        <p class={lane.quota.left === 0 ? "worse" : "muted"}>
          <Term figure="quota" />:{" "}
          {t("vendors.quota", { left: count(lane.quota.left), limit: count(lane.quota.limit) })} (
          <Time at={lane.quota.at} relative />)
        </p>
      )}
      {lane.certificateExpires !== undefined && (
        <p class={lane.certificateExpires - Date.now() < MONTH ? "worse" : "muted"}>
          {t("vendors.certificate")} <Time at={lane.certificateExpires} /> (
          <Time at={lane.certificateExpires} relative />)
        </p>
      )}
      {lane.lastError !== undefined && (
        <p class="last muted">
          {t("vendors.lastError")} <Time at={lane.lastError.at} />: {said(lane.lastError.reason)}
        </p>
      )}
      <div class="buttons">
        {isTroubled(lane) && (
          <Action
            path="lane/resume"
            fields={which}
            label={t("vendors.resume")}
            done={resumed}
            kind="main"
            then={reload}
          />
        )}
        <Action path="lane/test" fields={which} label={t("vendors.test")} done={tested} />
      </div>
    </section>
  );
}

/** Nobody gets anything: a token that nobody has is asked about. */
const tested = ({ verdict, text, reason }: Fields): string => {
  const well = verdict === "well";
  const words = said(String(text ?? ""));
  return `${t(well ? "vendors.works" : "vendors.fails")} ${words}${well || reason === undefined ? "" : ` (${said(String(reason))})`}`;
};
