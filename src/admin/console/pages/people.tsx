// Who may use this console, and as what.
import { useState } from "preact/hooks";
import { may } from "../access.ts";
import { call, session } from "../api.ts";
import { exact } from "../format.ts";
import { t } from "../language.ts";
import { ask, Buttons } from "../ui/dialog.tsx";
import { Choice, TextField } from "../ui/form.tsx";
import { Action, Card, Command, Empty, Heading, Loading, State, Time, Trouble } from "../ui/show.tsx";
import { Table } from "../ui/table.tsx";
import { complain } from "../ui/toast.tsx";
import { useCall } from "../use.ts";

type Role = "operator" | "viewer";

interface Person {
  readonly name: string;
  readonly role: Role;
  readonly since: number;
  readonly disabled?: true;
  readonly sessions: number;
  readonly used?: number;
  readonly link?: number;
}

interface Invited {
  readonly name: string;
  readonly role: Role;
  readonly until: number;
}

/** Who is to set a password. */
interface Wanted {
  readonly name: string;
  readonly role: Role;
}

interface Link {
  readonly name: string;
  readonly secret: string;
  readonly until: number;
}

export function People() {
  const { data, error, reload } = useCall<{ people: readonly Person[]; invited: readonly Invited[] }>(
    "/admin/user/list",
    {},
    30_000,
  );
  const invite = async (): Promise<void> => {
    const wanted = await ask<Wanted>(t("people.invite"), (answer) => <Invite answer={answer} />);
    if (wanted !== undefined) await makeLink(wanted, reload);
  };
  return (
    <div class="page">
      <Heading title={t("page.people")} about={t("people.about")}>
        {may("/admin/user/invite") && (
          <button type="button" class="main" onClick={() => void invite()}>
            {t("people.invite")}
          </button>
        )}
      </Heading>
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data === undefined && error === undefined && <Loading />}
      {data !== undefined && (
        <Card title={t("people.who")}>
          <Table<Person>
            caption={t("people.who")}
            rows={data.people}
            name={({ name }) => name}
            columns={[
              {
                head: t("people.name"),
                cell: ({ name, since }) => (
                  <div>
                    {name}
                    {name === session.value?.name && <span class="muted"> · {t("people.you")}</span>}
                    <div class="hint">
                      {t("people.since")} <Time at={since} />
                    </div>
                  </div>
                ),
              },
              { head: t("people.role"), cell: ({ role }) => t(`people.${role}`) },
              {
                head: t("people.logins"),
                cell: (person) => <Logins person={person} />,
              },
              {
                head: "",
                label: t("people.actions"),
                wide: true,
                cell: (person) => <Actions person={person} then={reload} />,
              },
            ]}
          />
        </Card>
      )}
      {data !== undefined && data.invited.length > 0 && (
        <Card title={t("people.invited")}>
          <Table<Invited>
            caption={t("people.invited")}
            rows={data.invited}
            name={({ name }) => name}
            columns={[
              { head: t("people.name"), cell: ({ name }) => name, wide: true },
              { head: t("people.role"), cell: ({ role }) => t(`people.${role}`) },
              { head: t("people.until"), cell: ({ until }) => <Time at={until} /> },
              {
                head: "",
                label: t("people.actions"),
                cell: ({ name }) => (
                  <Action
                    path="/admin/user/remove"
                    fields={{ name }}
                    label={t("people.withdraw")}
                    question={t("people.withdrawAsk", { name })}
                    done="people.withdrawn"
                    then={reload}
                  />
                ),
              },
            ]}
          />
        </Card>
      )}
      {data !== undefined && data.people.length === 1 && data.invited.length === 0 && (
        <Card>
          <Empty title={t("people.alone")} command="pushbox admin user add ann --role operator">
            {t("people.aloneDo")}
          </Empty>
        </Card>
      )}
    </div>
  );
}

function Logins({ person: { disabled, sessions, used, link } }: { readonly person: Person }) {
  if (disabled === true) return <State state="stopped" text={t("people.disabled")} />;
  return (
    <div>
      {sessions === 0 ? <span class="muted">{t("people.out")}</span> : t("people.in", { n: sessions })}
      {used !== undefined && (
        <div class="hint">
          <Time at={used} relative />
        </div>
      )}
      {link !== undefined && <div class="hint">{t("people.linked")}</div>}
    </div>
  );
}

function Actions({ person, then }: { readonly person: Person; readonly then: () => void }) {
  const { name, role, disabled, sessions } = person;
  const own = name === session.value?.name;
  const other: Role = role === "operator" ? "viewer" : "operator";
  if (!may("/admin/user/invite")) return null;
  return (
    <div class="buttons">
      {disabled !== true && <NewPassword name={name} role={role} then={then} />}
      {!own && disabled !== true && (
        <Action
          path="/admin/user/role"
          fields={{ name, role: other }}
          label={t(`people.make.${other}`)}
          question={t(`people.makeAsk.${other}`, { name })}
          done="people.changed"
          then={then}
        />
      )}
      {!own && sessions > 0 && (
        <Action
          path="/admin/user/end"
          fields={{ name }}
          label={t("people.end")}
          question={t("people.endAsk", { name })}
          done="people.ended"
          then={then}
        />
      )}
      {!own && (
        <Action
          path={disabled === true ? "/admin/user/enable" : "/admin/user/disable"}
          fields={{ name }}
          label={t(disabled === true ? "people.enable" : "people.disable")}
          question={t(disabled === true ? "people.enableAsk" : "people.disableAsk", { name })}
          done="people.changed"
          then={then}
        />
      )}
      {!own && (
        <Action
          path="/admin/user/remove"
          fields={{ name }}
          label={t("people.remove")}
          question={t("people.removeAsk", { name })}
          done="people.removed"
          kind="grave"
          then={then}
        />
      )}
    </div>
  );
}

/** By a link: whoever makes it does not learn the password. */
const NewPassword = ({ name, role, then }: Wanted & { readonly then: () => void }) => (
  <button type="button" onClick={() => void makeLink({ name, role }, then)}>
    {t("people.password")}
  </button>
);

async function makeLink({ name, role }: Wanted, then: () => void): Promise<void> {
  try {
    const link = await call<Link>("/admin/user/invite", { name, role });
    then();
    await showLink(link);
  } catch (error) {
    complain(error);
  }
}

/** It is shown once: only its hash is stored. */
const showLink = ({ name, secret, until }: Link): Promise<unknown> =>
  ask(t("people.link", { name }), (answer) => (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        answer(undefined);
      }}
    >
      <p class="text">{t("people.linkDo", { name, until: exact(until) })}</p>
      <Command text={`${location.origin}/#setup=${secret}`} />
      <div class="buttons">
        <button type="submit" class="main">
          {t("close")}
        </button>
      </div>
    </form>
  ));

function Invite({ answer }: { readonly answer: (wanted: Wanted | undefined) => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        answer({ name: name.trim(), role });
      }}
    >
      <p class="text">{t("people.inviteWhy")}</p>
      <TextField label={t("people.name")} value={name} onValue={setName} required focus />
      <Choice
        label={t("people.role")}
        value={role}
        onValue={setRole}
        options={[
          ["viewer", t("people.viewer")],
          ["operator", t("people.operator")],
        ]}
      />
      <Buttons action={t("people.make")} onCancel={() => answer(undefined)} />
    </form>
  );
}
