// Sending by hand: a notification, a message, or a message with a notification for whoever is not there.
import { useEffect, useRef, useState } from "preact/hooks";
import { may } from "../../access.ts";
import { call, curl } from "../../api.ts";
import { count } from "../../format.ts";
import { t } from "../../language.ts";
import { filter, go, href, route } from "../../route.ts";
import { jobName } from "../../say.ts";
import type { Job } from "../../types.ts";
import { CheckField, Choice, SelectField, TextField } from "../../ui/form.tsx";
import { Card, CopyCurl, Empty, focusPage, Heading, Loading, Term, Time, Trouble } from "../../ui/show.tsx";
import { complain, toast } from "../../ui/toast.tsx";
import { useCall } from "../../use.ts";
import {
  AUDIENCES,
  type Draft,
  draftLike,
  EMPTY,
  fieldsOf,
  isToMany,
  type Kind,
  mistakes,
  names,
  notificationOf,
  type To,
} from "./content.ts";
import { forget, keep, kept, sendingKey } from "./draft.ts";
import { Phones, Weights } from "./preview.tsx";

const KINDS: readonly Kind[] = ["notification", "push", "reach"];
const isKind = (text: string | undefined): text is Kind => KINDS.some((kind) => kind === text);

/** Another kind has another address, and with it another form: what was written goes on there. */
let becoming = false;

/** What the address says. */
function first(): Draft {
  const { rest, query } = route.value;
  const [given] = rest;
  const kind = isKind(given) ? given : "notification";
  const to = AUDIENCES[kind].find((one) => one === query["to"]) ?? AUDIENCES[kind][0]!;
  return { ...EMPTY, kind, to, who: query["who"] ?? "" };
}

export function Send() {
  const { like } = route.value.query;
  const { data, error } = useCall<Parameters<typeof draftLike>[0]>(
    like === undefined ? undefined : "notification/get",
    { id: like, limit: 1 },
  );
  if (!may("notification"))
    return (
      <div class="page">
        <Heading title={t("page.send")} />
        <Empty title={t("send.viewer")} command={curl("notification", { pushId: "PUSHID", notification: {} })} />
      </div>
    );
  if (error !== undefined) return <Trouble error={error} />;
  if (like !== undefined && data === undefined) return <Loading />;
  return <Form given={data === undefined ? {} : draftLike(data)} />;
}

function Form({ given }: { readonly given: Partial<Draft> }) {
  const [before] = useState(kept);
  const [draft, put] = useState<Draft>(() => before ?? { ...first(), ...given });
  const [restored, show] = useState(() => {
    const goesOn = becoming;
    becoming = false;
    return before !== undefined && !goesOn;
  });
  const begun = useRef(draft);
  useEffect(() => {
    if (draft !== begun.current) keep(draft);
  }, [draft]);
  const [tried, tryIt] = useState(false);
  const { kind, to } = draft;
  const set =
    <Name extends keyof Draft>(name: Name) =>
    (value: Draft[Name]): void =>
      put((now) => ({ ...now, [name]: value }));
  const become = (next: Kind): void => {
    becoming = true;
    go(href("send", [next], { ...route.value.query, to: undefined }));
    keep({ ...draft, kind: next, to: AUDIENCES[next].includes(draft.to) ? draft.to : AUDIENCES[next][0]! });
  };
  const anew = (): void => {
    begun.current = { ...first(), ...given };
    put(begun.current);
    forget();
    show(false);
    tryIt(false);
    focusPage();
  };
  const wrong = mistakes(draft);
  const told = (name: keyof Draft) => (tried && wrong[name] !== undefined ? t(wrong[name]) : undefined);
  const right = Object.keys(wrong).length === 0;
  return (
    <div class="page">
      <Heading title={t("page.send")} about={t(`send.about.${kind}`)}>
        <CopyCurl path={kind} fields={fieldsOf(draft)} />
      </Heading>
      {restored && (
        <div class="notice calm" role="status">
          <span class="what">{t("send.restored")}</span>
          <button type="button" onClick={anew}>
            {t("send.anew")}
          </button>
        </div>
      )}
      <Choice
        label={t("send.kind")}
        value={kind}
        onValue={become}
        options={KINDS.map((one) => [one, t(`send.kind.${one}`)] as const)}
      />
      <div class="columns">
        <div class="page">
          <Card title={t("send.audience")}>
            <Audience draft={draft} set={set} error={told("who")} />
          </Card>
          <Card title={t("send.content")}>
            <div class="fields">
              {kind !== "push" && <Shown draft={draft} set={set} error={told("title")} />}
              {kind !== "notification" && (
                <TextField
                  label={t("send.json")}
                  hint={t("send.jsonHint")}
                  value={draft.json}
                  onValue={set("json")}
                  error={told("json")}
                  lines={4}
                  code
                />
              )}
              {kind !== "push" && (
                <TextField
                  label={t("send.payload")}
                  hint={t("send.payloadHint")}
                  value={draft.payload}
                  onValue={set("payload")}
                  error={told("payload")}
                  lines={3}
                  code
                />
              )}
            </div>
          </Card>
          <Card title={t("send.options")}>
            <Options draft={draft} set={set} error={told("vendors")} />
          </Card>
        </div>
        <div class="page">
          {kind !== "push" && <Phones title={draft.title} message={draft.message} />}
          {kind !== "push" && <Weights draft={draft} />}
          <Card title={t("send.go")}>
            <Go draft={draft} right={right} onTry={() => tryIt(true)} key={`${kind} ${to}`} />
          </Card>
        </div>
      </div>
    </div>
  );
}

