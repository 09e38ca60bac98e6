// Topics: which there are, and one of them: who is in it, how much goes through it, what is kept for it.
import { useState } from "preact/hooks";
import { may } from "../access.ts";
import { curl } from "../api.ts";
import { count, decimal } from "../format.ts";
import { t } from "../language.ts";
import { filter, href, route } from "../route.ts";
import { TextField } from "../ui/form.tsx";
import { Action, Card, Code, Empty, Heading, Loading, Tile, Time, Trouble } from "../ui/show.tsx";
import { List, Table } from "../ui/table.tsx";
import { useCall, useWanted } from "../use.ts";
import { clientOrigin } from "./playground/client.ts";

export function Topics() {
  const [topic] = route.value.rest;
  return topic === undefined ? <Find /> : <One topic={topic} />;
}

// ---- many

interface Listed {
  readonly topic: string;
  readonly count: number;
  readonly leftOut?: number;
}

const subscribe = (): string => `import { PushClient } from "pushbox-client";
new PushClient("${clientOrigin()}", { topics: ["news"] });`;

function Find() {
  const { prefix = "" } = route.value.query;
  const [wanted, want] = useWanted(prefix);
  return (
    <div class="page">
      <Heading title={t("page.topics")} about={t("topics.about")} />
      <Card>
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            filter({ prefix: wanted, after: undefined }, true);
          }}
        >
          <TextField label={t("topics.prefix")} value={wanted} onValue={want} code />
          <button type="submit" class="main">
            {t("show")}
          </button>
        </form>
        <List<Listed, { topics: readonly Listed[]; next?: string }>
          caption={t("page.topics")}
          path="topic/list"
          fields={prefix === "" ? {} : { prefix }}
          rows={({ topics }) => topics}
          next={({ next }) => next}
          name={({ topic }) => topic}
          every={5000}
          columns={[
            { head: t("topics.topic"), cell: ({ topic }) => <a href={href("topics", [topic])}>{topic}</a>, wide: true },
            { head: t("topics.connections"), cell: (one) => count(one.count), number: true },
            {
              head: t("topics.leftOut"),
              cell: ({ leftOut }) => (leftOut === undefined ? "" : count(leftOut)),
              number: true,
            },
          ]}
          empty={
            <Empty title={t("topics.none")} command={subscribe()}>
              {t("topics.noneDo")}
            </Empty>
          }
        />
      </Card>
    </div>
  );
}

// ---- one

interface Kept {
  readonly seq: number;
  readonly id: string;
  readonly event: string;
  readonly size: number;
  readonly text: string;
  readonly expires: number;
}

interface Topic {
  readonly count: number;
  readonly rates: { readonly in: number; readonly out: number; readonly kept: number; readonly seconds: number };
  readonly kept: readonly Kept[];
}

interface Member {
  readonly pushId: string;
  readonly uid?: string;
  readonly platform?: string;
  readonly connections: number;
}

const EVERY = 2000;
/** For which somebody is kept out who was sent away. */
const HOLDS = "10m";

function One({ topic }: { readonly topic: string }) {
  const { data, error, reload: ask } = useCall<Topic>("topic/get", { topic }, EVERY);
  const [turn, again] = useState(0);
  const reload = (): void => {
    ask();
    again((n) => n + 1);
  };
  if (error !== undefined && data === undefined) return <Trouble error={error} retry={reload} />;
  if (data === undefined) return <Loading />;
  const { rates, kept } = data;
  const rate = (value: number): string => (rates.seconds === 0 ? "–" : decimal(value));
  return (
    <div class="page">
      <p class="crumb">
        <a href={href("topics")}>{t("page.topics")}</a>
      </p>
      <Heading title={topic}>
        {may("push") && (
          <a class="button main" href={href("send", ["push"], { to: "topic", who: topic })}>
            {t("topics.push")}
          </a>
        )}
        {may("trace/start") && (
          <a class="button" href={href("trace", [], { topic })}>
            {t("users.trace")}
          </a>
        )}
        <Action
          path="disconnect"
          fields={{ topic }}
          label={t("topics.disconnect")}
          question={t("topics.disconnectAsk", { n: data.count, shown: count(data.count) })}
          done="devices.disconnected"
          kind="grave"
          then={reload}
        />
      </Heading>
      <div class="tiles">
        <Tile figure="connections" label={t("topics.connections")} value={count(data.count)} />
        <Tile label={t("topics.in")} value={rate(rates.in)} note={t("topics.perSecond")} />
        <Tile figure="packets" label={t("topics.out")} value={rate(rates.out)} note={t("topics.perSecond")} />
        <Tile label={t("topics.keptRate")} value={rate(rates.kept)} note={t("topics.perSecond")} />
      </div>
      <Card title={t("topics.members")}>
        <List<Member, { devices: readonly Member[]; next?: string }>
          key={turn}
          caption={t("topics.members")}
          path="topicDevices"
          fields={{ topic }}
          rows={({ devices }) => devices}
          next={({ next }) => next}
          name={({ pushId }) => pushId}
          every={5000}
          columns={[
            {
              head: t("devices.id"),
              cell: ({ pushId }) => <a href={href("devices", [pushId])}>{pushId}</a>,
              wide: true,
            },
            {
              head: t("devices.user"),
              cell: ({ uid }) => (uid === undefined ? "" : <a href={href("users", [uid])}>{uid}</a>),
            },
            { head: t("devices.platform"), cell: ({ platform }) => platform ?? "" },
            { head: t("topics.connections"), cell: ({ connections }) => count(connections), number: true },
            {
              head: "",
              label: " ",
              cell: ({ pushId }) => (
                <Action
                  path="unsubscribe"
                  fields={{ topic, pushId, hold: HOLDS }}
                  label={t("topics.kick")}
                  question={t("topics.kickAsk", { id: pushId })}
                  done="topics.kicked"
                  then={reload}
                />
              ),
            },
          ]}
          empty={<Empty title={t("topics.nobody")}>{t("topics.nobodyDo")}</Empty>}
        />
      </Card>
      <Card title={t("topics.kept")}>
        {kept.length === 0 ? (
          <Empty
            title={t("topics.nothingKept")}
            command={curl("push", { topic, json: { hello: "world" }, timeToLive: "1h" })}
          >
            {t("topics.nothingKeptDo")}
          </Empty>
        ) : (
          <Table<Kept>
            caption={t("topics.kept")}
            rows={kept}
            name={({ seq }) => String(seq)}
            columns={[
              { head: t("topics.message"), cell: ({ text }) => <Code>{text}</Code>, wide: true },
              { head: t("topics.size"), cell: ({ size }) => count(size), number: true },
              { head: t("topics.until"), cell: ({ expires }) => <Time at={expires} relative /> },
            ]}
          />
        )}
      </Card>
    </div>
  );
}
