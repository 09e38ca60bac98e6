// Devices: found by name, user or token; and one of them with all that is known of it.
import { useState } from "preact/hooks";
import { may } from "../access.ts";
import { call, curl } from "../api.ts";
import { t } from "../language.ts";
import { filter, go, href, route } from "../route.ts";
import { said } from "../say.ts";
import type { Device, FormerToken, Notified } from "../types.ts";
import { ask, Buttons } from "../ui/dialog.tsx";
import { TextField } from "../ui/form.tsx";
import {
  Action,
  Card,
  Code,
  Empty,
  type Fact,
  Facts,
  Heading,
  Json,
  Loading,
  State,
  Time,
  Trouble,
} from "../ui/show.tsx";
import { type Column, List, Table } from "../ui/table.tsx";
import { complain, toast } from "../ui/toast.tsx";
import { useCall, useWanted } from "../use.ts";
import { clientOrigin } from "./playground/client.ts";

const connect = (): string => `import { PushClient } from "pushbox-client";
new PushClient("${clientOrigin()}", { topics: ["news"] });`;

export function Devices() {
  const [pushId] = route.value.rest;
  return pushId === undefined ? <Find /> : <One pushId={pushId} />;
}

// ---- many

const columns: () => readonly Column<Device>[] = () => [
  { head: t("devices.id"), cell: ({ _id }) => <a href={href("devices", [_id])}>{_id}</a>, wide: true },
  { head: t("devices.user"), cell: ({ uid }) => (uid === undefined ? "" : <a href={href("users", [uid])}>{uid}</a>) },
  { head: t("devices.platform"), cell: ({ platform }) => platform ?? "" },
  { head: t("devices.reached"), cell: (device) => way(device) },
  {
    head: t("devices.lastSeen"),
    cell: ({ connected, lastSeen }) =>
      connected ? <State state="connected" /> : lastSeen === undefined ? "" : <Time at={lastSeen} relative />,
  },
];

/** By which vendor it is reached while its app is closed. */
const way = ({ type, token }: Device): string =>
  token === undefined || type === undefined ? t("devices.connection") : type;

function Find() {
  const { prefix = "", uid = "", token = "" } = route.value.query;
  const [wanted, want] = useWanted({ prefix, uid, token });
  const set = (name: keyof typeof wanted) => (value: string) => want({ ...wanted, [name]: value });
  const filtered = prefix !== "" || uid !== "" || token !== "";
  const fields = { ...(prefix && { prefix }), ...(uid && { uid }), ...(token && { token }) };
  return (
    <div class="page">
      <Heading title={t("page.devices")} about={t("devices.about")} />
      <Card>
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            filter({ ...wanted, after: undefined }, true);
          }}
        >
          <TextField label={t("devices.prefix")} value={wanted.prefix} onValue={set("prefix")} code />
          <TextField label={t("devices.uid")} value={wanted.uid} onValue={set("uid")} code />
          <TextField label={t("devices.token")} value={wanted.token} onValue={set("token")} code />
          <button type="submit" class="main">
            {t("show")}
          </button>
        </form>
        <List<Device, { devices: readonly Device[]; next?: string }>
          caption={t("devices.list")}
          path="device/list"
          fields={fields}
          rows={({ devices }) => devices}
          next={({ next }) => next}
          name={({ _id }) => _id}
          columns={columns()}
          empty={
            filtered ? (
              <Empty title={t("devices.none")} command={curl("device/list", fields)}>
                {t("devices.noneFits")}
              </Empty>
            ) : (
              <Empty title={t("devices.none")} command={connect()}>
                {t("devices.noneYet")}
              </Empty>
            )
          }
        />
      </Card>
    </div>
  );
}

// ---- one