interface Part {
  readonly draft: Draft;
  readonly set: <Name extends keyof Draft>(name: Name) => (value: Draft[Name]) => void;
  readonly error: string | undefined;
}

function Audience({ draft: { kind, to, who }, set, error }: Part) {
  const options = AUDIENCES[kind];
  return (
    <div class="fields">
      {options.length > 1 && (
        <Choice<To>
          label={t("send.to")}
          value={to}
          onValue={(value) => {
            set("to")(value);
            filter({ to: value });
          }}
          options={options.map((one) => [one, t(`send.to.${one}`)] as const)}
        />
      )}
      {to === "all" ? (
        <p class="muted">
          <Term figure="everybody">{t("send.everybody")}</Term>
        </p>
      ) : (
        <TextField
          label={t(`send.who.${to}`)}
          {...(to === "pushId" || to === "uid" ? { hint: t("send.whoHint"), lines: 2 } : {})}
          value={who}
          onValue={(value) => {
            set("who")(value);
            filter({ who: value.length < 500 ? value : undefined });
          }}
          error={error}
          code
        />
      )}
    </div>
  );
}

const Shown = ({ draft, set, error }: Part) => (
  <>
    <TextField label={t("send.title")} value={draft.title} onValue={set("title")} error={error} />
    <TextField label={t("send.message")} value={draft.message} onValue={set("message")} lines={3} />
  </>
);

const Options = ({ draft, set, error }: Part) => {
  const { kind } = draft;
  return (
    <div class="fields">
      <div class="fields two">
        <SelectField
          label={t("send.life")}
          hint={t("send.lifeHint")}
          value={draft.timeToLive}
          onValue={set("timeToLive")}
          options={[
            ["", t("send.life.none")],
            ...["10m", "1h", "1d", "7d", "30d"].map(
              (life) => [life, t(`send.life.${life}` as "send.life.1d")] as const,
            ),
            ...(/^\d+$/.test(draft.timeToLive) ? [[draft.timeToLive, t("send.life.same")] as const] : []),
          ]}
        />
        {kind !== "push" && (
          <TextField
            label={t("send.at")}
            hint={t("send.atHint")}
            type="datetime-local"
            value={draft.sendAt}
            onValue={set("sendAt")}
          />
        )}
        {kind === "reach" && (
          <TextField
            label={t("send.fallback")}
            hint={t("send.fallbackHint")}
            value={draft.fallbackAfter}
            onValue={set("fallbackAfter")}
            code
          />
        )}
        {isToMany(draft) && (
          <TextField
            label={t("job.rateLabel")}
            hint={t("job.rateHint")}
            type="number"
            min={0}
            value={draft.rate}
            onValue={set("rate")}
          />
        )}
      </div>
      {kind !== "push" && (
        <details>
          <summary>{t("send.more")}</summary>
          <div class="fields two">
            <TextField
              label={t("send.quiet")}
              hint={t("send.quietHint")}
              value={draft.quietHours}
              onValue={set("quietHours")}
              placeholder="22:00-08:00"
              code
            />
            <TextField label={t("send.type")} hint={t("send.typeHint")} value={draft.type} onValue={set("type")} />
            <TextField label={t("send.badge")} type="number" min={0} value={draft.badge} onValue={set("badge")} />
            <TextField label={t("send.sound")} value={draft.sound} onValue={set("sound")} placeholder="default" code />
            {kind === "reach" && (
              <TextField
                label={t("send.cap")}
                type="number"
                min={1}
                value={draft.capPerDay}
                onValue={set("capPerDay")}
              />
            )}
          </div>
          <TextField
            label={t("send.vendors")}
            hint={t("send.vendorsHint")}
            value={draft.vendors}
            onValue={set("vendors")}
            error={error}
            lines={2}
            placeholder='{"xiaomi":{"channel_id":"42"}}'
            code
          />
        </details>
      )}
    </div>
  );
};

