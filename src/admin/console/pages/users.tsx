// A user: the devices, who of them is online, what was sent to them.
import { useState } from "preact/hooks";
import { may } from "../access.ts";
import { curl } from "../api.ts";
import { t } from "../language.ts";
import { go, href, route } from "../route.ts";
import type { Device, Notified } from "../types.ts";
import { TextField } from "../ui/form.tsx";
import { Action, Card, Empty, Heading, Loading, State, Tile, Time, Trouble } from "../ui/show.tsx";
import { List, Table } from "../ui/table.tsx";
import { useCall } from "../use.ts";

export function Users() {
  const [uid] = route.value.rest;
  return uid === undefined ? <Find /> : <One uid={uid} />;
}

function Find() {
  const [uid, set] = useState("");
  return (
    <div class="page">
      <Heading title={t("page.users")} about={t("users.about")} />
      <Card>
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            if (uid.trim() !== "") go(href("users", [uid.trim()]));
          }}
        >
          <TextField label={t("users.uid")} value={uid} onValue={set} code required focus />
          <button type="submit" class="main">
            {t("show")}
          </button>
        </form>
        <Empty title={t("users.how")} command={curl("uid/bind", { pushId: "a-device-of-ann", uid: "ann" })}>
          {t("users.howDo")}
        </Empty>
      </Card>
    </div>
  );
}

interface Present {
  readonly online: boolean;
  readonly devices: number;
  readonly since?: number;
}

const EVERY = 5000;

interface Settings {
  readonly client?: { readonly auth?: { readonly keys?: readonly unknown[]; readonly jwks_url?: string } };
}

/** For a token of a client that somebody else has; where no tokens are looked at there is nothing to revoke. */
function Revoke({ uid, then }: { readonly uid: string; readonly then: () => void }) {
  const { keys = [], jwks_url = "" } = useCall<Settings>("config").data?.client?.auth ?? {};
  if (Object.keys(keys).length === 0 && jwks_url === "") return null;
  return (
    <Action
      path="auth/revoke"
      fields={{ uid }}
      label={t("users.revoke")}
      question={t("users.revokeAsk", { uid })}
      done="users.revoked"
      kind="grave"
      then={then}
    />
  );
}

function One({ uid }: { readonly uid: string }) {
  const { data, error, reload: ask } = useCall<{ presence: readonly Present[] }>("presence", { uid }, EVERY);
  const [turn, again] = useState(0);
  const reload = (): void => {
    ask();
    again((n) => n + 1);
  };
  const present = data?.presence[0];
  return (
    <div class="page">
      <p class="crumb">
        <a href={href("users")}>{t("page.users")}</a>
      </p>
      <Heading title={uid} about={present && <State state={present.online ? "connected" : "away"} />}>
        {may("notification") && (
          <a class="button main" href={href("send", [], { to: "uid", who: uid })}>
            {t("devices.send")}
          </a>
        )}
        {may("trace/start") && (
          <a class="button" href={href("trace", [], { uid })}>
            {t("users.trace")}
          </a>
        )}
        <Action
          path="disconnect"
          fields={{ uid }}
          label={t("devices.disconnect")}
          question={t("users.disconnectAsk")}
          done="devices.disconnected"
          then={reload}
        />
        <Revoke uid={uid} then={reload} />
        <Action
          path="uid/remove"
          fields={{ uid }}
          label={t("users.unbind")}
          question={t("users.unbindAsk", { uid })}
          done="users.unbound"
          kind="grave"
          then={reload}
        />
      </Heading>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {present === undefined && error === undefined && <Loading />}
      {present !== undefined && (
        <div class="tiles">
          <Tile label={t("users.online")} value={present.devices} />
          <Tile label={t("users.since")} value={<Time at={present.since} relative />} />
        </div>
      )}
      <Card title={t("page.devices")}>
        <List<Device, { devices: readonly Device[]; next?: string }>
          key={turn}
          caption={t("page.devices")}
          path="device/list"
          fields={{ uid }}
          rows={({ devices }) => devices}
          next={({ next }) => next}
          name={({ _id }) => _id}
          columns={[
            { head: t("devices.id"), cell: ({ _id }) => <a href={href("devices", [_id])}>{_id}</a>, wide: true },
            { head: t("devices.platform"), cell: ({ platform }) => platform ?? "" },
            {
              head: t("devices.reached"),
              cell: ({ type, token }) => (token === undefined ? t("devices.connection") : (type ?? "")),
            },
            {
              head: t("devices.online"),
              cell: ({ connected, lastSeen }) =>
                connected ? <State state="connected" /> : lastSeen === undefined ? "" : <Time at={lastSeen} relative />,
            },
          ]}
          empty={
            <Empty title={t("users.none")} command={curl("uid/bind", { pushId: "a-device-of-theirs", uid })}>
              {t("users.noneDo")}
            </Empty>
          }
        />
      </Card>
      <Sent uid={uid} />
    </div>
  );
}

/** Whatever is no type of notifications lists those of the user. */
function Sent({ uid }: { readonly uid: string }) {
  const { data, error, reload } = useCall<readonly Notified[]>("stats/arrival/-", { uid });
  return (
    <Card title={t("devices.notifications")}>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data?.length === 0 && <p class="muted">{t("users.nothingSent")}</p>}
      {data !== undefined && data.length > 0 && (
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
          ]}
        />
      )}
    </Card>
  );
}
