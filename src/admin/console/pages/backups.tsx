// Copies of the data: made, checked, downloaded, and put back at the next start.
import { useEffect, useState } from "preact/hooks";
import type { CopiesView, Copy, CopyWork, Staged } from "../../../core/copies.ts";
import { may } from "../access.ts";
import { call } from "../api.ts";
import { bytes, count, exact } from "../format.ts";
import { t } from "../language.ts";
import { said } from "../say.ts";
import { confirm } from "../ui/dialog.tsx";
import { Action, Card, Code, Command, Empty, Facts, Heading, Loading, State, Time, Trouble } from "../ui/show.tsx";
import { Table } from "../ui/table.tsx";
import { complain } from "../ui/toast.tsx";
import { useCall } from "../use.ts";

/** `elsewhere` alone where PostgreSQL has the data: its own programs copy it. */
type View = CopiesView & { readonly elsewhere?: string; readonly schema?: string };

const isRunning = (work: CopyWork | undefined): boolean => work !== undefined && work.ended === undefined;

export function Backups() {
  const [busy, set] = useState(false);
  const { data, error, reload } = useCall<View>("/admin/backup/list", {}, busy ? 1000 : 30_000);
  const running = isRunning(data?.work);
  useEffect(() => set(running), [running]);
  const begun = (): void => {
    set(true);
    reload();
  };
  return (
    <div class="page">
      <Heading title={t("page.backups")} about={t("backups.about")} />
      {error !== undefined && <Trouble error={error} retry={reload} />}
      {data === undefined && error === undefined && <Loading />}
      {data?.elsewhere !== undefined && <Elsewhere schema={data.schema ?? "pushbox"} />}
      {data !== undefined && data.elsewhere === undefined && (
        <>
          {data.staged !== undefined && <Waiting staged={data.staged} then={reload} />}
          <Card
            title={t("backups.now")}
            aside={
              !running && (
                <Action
                  path="/admin/backup/start"
                  fields={{}}
                  label={t("backups.start")}
                  done="backups.started"
                  kind="main"
                  then={begun}
                />
              )
            }
          >
            {data.work !== undefined && <Progress work={data.work} />}
            <Facts
              rows={[
                [t("backups.size"), bytes(data.size)],
                [t("backups.folder"), <Code key="folder">{data.folder}</Code>],
                [t("backups.free"), bytes(data.free)],
              ]}
            />
            <p class="hint">{t("backups.terminal")}</p>
            <Command text={nightly(data.folder)} />
          </Card>
          <Card title={t("backups.copies")}>
            {data.copies.length === 0 && <Empty title={t("backups.none")}>{t("backups.noneDo")}</Empty>}
            {data.copies.length > 0 && <Copies copies={data.copies} busy={running} begun={begun} then={reload} />}
          </Card>
        </>
      )}
    </div>
  );
}

/** A line of a crontab, where a percent sign would end it. @param folder of the copies */
const nightly = (folder: string): string =>
  `0 3 * * * pushbox backup /backup/pushbox-$(date +\\%F).db --data ${/^(.+)\/backups$/.exec(folder)?.[1] ?? "/var/lib/pushbox"}`;

/** What `pushbox restore` does to a copy that it puts back: seqs that it gives out again are not taken for known ones, and no login outlives it. */
const renewed = (schema: string): string =>
  [
    `UPDATE ${schema}.meta SET epoch = left(md5(random()::text || clock_timestamp()::text), 16)`,
    `SELECT setval('${schema}.events_seq', nextval('${schema}.events_seq') + 1000000000000)`,
    `DELETE FROM ${schema}.admin_sessions`,
  ].join("; ");

const Elsewhere = ({ schema }: { readonly schema: string }) => (
  <Card title={t("backups.postgres")}>
    <p class="text">{t("backups.postgresDo")}</p>
    <Command text={`pg_dump --format=custom --schema=${schema} --file=pushbox.dump "$PUSHBOX_POSTGRES_URL"`} />
    <p class="text">{t("backups.postgresBack")}</p>
    <Command
      text={`pg_restore --clean --if-exists --single-transaction --dbname="$PUSHBOX_POSTGRES_URL" pushbox.dump`}
    />
    <p class="text">{t("backups.postgresAfter")}</p>
    <Command text={`psql "$PUSHBOX_POSTGRES_URL" --command "${renewed(schema)}"`} />
  </Card>
);