// ---- the last step

interface Counted {
  readonly id: string;
  readonly count?: number;
  readonly routes?: Readonly<Record<string, number>>;
}

/** A key of its own for each form as it is filled in: pressed twice, it is sent once. */
function useKey(draft: Draft): string {
  const text = JSON.stringify(draft);
  const [made, make] = useState(() => ({ text, key: sendingKey(text) }));
  if (made.text === text) return made.key;
  const next = { text, key: sendingKey(text) };
  make(next);
  return next.key;
}

function Go({ draft, right, onTry }: { readonly draft: Draft; readonly right: boolean; readonly onTry: () => void }) {
  const [counted, count_] = useState<{ readonly of: string; readonly answer: Counted } | undefined>(undefined);
  const [typed, type] = useState("");
  const [busy, wait] = useState(false);
  const key = useKey(draft);
  const { kind } = draft;
  const of = JSON.stringify(fieldsOf(draft));
  const answer = counted?.of === of ? counted.answer : undefined;
  const many = isToMany(draft);
  const during = (act: () => Promise<void>) => async (): Promise<void> => {
    onTry();
    if (!right) return;
    wait(true);
    try {
      await act();
    } catch (error) {
      complain(error);
    } finally {
      wait(false);
    }
  };
  const look = during(async () => {
    const fields = { ...fieldsOf(draft), dryRun: "true" };
    const first = await call<Counted>("notification", fields);
    type("");
    count_({ of, answer: first.count === undefined ? await whenCounted(first) : first });
  });
  const send = during(async () => {
    const sent = await call<{ id: string; online?: number }>(kind, { ...fieldsOf(draft), idempotencyKey: key });
    forget();
    toast(
      kind === "push" ? t("send.pushed", { n: sent.online ?? 0, online: count(sent.online ?? 0) }) : t("send.sent"),
    );
    if (kind !== "push") go(href("notifications", [sent.id]));
  });
  const enough = !many || (answer?.count !== undefined && answer.count > 0 && typed.trim() === String(answer.count));
  return (
    <div class="fields">
      <TestFirst draft={draft} during={during} busy={busy} />
      {kind === "notification" && (
        <div class="buttons">
          <button type="button" disabled={busy} onClick={() => void look()}>
            {t("send.count")}
          </button>
          <span class="muted">{t("send.countWhy")}</span>
        </div>
      )}
      {answer !== undefined && <Reaches answer={answer} />}
      {many && <Last draft={draft} />}
      {many && answer?.count !== undefined && answer.count > 0 && (
        <TextField
          label={t("send.type.number", { number: String(answer.count) })}
          hint={t("send.type.why")}
          value={typed}
          onValue={type}
          code
        />
      )}
      <div class="buttons">
        <button type="button" class="main" disabled={busy || !enough} onClick={() => void send()}>
          {many && answer?.count !== undefined
            ? t("send.toMany", { n: answer.count, shown: count(answer.count) })
            : t(draft.sendAt === "" ? "send.send" : "send.later")}
        </button>
        {many && answer === undefined && <span class="muted">{t("send.countFirst")}</span>}
        {!many && draft.who !== "" && (
          <span class="muted">
            {t(`send.names.${draft.to}`, { n: names(draft.who).length, shown: count(names(draft.who).length) })}
          </span>
        )}
      </div>
    </div>
  );
}

