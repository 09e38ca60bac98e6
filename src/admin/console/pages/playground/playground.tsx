// A client in the page: what it says, what it is told, and what a backend sends it.
import { useEffect, useState } from "preact/hooks";
import { may } from "../../access.ts";
import { call, type Fields } from "../../api.ts";
import { count } from "../../format.ts";
import { t } from "../../language.ts";
import { filter, href, route } from "../../route.ts";
import { Choice, SelectField, TextField } from "../../ui/form.tsx";
import { Card, Code, CopyCurl, Empty, Heading, State } from "../../ui/show.tsx";
import { complain, toast } from "../../ui/toast.tsx";
import { clock } from "../trace.tsx";
import { clear, clientUrl, connect, device, disconnect, frames, say, state } from "./client.ts";
import { Chat, Drawing } from "./demos.tsx";

type Part = "frames" | "chat" | "drawing";

export function Playground() {
  const part = (route.value.query["part"] ?? "frames") as Part;
  useEffect(() => disconnect, []);
  return (
    <div class="page">
      <Heading title={t("page.playground")} about={t("play.about")} />
      <Connect />
      <Choice<Part>
        label={t("play.part")}
        value={part}
        onValue={(value) => filter({ part: value })}
        options={(["frames", "chat", "drawing"] as const).map((one) => [one, t(`play.part.${one}`)] as const)}
      />
      {part === "chat" && <Chat />}
      {part === "drawing" && <Drawing />}
      {part === "frames" && (
        <>
          <div class="columns">
            <Say />
            {may("push") && <Push />}
          </div>
          <Frames />
        </>
      )}
    </div>
  );
}

const fresh = (): string => `playground-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`;

function Connect() {
  const [pushId, name] = useState(fresh);
  const [topics, join] = useState("news");
  const [token, bring] = useState("");
  const open = state.value !== "closed";
  return (
    <Card
      title={t("play.connect")}
      aside={<State state={state.value === "connected" ? "connected" : "away"} text={t(`play.state.${state.value}`)} />}
    >
      <form
        class="filter"
        onSubmit={(event) => {
          event.preventDefault();
          if (open) disconnect();
          else
            connect(
              { pushId, token: token.trim(), topics: topics.split(/[\s,]+/).filter((topic) => topic !== "") },
              t("play.unreachable", { url: clientUrl() }),
            );
        }}
      >
        <TextField label={t("play.pushId")} value={pushId} onValue={name} code required />
        <TextField label={t("play.topics")} value={topics} onValue={join} code />
        <TextField label={t("play.token")} value={token} onValue={bring} code placeholder={t("play.tokenWhy")} />
        <button type="submit" class={open ? "" : "main"}>
          {t(open ? "play.disconnect" : "play.go")}
        </button>
      </form>
      {state.value === "connected" && (
        <p class="muted">
          {t("play.is")} <a href={href("devices", [device.value])}>{device.value}</a>
        </p>
      )}
    </Card>
  );
}

/** What clients say, by a name; the frame can be changed before it is sent. */
const TEMPLATES = {
  subscribe: ["subscribeTopic", { topic: "news" }],
  unsubscribe: ["unsubscribeTopic", { topic: "news" }],
  addTag: ["addTag", "app_1.2"],
  removeTag: ["removeTag", "app_1.2"],
  bindUid: ["bindUid", { uid: "ann" }],
  unbindUid: ["unbindUid"],
  arrived: ["notificationReply", { id: "notification-id" }],
  clicked: ["notificationClick", { id: "notification-id" }],
  stats: ["stats", { requestStats: [{ path: "login", totalCount: 1, successCount: 1, totalLatency: 12 }] }],
} as const;
type Template = keyof typeof TEMPLATES;

const frameOf = (name: Template): string => `42${JSON.stringify(TEMPLATES[name])}`;

function Say() {
  const [template, choose] = useState<Template>("subscribe");
  const [frame, set] = useState(frameOf("subscribe"));
  return (
    <Card title={t("play.client")}>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          say(frame);
        }}
      >
        <SelectField<Template>
          label={t("play.template")}
          value={template}
          onValue={(value) => {
            choose(value);
            set(frameOf(value));
          }}
          options={(Object.keys(TEMPLATES) as Template[]).map((one) => [one, t(`play.template.${one}`)] as const)}
        />
        <TextField label={t("play.frame")} value={frame} onValue={set} lines={3} code hint={t("play.frameWhy")} />
        <div class="buttons">
          <button type="submit" class="main" disabled={state.value !== "connected"}>
            {t("play.send")}
          </button>
        </div>
      </form>
    </Card>
  );
}

type To = "device" | "topic";

function Push() {
  const [to, choose] = useState<To>("device");
  const [topic, name] = useState("news");
  const [json, set] = useState('{"hello":"world"}');
  const [timeToLive, keep] = useState("");
  const fields: Fields = {
    ...(to === "device" ? { pushId: device.value } : { topic }),
    json: parsed(json),
    ...(timeToLive === "" ? {} : { timeToLive }),
  };
  const push = async (): Promise<void> => {
    try {
      const { online = 0 } = await call<{ online?: number }>("push", fields);
      toast(t("send.pushed", { online, n: online }));
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Card title={t("play.backend")}>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          void push();
        }}
      >
        <div class="fields two">
          <SelectField<To>
            label={t("play.to")}
            value={to}
            onValue={choose}
            options={[
              ["device", t("play.to.device")],
              ["topic", t("play.to.topic")],
            ]}
          />
          {to === "topic" && <TextField label={t("topics.topic")} value={topic} onValue={name} code required />}
          <TextField label={t("play.kept")} value={timeToLive} onValue={keep} placeholder="1h" code />
        </div>
        <TextField label={t("play.json")} value={json} onValue={set} lines={3} code />
        <div class="buttons">
          <button type="submit" class="main" disabled={to === "device" && device.value === ""}>
            {t("play.push")}
          </button>
          <CopyCurl path="push" fields={fields} />
        </div>
      </form>
    </Card>
  );
}

/** JSON as JSON, any other text as text: as the API takes it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function Frames() {
  return (
    <Card
      title={t("play.frames", { n: frames.value.length, shown: count(frames.value.length) })}
      aside={
        <button type="button" onClick={clear}>
          {t("play.clear")}
        </button>
      }
    >
      {frames.value.length === 0 && (
        <Empty title={t("play.none")}>
          {t("play.noneDo")} <Code>{clientUrl()}</Code>
        </Empty>
      )}
      {frames.value.length > 0 && (
        <ol class="frames" aria-label={t("play.part.frames")}>
          {frames.value.toReversed().map(({ number, at, what, text }) => (
            <li key={number} class={what}>
              <time dateTime={new Date(at).toISOString()}>{clock(at)}</time>
              <span class="what">{t(`trace.what.${what}`)}</span>
              <code>{text}</code>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}