/** What the next start will do. */
const Waiting = ({ staged, then }: { readonly staged: Staged; readonly then: () => void }) => (
  <Card
    title={t("backups.staged")}
    aside={
      <Action
        path="/admin/backup/cancel"
        fields={{}}
        label={t("backups.unstage")}
        done="backups.unstaged"
        then={then}
      />
    }
  >
    <div class="notice warn" role="status">
      <span class="what">
        {t("backups.stagedWhat", { name: staged.name, n: staged.devices, devices: count(staged.devices) })}{" "}
        {t("backups.stagedWho", { who: staged.who })} <Time at={staged.at} relative />.
      </span>
    </div>
    <p class="text">{t("backups.restart")}</p>
    <Command text="systemctl restart pushbox" />
  </Card>
);

function Progress({ work }: { readonly work: CopyWork }) {
  const { task, name, written, of, error, content } = work;
  const what = t(`backups.${task}`, { name });
  if (isRunning(work))
    return (
      <div class="notice" role="status">
        <span class="what">
          {what} <progress aria-label={what} {...(written === undefined ? {} : { value: written, max: of })} />{" "}
          {written !== undefined && of !== undefined && `${bytes(written)} / ${bytes(of)}`}
        </span>
      </div>
    );
  return (
    <div class={error === undefined ? "notice good" : "trouble"} role={error === undefined ? "status" : "alert"}>
      <span class="what">
        {what}{" "}
        {error === undefined
          ? content === undefined
            ? t("backups.well")
            : t("backups.whole", { n: content.devices, devices: count(content.devices) })
          : t("backups.failed", { error: said(error) })}
      </span>
    </div>
  );
}

interface CopiesProps {
  readonly copies: readonly Copy[];
  readonly busy: boolean;
  readonly begun: () => void;
  readonly then: () => void;
}

const Copies = ({ copies, busy, begun, then }: CopiesProps) => (
  <Table<Copy>
    caption={t("backups.copies")}
    rows={copies}
    name={({ name }) => name}
    columns={[
      {
        head: t("backups.name"),
        wide: true,
        cell: ({ name, replaced }) => (
          <div>
            <Code>{name}</Code>
            {replaced === true && <div class="hint">{t("backups.replaced")}</div>}
          </div>
        ),
      },
      { head: t("devices.when"), cell: ({ at }) => <Time at={at} /> },
      { head: t("backups.bytes"), cell: (copy) => bytes(copy.bytes), number: true },
      {
        head: "",
        label: t("backups.actions"),
        cell: (copy) =>
          busy ? (
            <State state="calm" text={t("backups.busy")} />
          ) : (
            <div class="buttons">
              <Action
                path="/admin/backup/check"
                fields={{ name: copy.name }}
                label={t("backups.checkIt")}
                done="backups.started"
                then={begun}
              />
              <Download name={copy.name} />
              <Restore copy={copy} begun={begun} />
              <Action
                path="/admin/backup/remove"
                fields={{ name: copy.name }}
                label={t("backups.remove")}
                question={t("backups.removeAsk", { name: copy.name })}
                done="backups.removed"
                kind="grave"
                then={then}
              />
            </div>
          ),
      },
    ]}
  />
);

function Download({ name }: { readonly name: string }) {
  if (!may("/admin/backup/download")) return null;
  const get = async (): Promise<void> => {
    try {
      await call("/admin/backup/download", { name });
      const link = document.createElement("a");
      link.href = `/admin/backup/file?${new URLSearchParams({ name })}`;
      link.download = name;
      link.click();
    } catch (error) {
      complain(error);
    }
  };
  return (
    <button type="button" onClick={() => void get()}>
      {t("backups.download")}
    </button>
  );
}

function Restore({ copy, begun }: { readonly copy: Copy; readonly begun: () => void }) {
  if (!may("/admin/backup/restore")) return null;
  const restore = async (): Promise<void> => {
    const what = (
      <>
        <p>{t("backups.restoreAsk", { name: copy.name, at: exact(copy.at) })}</p>
        <ul>
          {(["now", "start", "lost", "kept", "people", "clients"] as const).map((one) => (
            <li key={one}>{t(`backups.restore.${one}`)}</li>
          ))}
        </ul>
      </>
    );
    if (!(await confirm(t("backups.restoreTitle"), what, t("backups.prepare"), true))) return;
    try {
      await call("/admin/backup/restore", { name: copy.name });
      begun();
    } catch (error) {
      complain(error);
    }
  };
  return (
    <button type="button" onClick={() => void restore()}>
      {t("backups.restoreIt")}
    </button>
  );
}
