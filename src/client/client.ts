// The client: keeps a connection, says who it is, hands out what comes, each kept message once, and knows when it missed some.
// src/sockets/README.md is the protocol; its numbers are cited.
import type { ClientError, EmitOptions, Events, Gap, Options, PushClient, State, SubscribeOptions } from "./api.ts";
import type { Environment } from "./environment.ts";
import { openHandlers } from "./handlers.ts";
import { type Line, openPolling, openSocket } from "./line.ts";
import { type Arrived, readNotification, readPacket, readPush } from "./packets.ts";
import { channelOf, NOWHERE, OWN, openPositions } from "./positions.ts";
import { tokens } from "./token.ts";

/** Milliseconds. */
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30_000;
/** A connection that has lasted so long was no accident: the next try is the first again. */
const STABLE = 10_000;
const OPEN_WITHIN = 20_000;
const CHECK_WITHIN = 5000;
const TICK = 5000;
/** A tick that comes so much later: the device has slept. */
const SLEPT = 10_000;
const ANSWER_WITHIN = 10_000;
/** Events that wait for a connection. */
const MOST_WAITING = 100;
/** What timers take. */
const LONGEST_TIMER = 2 ** 31 - 1;
/** Websockets that did not open, in a row, before polling is tried. */
const FAILURES = 2;

const ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

type Fields = Readonly<Record<string, unknown>>;

interface Question {
  ask(): void;
  answered(data: unknown): void;
  failed(code: string, message?: string): void;
}