function One({ pushId }: { readonly pushId: string }) {
  const { data, error, reload } = useCall<Partial<Device>>("device/get", { pushId });
  if (error !== undefined) return <Trouble error={error} retry={reload} />;
  if (data === undefined) return <Loading />;
  return (
    <div class="page">
      <p class="crumb">
        <a href={href("devices")}>{t("page.devices")}</a>
      </p>
      {data._id === undefined ? (
        <>
          <Heading title={pushId} />
          <Empty title={t("devices.unknown", { id: pushId })} command={curl("device/list", {})}>
            {t("devices.unknownDo")}
          </Empty>
        </>
      ) : (
        <Known device={data as Device} reload={reload} />
      )}
    </div>
  );
}

/** One's own, for trying things out: sending begins with them. */
function TestMark({ pushId }: { readonly pushId: string }) {
  const { data, reload } = useCall<{ devices: readonly { readonly pushId: string }[] }>("device/test/list");
  if (data === undefined || !may("device/test/add")) return null;
  if (data.devices.some((one) => one.pushId === pushId))
    return (
      <Action
        path="device/test/remove"
        fields={{ pushId }}
        label={t("devices.noTest")}
        done="devices.unmarked"
        then={reload}
      />
    );
  const mark = async (): Promise<void> => {
    const note = await ask<string>(t("devices.test"), (answer) => <Note answer={answer} />);
    if (note === undefined) return;
    try {
      await call("device/test/add", { pushId, note });
      toast(t("devices.marked"));
      reload();
    } catch (error) {
      complain(error);
    }
  };
  return (
    <button type="button" onClick={() => void mark()}>
      {t("devices.test")}
    </button>
  );
}

function Note({ answer }: { readonly answer: (note: string | undefined) => void }) {
  const [note, set] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        answer(note);
      }}
    >
      <p class="text">{t("devices.testWhy")}</p>
      <TextField label={t("devices.testNote")} value={note} onValue={set} focus />
      <Buttons action={t("save")} onCancel={() => answer(undefined)} />
    </form>
  );
}

function Known({ device, reload }: { readonly device: Device; readonly reload: () => void }) {
  const { _id: pushId, uid, connected, connections = [], tokenHistory = [] } = device;
  return (
    <>
      <Heading title={pushId} about={<State state={connected ? "connected" : "away"} />}>
        {may("notification") && (
          <a class="button main" href={href("send", [], { to: "pushId", who: pushId })}>
            {t("devices.send")}
          </a>
        )}
        <TestMark pushId={pushId} />
        {may("uid/bind") && (
          <button type="button" onClick={() => void bind(pushId, uid, reload)}>
            {t("devices.bind")}
          </button>
        )}
        {uid !== undefined && (
          <Action
            path="uid/remove"
            fields={{ pushId }}
            label={t("devices.unbind")}
            question={t("devices.unbindAsk", { uid })}
            done="devices.unbound"
            then={reload}
          />
        )}
        {connected && (
          <Action
            path="disconnect"
            fields={{ pushId }}
            label={t("devices.disconnect")}
            question={t("devices.disconnectAsk")}
            done="devices.disconnected"
            then={reload}
          />
        )}
        <Action
          path="device/delete"
          fields={{ pushId }}
          label={t("devices.delete")}
          question={t("devices.deleteAsk", { id: pushId })}
          done="devices.deleted"
          kind="grave"
          then={() => go(href("devices"))}
        />
      </Heading>
      <div class="columns">
        <Card title={t("devices.record")}>
          <Facts rows={record(device)} />
          <Json title={t("asAnswered")} value={device} />
        </Card>
        <Card title={t("devices.connections")}>
          {connections.length === 0 && <p class="muted">{t("devices.notConnected")}</p>}
          {connections.map((one) => (
            <Facts
              key={one.since}
              rows={[
                [t("devices.since"), <Time at={one.since} />],
                [t("devices.transport"), `${one.transport}, Engine.IO ${one.revision}`],
                [t("devices.address"), <Code>{one.address}</Code>],
                [
                  t("devices.topics"),
                  one.topics.map((topic) => (
                    <a key={topic} class="tag" href={href("topics", [topic])}>
                      {topic}
                    </a>
                  )),
                ],
              ]}
            />
          ))}
        </Card>
      </div>
      <Notifications pushId={pushId} />
      {tokenHistory.length > 0 && (
        <Card title={t("devices.former")}>
          <Table<FormerToken>
            caption={t("devices.former")}
            rows={tokenHistory}
            name={({ at }) => String(at)}
            columns={[
              { head: t("devices.token"), cell: ({ token }) => <Code>{token}</Code>, wide: true },
              { head: t("devices.app"), cell: ({ type, package_name }) => `${type} ${package_name ?? ""}` },
              { head: t("devices.why"), cell: ({ reason }) => said(reason) },
              { head: t("devices.when"), cell: ({ at }) => <Time at={at} /> },
            ]}
          />
        </Card>
      )}
    </>
  );
}