/** Of a million devices it takes longer. */
async function whenCounted({ id }: Counted): Promise<Counted> {
  for (;;) {
    const job = await call<{ state: string; routes: Readonly<Record<string, number>> }>("job/get", { id });
    if (job.state === "cancelled") throw new Error(t("send.uncounted"));
    if (job.state === "finished")
      return { id, routes: job.routes, count: Object.values(job.routes).reduce((sum, one) => sum + one, 0) };
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const Reaches = ({ answer: { count: n = 0, routes = {} } }: { readonly answer: Counted }) => (
  <div class={n === 0 ? "notice" : "notice calm"} role="status">
    <span class="what">
      <strong>{t("send.reaches", { n, shown: count(n) })}</strong>
      {Object.entries(routes).map(([way, devices]) => (
        <span key={way} class="tag">
          {way === "noti" || way === "connection" ? t(`way.${way}`) : way} {count(devices)}
        </span>
      ))}
      {n === 0 && <p>{t("send.nobody")}</p>}
    </span>
  </div>
);

/** When the same people were last sent something. */
function Last({ draft: { to, who } }: { readonly draft: Draft }) {
  const [tag] = names(who);
  const which = to === "all" ? { pushAll: "true" } : { tag };
  const { data } = useCall<{ job?: Job }>(to === "tag" && tag === undefined ? undefined : "job/last", which);
  if (data === undefined) return null;
  const { job } = data;
  if (job === undefined) return <p class="muted">{t("send.firstTime")}</p>;
  return (
    <p class="muted">
      {t("send.last")} <a href={href("notifications", [job.id])}>{jobName(job)}</a>, <Time at={job.acceptedAt} /> (
      <Time at={job.acceptedAt} relative />)
    </p>
  );
}

interface TestDevice {
  readonly pushId: string;
  readonly note: string;
}

/** The same, to oneself. */
function TestFirst({
  draft,
  during,
  busy,
}: {
  readonly draft: Draft;
  readonly during: (act: () => Promise<void>) => () => Promise<void>;
  readonly busy: boolean;
}) {
  const { data } = useCall<{ devices: readonly TestDevice[] }>("device/test/list");
  const [chosen, choose] = useState<ReadonlySet<string> | undefined>(undefined);
  const devices = data?.devices ?? [];
  useEffect(() => choose(undefined), [data]);
  if (data === undefined) return null;
  if (devices.length === 0) return <p class="muted">{t("send.noTestDevices")}</p>;
  const to = chosen ?? new Set(devices.map(({ pushId }) => pushId));
  const test = during(async () => {
    const pushId = [...to];
    if (draft.kind === "push") {
      const { online = 0 } = await call<{ online?: number }>("push", fieldsOf(draft, { pushId }));
      toast(t("send.pushed", { n: online, online: count(online) }));
      return;
    }
    const { title, message } = draft;
    const { id } = await call<{ id: string }>("notification", {
      ...fieldsOf({ ...draft, kind: "notification", sendAt: "", rate: "", quietHours: "" }, { pushId }),
      notification: notificationOf({ ...draft, title, message }),
      type: "test",
    });
    toast(t("send.tested", { n: pushId.length, shown: count(pushId.length), id }));
  });
  return (
    <fieldset class="fields test">
      <legend>{t("send.testDevices")}</legend>
      {devices.map(({ pushId, note }) => (
        <CheckField
          key={pushId}
          label={note === "" ? pushId : `${note} (${pushId})`}
          value={to.has(pushId)}
          onValue={(yes) => {
            const next = new Set(to);
            yes ? next.add(pushId) : next.delete(pushId);
            choose(next);
          }}
        />
      ))}
      <div class="buttons">
        <button type="button" disabled={busy || to.size === 0} onClick={() => void test()}>
          {t("send.test")}
        </button>
      </div>
    </fieldset>
  );
}
