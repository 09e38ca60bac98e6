// Why a notification did not arrive at a device, step by step; reached from the device and from the notification.
import { curl } from "../api.ts";
import { language, t, tOr } from "../language.ts";
import { filter, href, route } from "../route.ts";
import { said } from "../say.ts";
import type { Delivery, Job } from "../types.ts";
import { TextField } from "../ui/form.tsx";
import { Icon } from "../ui/icon.tsx";
import { Card, CopyCurl, Empty, Heading, Json, Loading, Time, Trouble } from "../ui/show.tsx";
import { useCall, useWanted } from "../use.ts";
import { remedies } from "../words/remedies.ts";

interface Step {
  readonly step: string;
  readonly at?: number;
  readonly text: string;
}

interface Answer {
  readonly cause: keyof typeof remedies;
  readonly text: string;
  readonly remedy?: string;
  readonly steps: readonly Step[];
  readonly job: Job;
  readonly delivery?: Delivery;
}

/** It is well then, or on its way. */
const WELL: ReadonlySet<string> = new Set(["clicked", "arrived"]);
const UNDER_WAY: ReadonlySet<string> = new Set([
  "scheduled",
  "quiet_hours",
  "preparing",
  "in_queue",
  "retrying",
  "sent",
]);

export function Why() {
  const { id = "", pushId = "" } = route.value.query;
  const [wanted, want] = useWanted({ id, pushId });
  return (
    <div class="page">
      <Heading title={t("page.why")} about={t("why.about")} />
      <Card>
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            filter(wanted, true);
          }}
        >
          <TextField
            label={t("why.id")}
            value={wanted.id}
            onValue={(value) => want({ ...wanted, id: value.trim() })}
            code
            required
            focus={id === ""}
          />
          <TextField
            label={t("why.pushId")}
            value={wanted.pushId}
            onValue={(value) => want({ ...wanted, pushId: value.trim() })}
            code
            required
          />
          <button type="submit" class="main">
            {t("why.ask")}
          </button>
        </form>
      </Card>
      {id !== "" && pushId !== "" ? (
        <Told id={id} pushId={pushId} />
      ) : (
        <Empty title={t("why.empty")} command={curl("notification/why", { id: "ID", pushId: "PUSHID" })}>
          {t("why.emptyDo")}
        </Empty>
      )}
    </div>
  );
}

function Told({ id, pushId }: { readonly id: string; readonly pushId: string }) {
  const { data, error, reload } = useCall<Answer>("notification/why", { id, pushId });
  if (error !== undefined) return <Trouble error={error} retry={reload} />;
  if (data === undefined) return <Loading />;
  const theirs = data.remedy === undefined ? undefined : said(data.remedy);
  // A vendor's code has its own remedy; of the others there is one for each cause.
  const remedy = language.value === "zh" && theirs === data.remedy ? (remedies[data.cause] ?? theirs) : theirs;
  const tone = WELL.has(data.cause) ? "good" : UNDER_WAY.has(data.cause) ? "calm" : "bad";
  return (
    <Card>
      <div class={`verdict ${tone}`}>
        <p class="cause">{tOr(`cause.${data.cause}`, data.cause)}</p>
        <p>{said(data.text)}</p>
        {remedy !== undefined && (
          <p>
            <strong>{t("why.remedy")}</strong> {remedy}
          </p>
        )}
      </div>
      <ol class="steps">
        {data.steps.map(({ step, at, text }) => (
          <li key={step} class={at === undefined ? "open" : "done"}>
            <span class="mark">{at !== undefined && <Icon name="good" />}</span>
            <span class="what">
              <strong>{tOr(`step.${step}`, step)}</strong>
              <span>{said(text)}</span>
            </span>
            <Time at={at} />
          </li>
        ))}
      </ol>
      <div class="buttons">
        <a class="button" href={href("notifications", [id])}>
          {t("why.toNotification")}
        </a>
        <a class="button" href={href("devices", [pushId])}>
          {t("why.toDevice")}
        </a>
        <CopyCurl path="notification/why" fields={{ id, pushId }} />
      </div>
      <Json title={t("asAnswered")} value={data} />
    </Card>
  );
}