/** @param onHello told what the server answers to each hello, before anything is replayed */
export function createClient(
  given: string | undefined,
  options: Options,
  environment: Environment,
  onHello?: (answer: Fields) => void,
): PushClient {
  const { now, random, after } = environment;
  const url = (given ?? environment.origin()).replace(/\/+$/, "").replace(/^ws/, "http");
  const { platform = "browser", transports = ["websocket", "polling"] } = options;
  const WebSocket = options.WebSocket ?? environment.WebSocket;
  const makeId = (): string =>
    Array.from({ length: 16 }, () => ID_CHARACTERS[Math.floor(random() * ID_CHARACTERS.length)]).join("");
  const name = `pushbox:${url}${options.pushId === undefined ? "" : `:${options.pushId}`}`;
  const positions = openPositions(options.storage ?? environment.storage(), name, options.pushId, makeId);
  const credentials = tokens(options.token, environment);

  const { on, off, fire, run, forget } = openHandlers(after);
  /** How each topic is replayed; one that has a position goes on from there. */
  const topics = new Map<string, boolean | "all">();
  let state: State = "offline";
  let uid: string | undefined;
  let inBackground = false;

  // ---- to the app

  const fault = (code: string, message = code): ClientError => Object.assign(new Error(message), { code });

  function become(next: State): void {
    if (next === state) return;
    state = next;
    fire("state", next);
  }

  /** The kept packet that is being handled. */
  let handling: string | undefined;

  // ---- the connection

  let line: Line | undefined;
  /** Counts them: what belongs to an earlier one is not done. */
  let lines = 0;
  /** The hello was sent; it was answered. */
  let greeted = false;
  let ready = false;
  let wanted = false;
  let tries = 0;
  let failures = 0;
  /** Without it the network is not to blame. */
  let dialled = false;
  let opened = false;
  let heardAt = 0;
  let silence = 0;
  /** Timers of this connection, and the one that waits for the next try. */
  let cancels: (() => void)[] = [];
  let cancelCheck: (() => void) | undefined;
  /** Positions that are still to be told, and what they said so far. */
  let untold = new Set<string>();
  /** Topics that were left between the hello and its answer, which counts them. */
  let leftEarly: string[] = [];
  let left = 0;
  let asked = new Map<string, Question>();
  /** Not asked yet. */
  const questions = new Set<Question>();
  let waiting: { readonly event: string; readonly json: string }[] = [];

  /** @param broken what was not sent need not be */
  function drop(broken = true): void {
    lines++;
    line?.close(broken);
    line = undefined;
    greeted = ready = false;
    for (const cancel of cancels) cancel();
    cancels = [];
    cancelCheck = undefined;
    const lost = asked;
    asked = new Map();
    for (const { failed } of lost.values()) failed("disconnected");
  }

  /** Lost, or it never came to be: again later. */
  function lose(): void {
    const polling = transport === "polling";
    drop();
    // Polling was a way out: the next time a websocket may do.
    if (opened) failures = polling ? FAILURES - 1 : 0;
    else if (dialled) failures = polling ? 0 : failures + 1;
    if (!wanted) return;
    const delay = random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** tries++);
    cancels.push(after(delay, open));
    become(environment.online() ? "waiting" : "offline");
  }

  /** Not before `connect()`. */
  function stop(last: State): void {
    wanted = false;
    drop(false);
    credentials.leave();
    for (const { failed } of questions) failed("closed");
    for (const end of unwatch) end();
    unwatch = [];
    become(last);
  }

  let transport: string | undefined;

  function open(): void {
    drop();
    const mine = lines;
    dialled = opened = false;
    become("connecting");
    credentials.get().then(
      (token) => {
        if (mine === lines) dial(token);
      },
      (error: unknown) => {
        if (mine !== lines) return;
        fire("error", fault("token", String(error)));
        lose();
      },
    );
  }

  function dial(token: string | undefined): void {
    const mine = lines;
    dialled = true;
    cancels.push(after(OPEN_WITHIN, lose));
    const ways = transports.filter((way) => (way === "websocket" ? WebSocket : environment.polling));
    transport = ways[failures < FAILURES ? 0 : 1] ?? ways[0];
    const events = {
      packet(packet: string): void {
        if (mine !== lines) return;
        try {
          hear(packet, token);
        } catch {
          lose(); // some proxy's words
        }
      },
      closed(): void {
        if (mine === lines) lose();
      },
    };
    try {
      if (transport === "websocket" && WebSocket) line = openSocket(url, WebSocket, events);
      else if (transport) line = openPolling(url, events);
      else throw fault("transport", "neither WebSocket nor fetch");
    } catch (error) {
      fire("error", fault("transport", String(error)));
      lose();
    }
  }

  function hear(packet: string, token: string | undefined): void {
    heardAt = now();
    cancelCheck?.();
    cancelCheck = undefined;
    const body = packet.slice(1);
    if (packet[0] === "2") line?.send("3");
    else if (packet[0] === "0") {
      const { pingInterval, pingTimeout } = JSON.parse(body) as { pingInterval: number; pingTimeout: number };
      silence = pingInterval + pingTimeout;
      opened = true;
      failures = 0;
      line?.send(`40${token === undefined ? "" : JSON.stringify({ token })}`);
    } else if (packet[0] === "4") converse(body);
    else if (packet[0] === "1") lose();
  }

  function converse(packet: string): void {
    const [, type, ack = "", json = ""] = /^(\d)(\d*)(.*)$/s.exec(packet) ?? [];
    if (type === "0") hello();
    else if (type === "2") {
      const [event, ...args] = JSON.parse(json) as [string, ...unknown[]];
      take(event, args, ack);
    } else if (type === "4") {
      const { message, data } = JSON.parse(json) as { message: string; data?: Fields };
      refused(String(data?.["code"] ?? message), message, true);
    } else if (type === "1") {
      fire("error", fault("disconnected", "the server has sent this client away"));
      stop("refused");
    }
  }

  const frame = (event: string, ...args: unknown[]): string => `42${JSON.stringify([event, ...args])}`;
  const send = (event: string, ...args: unknown[]): void => line?.send(frame(event, ...args));

  /** At once, or when there is a connection: as it is now. */
  function say(event: string, argument?: unknown): void {
    const json = frame(event, ...(argument === undefined ? [] : [argument]));
    if (ready) line?.send(json);
    else if (waiting.push({ event, json }) > MOST_WAITING) waiting.shift();
  }

  const positionOf = (topic: string): unknown =>
    positions.get(channelOf(topic)) ?? (topics.get(topic) === "all" ? NOWHERE : null);

  function hello(): void {
    greeted = true;
    positions.said();
    const kept = [...topics.keys()].filter((topic) => topics.get(topic) !== false);
    const own = positions.get(OWN);
    leftEarly = [];
    untold = new Set([OWN, ...kept.map(channelOf)]);
    send("pushId", {
      id: positions.pushId,
      platform,
      topics: [...topics.keys()],
      lastPacketIds: Object.fromEntries(kept.map((topic) => [topic, positionOf(topic)])),
      ...(own === undefined ? {} : { lastUnicastId: own }),
      epoch: positions.epoch,
      ack: true,
      ...(inBackground ? { background: true } : {}),
    });
  }

  function take(event: string, [first, second]: unknown[], ack: string): void {
    const fields = Object(first) as Fields;
    const mine = lines;
    const done = (): void => {
      if (ack && mine === lines) line?.send(`43${ack}[]`);
    };
    switch (event) {
      case "pushId":
        if (!ready) welcome(fields);
        return;
      case "position":
        return standing(fields);
      case "p":
        return handle("message", readPacket(first, second), done);
      case "push":
        return handle("message", readPush(fields), done);
      case "noti": {
        const noti = readNotification(fields);
        const { id, timestamp } = noti.event;
        return handle("notification", noti, () => say("notificationReply", { id, timestamp }));
      }
      case "packetProxy":
        return asked.get(String(fields["sequenceId"]))?.answered(fields["data"]);
      case "tokenExpires":
        credentials.spent();
        return renew();
      case "authorized":
        uid = (fields["uid"] ?? uid) as string | undefined;
        return;
      case "refused": {
        const [code, message] = [String(fields["code"]), String(fields["message"])];
        const question = asked.get(String(fields["sequenceId"]));
        return question === undefined ? refused(code, message, false) : question.failed(code, message);
      }
    }
  }

  function handle<Name extends "message" | "notification">(
    name: Name,
    { event, place, id, mark }: Arrived<Events[Name]>,
    done: () => void,
  ): void {
    const kept = place !== undefined && id !== undefined;
    const channel = place ? channelOf(place) : OWN;
    const packet = `${channel} ${id}${mark}`;
    const fresh = !kept || positions.fresh(packet);
    run(() => {
      const handled = (): void => {
        if (kept) positions.handled(channel, id, packet, place === OWN || (topics.get(place) ?? false) !== false);
        handling = undefined;
        done();
      };
      if (kept) handling = packet;
      const running = fresh ? fire(name, event) : undefined;
      return running instanceof Promise ? running.then(handled) : handled();
    });
  }

  function welcome(fields: Fields): void {
    const mine = lines;
    ready = true;
    uid = fields["uid"] as string | undefined;
    cancels[0]?.(); // it is open
    cancels.push(
      after(STABLE, () => {
        tries = 0;
      }),
    );
    welcomed = fields;
    left = Number(fields["positions"] ?? 0);
    // Before anything that handlers say now.
    const late = waiting;
    waiting = [];
    for (const { event, json } of late) {
      if (event === "unbindUid") uid = undefined;
      line?.send(json);
    }
    for (const { ask } of questions) ask();
    onHello?.(fields);
    if (mine === lines) become("connected");
    if (mine !== lines) return;
    if (left === 0) run(connected);
    for (const channel of leftEarly) settle(channel);
  }

  let welcomed: Fields = {};

  function connected(): unknown {
    const { tags } = welcomed as { readonly tags?: readonly string[] };
    const running = fire("connect", {
      pushId: positions.pushId,
      ...(uid === undefined ? {} : { uid }),
      ...(tags === undefined ? {} : { tags }),
      recovered: positions.whole,
    });
    const told = (): void => positions.gap(false);
    return running instanceof Promise ? running.then(told) : told();
  }

  /** One of those that were asked for with the hello is told, or is not to come. */
  function settle(channel: string): void {
    if (untold.delete(channel) && left > 0 && --left === 0) run(connected);
  }

  /** In its place among the messages: those that came before are of before. */
  function standing(fields: Fields): void {
    const topic = fields["topic"] as string | undefined;
    const channel = topic === undefined ? OWN : channelOf(topic);
    const { epoch, at } = fields as { readonly epoch: string; readonly at: number };
    const whole = fields["recovered"] === true;
    run(() => {
      const before = positions.get(channel);
      if (topic === undefined || topics.has(topic)) positions.told(channel, at, epoch);
      if (whole || before === undefined) return;
      positions.gap(true);
      const gap: Gap = topic === undefined ? {} : { topic };
      return fire("gap", gap);
    });
    settle(channel);
  }

  // ---- the token

  function refused(code: string, message: string, final: boolean): void {
    const mine = lines;
    fire("error", fault(code, message));
    if (mine !== lines) return; // a handler has closed it
    if (code === "push_id_invalid") return renamed();
    const ofToken = /^token_/.test(code);
    if (ofToken) credentials.spent();
    // One that is missing or invalid may be what a topic asks for, or a vendor's: the connection goes on.
    if (!(final || /^token_(expired|revoked)$/.test(code))) return;
    if (ofToken && credentials.renewable) lose();
    else stop("refused");
  }

  let isNew = false;

  /** What was stored is no pushId to this server: it takes another one. The app's own is not to be tried again and again. */
  function renamed(): void {
    if (options.pushId !== undefined || isNew) return stop("refused");
    isNew = true;
    positions.anew();
    hello();
  }

  let renewing = false;

  function renew(): void {
    if (!credentials.renewable || renewing) return;
    const mine = lines;
    renewing = true;
    credentials
      .get()
      .then(
        (token) => {
          if (mine === lines && ready) send("authorize", { token });
        },
        (error: unknown) => {
          if (mine === lines) fire("error", fault("token", String(error)));
        },
      )
      .then(() => {
        renewing = false;
      });
  }

  // ---- looking after it

  /** The page is seen again, the network is back, the device has slept. */
  function look(): void {
    if (!wanted || state === "connecting") return;
    if (!ready || now() - heardAt > silence) return open();
    if (cancelCheck !== undefined) return;
    send("check");
    cancelCheck = after(CHECK_WITHIN, open);
    cancels.push(() => cancelCheck?.());
  }

  let tickAt = 0;
  let unwatch: (() => void)[] = [];

  function tick(): void {
    const slept = Math.abs(now() - tickAt) > TICK + SLEPT;
    tickAt = now();
    if (slept) look();
    else if (ready && now() - heardAt > silence) open();
    else if (ready && credentials.due()) renew();
    unwatch[0] = after(TICK, tick);
  }

  const watcher = {
    look,
    lost() {
      if (!wanted) return;
      drop();
      tries = 0;
      // It may be wrong.
      cancels.push(after(LONGEST_DELAY, open));
      become("offline");
    },
    background: () => background(true),
    foreground() {
      background(false);
      look();
    },
  };

  function background(hidden: boolean): void {
    if (inBackground === hidden) return;
    inBackground = hidden;
    if (greeted) send(hidden ? "background" : "foreground");
  }

  let start = true;

  function connect(): void {
    if (wanted) return look();
    wanted = true;
    start = false;
    tries = 0;
    tickAt = now();
    unwatch = [after(TICK, tick), environment.watch(watcher)];
    if (options.watch !== undefined) unwatch.push(options.watch(watcher));
    open();
  }

  function close(): void {
    start = false;
    stop("offline");
    forget();
    waiting = [];
    positions.forget(handling);
  }

  // ---- what an app says

  function subscribe(topic: string, { replay = true }: SubscribeOptions = {}): void {
    const before = topics.get(topic);
    if (before === replay) return;
    if (before !== undefined) unsubscribe(topic);
    topics.set(topic, replay);
    if (replay === false) positions.drop(channelOf(topic));
    if (greeted) send("subscribeTopic", { topic, ...(replay === false ? {} : { lastPacketId: positionOf(topic) }) });
  }

  function unsubscribe(topic: string): void {
    if (!topics.delete(topic)) return;
    const channel = channelOf(topic);
    positions.drop(channel);
    if (greeted) send("unsubscribeTopic", { topic });
    if (ready) settle(channel);
    else leftEarly.push(channel);
  }

  function emit(path: string, data?: unknown, { timeout = ANSWER_WITHIN }: EmitOptions = {}): Promise<unknown> {
    // It was stopped; before the first connection there is one to come.
    if (!wanted && !start) return Promise.reject(fault("closed"));
    const sequenceId = makeId();
    return new Promise((resolve, reject) => {
      const json = frame("packetProxy", { path, sequenceId, data });
      const end = (): void => {
        cancel();
        asked.delete(sequenceId);
        questions.delete(question);
      };
      const failed = (code: string, message?: string): void => {
        end();
        reject(fault(code, message));
      };
      const question: Question = {
        ask() {
          questions.delete(question);
          asked.set(sequenceId, question);
          line?.send(json);
        },
        answered(answer) {
          end();
          resolve(answer);
        },
        failed,
      };
      const cancel = after(Math.min(timeout, LONGEST_TIMER), () => failed("timeout"));
      if (ready) question.ask();
      else questions.add(question);
    });
  }

  for (const topic of options.topics ?? []) topics.set(topic, true);
  if (options.notifications === true) topics.set("noti", true);
  // The app has its handlers by then.
  Promise.resolve().then(() => {
    if (start) connect();
  });

  return {
    url,
    get pushId() {
      return positions.pushId;
    },
    get state() {
      return state;
    },
    get uid() {
      return uid;
    },
    on,
    off,
    subscribe,
    unsubscribe,
    setTags: (tags) => say("setTags", tags),
    addTag: (tag) => say("addTag", { tag }),
    removeTag: (tag) => say("removeTag", { tag }),
    bindUid: (user) => say("bindUid", typeof user === "string" ? { uid: user } : user),
    unbindUid() {
      uid = undefined;
      say("unbindUid");
    },
    emit,
    clicked: (id) => say("notificationClick", { id }),
    setToken: ({ type, token, app }) =>
      say("token", { type, token, ...(app === undefined ? {} : { package_name: app }) }),
    background: watcher.background,
    foreground: watcher.foreground,
    connect,
    close,
  };
}
