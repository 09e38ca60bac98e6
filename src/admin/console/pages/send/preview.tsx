// How phones and browsers would show it, and how much of each vendor's room it takes.
import { useEffect, useState } from "preact/hooks";
import { bytes, count } from "../../format.ts";
import { t, tOr } from "../../language.ts";
import { said } from "../../say.ts";
import type { Quota } from "../../types.ts";
import { Card } from "../../ui/show.tsx";
import { explain } from "../../ui/toast.tsx";
import { useCall } from "../../use.ts";
import { type Draft, notificationOf } from "./content.ts";

interface Weight {
  readonly what: string;
  readonly size: number;
  readonly limit: number;
  readonly unit: "characters" | "bytes";
}

interface Weighed {
  readonly android: boolean;
  readonly apple: boolean;
  readonly connection: number;
  readonly vendors: readonly {
    readonly provider: string;
    readonly app: string;
    readonly problem?: string;
    readonly weights: readonly Weight[];
    readonly quota?: Quota;
  }[];
}

export const Phones = ({ title, message }: Pick<Draft, "title" | "message">) => (
  <Card title={t("send.preview")}>
    <div class="phones">
      {(["android", "ios", "web"] as const).map((kind) => (
        <figure key={kind} class={`phone ${kind}`}>
          <div class="screen">
            <div class="bubble">
              <span class="app">
                <span class="badge" />
                {t("send.yourApp")}
                <span class="when">{t("send.now")}</span>
              </span>
              <strong>{title === "" && kind !== "ios" ? t("send.noTitle") : title}</strong>
              <span class="body">{message}</span>
            </div>
          </div>
          <figcaption>{t(`send.on.${kind}`)}</figcaption>
        </figure>
      ))}
    </div>
    {title === "" && message !== "" && <p class="worse">{t("send.titleNeeded")}</p>}
  </Card>
);

/** Milliseconds without a letter before it is weighed. */
const PAUSE = 300;

function useSettled<T>(value: T): T {
  const [settled, settle] = useState(value);
  const key = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), PAUSE);
    return () => clearTimeout(timer);
  }, [key]);
  return settled;
}

export function Weights({ draft }: { readonly draft: Draft }) {
  const settled = useSettled(draft);
  const empty = settled.title === "" && settled.message === "";
  const fields = {
    notification: notificationOf(settled),
    ...(settled.timeToLive === "" ? {} : { timeToLive: settled.timeToLive }),
  };
  const { data, error } = useCall<Weighed>(empty ? undefined : "notification/preview", fields);
  return (
    <Card title={t("send.room")}>
      {empty && <p class="muted">{t("send.roomEmpty")}</p>}
      {error !== undefined && (
        <p class="worse" role="alert">
          {explain(error)}
        </p>
      )}
      {data?.vendors.length === 0 && <p class="muted">{t("send.noVendors")}</p>}
      {data !== undefined && (
        <ul class="weights">
          {data.vendors.map(({ provider, app, problem, weights, quota }) => (
            <li key={`${provider} ${app}`}>
              <span class="name">
                {provider} <span class="muted">{app}</span>
              </span>
              {problem !== undefined && <span class="worse">{said(problem)}</span>}
              {weights.map((one) => (
                <Meter key={`${one.what} ${one.unit}`} {...one} />
              ))}
              {quota !== undefined && (
                <span class={quota.left === 0 ? "worse" : "muted"}>
                  {t("send.quota", { left: count(quota.left), limit: count(quota.limit) })}
                </span>
              )}
            </li>
          ))}
          <li>
            <span class="name">{t("way.android")}</span>
            <span class="muted">{bytes(data.connection)}</span>
          </li>
        </ul>
      )}
    </Card>
  );
}

const Meter = ({ what, size, limit, unit }: Weight) => {
  const label = tOr(`weight.${what}`, what);
  return (
    <span class={size > limit ? "meter over" : "meter"}>
      <span>{label}</span>
      <progress aria-label={label} value={Math.min(size, limit)} max={limit} />
      <span class="number">
        {count(size)} / {count(limit)} {t(unit === "bytes" ? "unit.bytes" : "unit.characters")}
      </span>
    </span>
  );
};
