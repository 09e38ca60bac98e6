// Two things that pages do with topics: a chat room, and a drawing that everybody sees. Open the page twice.
import { useEffect, useRef, useState } from "preact/hooks";
import { may } from "../../access.ts";
import { call } from "../../api.ts";
import { count } from "../../format.ts";
import { t } from "../../language.ts";
import { TextField } from "../../ui/form.tsx";
import { Card } from "../../ui/show.tsx";
import { complain } from "../../ui/toast.tsx";
import { useCall } from "../../use.ts";
import { device, emit, listen, state } from "./client.ts";

const CHAT = "chatRoom";
const DRAWING = "drawTopic";
/** What is said stays for so long, for those who come later. */
const KEPT = "10m";

/** While the demo is shown, this client is in its topic. */
function useTopic(topic: string, hear: (data: unknown) => void): void {
  const connected = state.value === "connected";
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => {
    if (!connected) return;
    emit("subscribeTopic", { topic });
    const stop = listen((data) => latest.current(data));
    return () => {
      stop();
      emit("unsubscribeTopic", { topic });
    };
  }, [topic, connected]);
}

function Online({ topic }: { readonly topic: string }) {
  const { data } = useCall<{ count: number }>("topicOnline", { topic }, 2000);
  return <span class="muted">{t("play.online", { n: data?.count ?? 0, shown: count(data?.count ?? 0) })}</span>;
}

interface Said {
  readonly from: string;
  readonly text: string;
}

const isSaid = (data: unknown): data is Said =>
  typeof data === "object" && data !== null && "kind" in data && data.kind === "chat";

export function Chat() {
  const [said, add] = useState<readonly Said[]>([]);
  const [text, set] = useState("");
  useTopic(CHAT, (data) => {
    if (isSaid(data)) add((before) => [...before, data].slice(-100));
  });
  const say = async (): Promise<void> => {
    try {
      const json = { kind: "chat", from: device.value.slice(-4), text };
      await call("push", { topic: CHAT, json, timeToLive: KEPT });
      set("");
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Card title={t("play.chat")} aside={<Online topic={CHAT} />}>
      {state.value !== "connected" && <p class="muted">{t("play.connectFirst")}</p>}
      <ol class="chat" aria-live="polite" aria-label={t("play.chat")}>
        {said.map(({ from, text: words }, i) => (
          <li key={i}>
            <b>{String(from)}</b> {String(words)}
          </li>
        ))}
      </ol>
      {may("push") && (
        <form
          class="filter"
          onSubmit={(event) => {
            event.preventDefault();
            if (text.trim() !== "") void say();
          }}
        >
          <TextField label={t("play.message")} value={text} onValue={set} />
          <button type="submit" disabled={state.value !== "connected"}>
            {t("play.say")}
          </button>
        </form>
      )}
    </Card>
  );
}

interface Drawn {
  /** From and to, 0 to 1. */
  readonly line: readonly number[];
}

const isDrawn = (data: unknown): data is Drawn =>
  typeof data === "object" && data !== null && "kind" in data && data.kind === "draw" && "line" in data;

const [WIDTH, HEIGHT] = [640, 280];

export function Drawing() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const from = useRef<readonly [number, number] | undefined>(undefined);
  useTopic(DRAWING, (data) => {
    if (isDrawn(data)) draw(canvas.current, data.line);
  });
  const place = ({ offsetX, offsetY, currentTarget }: PointerEvent): readonly [number, number] => {
    const { clientWidth, clientHeight } = currentTarget as HTMLCanvasElement;
    return [offsetX / clientWidth, offsetY / clientHeight];
  };
  const move = (event: PointerEvent): void => {
    if (from.current === undefined || state.value !== "connected") return;
    const to = place(event);
    const [x = 0, y = 0] = from.current;
    // A line for each hundredth of the width is enough.
    if (Math.hypot(to[0] - x, to[1] - y) < 0.01) return;
    const json = { kind: "draw", line: [x, y, ...to].map((one) => Math.round(one * 1000) / 1000) };
    from.current = to;
    void call("push", { topic: DRAWING, json }).catch(complain);
  };
  return (
    <Card
      title={t("play.drawing")}
      aside={
        <div class="buttons">
          <Online topic={DRAWING} />
          <button type="button" onClick={() => canvas.current?.getContext("2d")?.clearRect(0, 0, WIDTH, HEIGHT)}>
            {t("play.clear")}
          </button>
        </div>
      }
    >
      <p class="muted">{t(state.value === "connected" ? "play.draw" : "play.connectFirst")}</p>
      <canvas
        ref={canvas}
        class="drawing"
        width={WIDTH}
        height={HEIGHT}
        role="img"
        aria-label={t("play.drawing")}
        onPointerDown={(event) => {
          if (!may("push")) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          from.current = place(event);
        }}
        onPointerMove={move}
        onPointerUp={() => {
          from.current = undefined;
        }}
      />
    </Card>
  );
}

function draw(canvas: HTMLCanvasElement | null, line: readonly number[]): void {
  const pen = canvas?.getContext("2d");
  if (!canvas || !pen) return;
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = line.map(Number);
  pen.strokeStyle = getComputedStyle(canvas).color;
  pen.lineWidth = 3;
  pen.lineCap = "round";
  pen.beginPath();
  pen.moveTo(x0 * WIDTH, y0 * HEIGHT);
  pen.lineTo(x1 * WIDTH, y1 * HEIGHT);
  pen.stroke();
}