const record = (device: Device): readonly Fact[] => [
  device.uid !== undefined && [t("devices.user"), <a href={href("users", [device.uid])}>{device.uid}</a>],
  device.platform !== undefined && [t("devices.platform"), device.platform],
  [t("devices.reached"), way(device)],
  device.package_name !== undefined && [t("devices.app"), <Code>{device.package_name}</Code>],
  device.token !== undefined && [t("devices.token"), <Code>{device.token}</Code>],
  device.tags !== undefined &&
    device.tags.length > 0 && [
      t("devices.tags"),
      device.tags.map((tag) => (
        <span key={tag} class="tag">
          {tag}
        </span>
      )),
    ],
  [t("devices.lastSeen"), device.lastSeen === undefined ? t("devices.never") : <Time at={device.lastSeen} />],
  [t("devices.created"), <Time at={Date.parse(device.createTime)} />],
  [t("devices.changed"), <Time at={Date.parse(device.updateTime)} />],
];

function Notifications({ pushId }: { readonly pushId: string }) {
  // Whatever is no type of notifications lists those of the device.
  const { data, error, reload } = useCall<readonly Notified[]>("stats/arrival/-", { pushId });
  return (
    <Card title={t("devices.notifications")}>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data?.length === 0 && (
        <Empty
          title={t("devices.noNotifications")}
          command={curl("notification", { pushId, notification: { android: { title: "Hello", message: "World" } } })}
        >
          {t("devices.noNotificationsDo")}
        </Empty>
      )}
      {data !== undefined && data.length > 0 && (
        <div class="list">
          <Table<Notified>
            caption={t("devices.notifications")}
            rows={data}
            name={({ id }) => id}
            columns={[
              {
                head: t("devices.notification"),
                cell: (one) => <a href={href("notifications", [one.id])}>{one.notification || one.id}</a>,
                wide: true,
              },
              { head: t("devices.when"), cell: ({ timeStartIso }) => <Time at={Date.parse(timeStartIso)} /> },
              {
                head: "",
                cell: ({ id }) => <a href={href("why", [], { id, pushId })}>{t("devices.whyNot")}</a>,
              },
            ]}
          />
        </div>
      )}
    </Card>
  );
}

async function bind(pushId: string, before: string | undefined, reload: () => void): Promise<void> {
  const uid = await ask<string>(t("devices.bind"), (answer) => <Bind before={before} answer={answer} />);
  if (uid === undefined) return;
  try {
    await call("uid/bind", { pushId, uid });
    toast(t("devices.bound", { uid }));
    reload();
  } catch (error) {
    complain(error);
  }
}

function Bind({
  before,
  answer,
}: {
  readonly before: string | undefined;
  readonly answer: (uid: string | undefined) => void;
}) {
  const [uid, set] = useState(before ?? "");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        answer(uid);
      }}
    >
      <TextField label={t("devices.uid")} value={uid} onValue={set} code required focus />
      <Buttons action={t("devices.bind")} onCancel={() => answer(undefined)} />
    </form>
  );
}
