// What pushbox is measured against: the least that could do the same job, on the same libraries.
//   node scripts/bench/reference.ts bare PORT       uWebSockets.js: upgrade, subscribe; each POST publishes in its handler
//   node scripts/bench/reference.ts turn PORT       the same, but the POSTs of one loop turn publish together at its end
//   node scripts/bench/reference.ts talk PORT       uWebSockets.js: what a registration says on the wire, and nothing behind it
//   node scripts/bench/reference.ts socketio PORT   socket.io on ws: answers `pushId`, joins its topics

import { App } from "uWebSockets.js";
import { createServer } from "node:http";
import { Server } from "socket.io";

const [kind, portText] = process.argv.slice(2);
const port = Number(portText);
const FRAME = '42["p",{"text":"hello"}]';

function bare(together: boolean): void {
  let waiting = 0;
  const app = App();
  const flush = () => {
    for (; waiting > 0; waiting--) app.publish("bench", FRAME);
  };
  app.ws("/*", {
    idleTimeout: 0,
    maxBackpressure: 64 * 1024 * 1024,
    open(ws) {
      ws.subscribe("bench");
      ws.send("0");
    },
  });
  app.post("/*", (res) => {
    res.onAborted(() => {});
    res.onData((_chunk, last) => {
      if (!last) return;
      if (together) {
        if (waiting++ === 0) setImmediate(flush);
      } else app.publish("bench", FRAME);
      res.end('{"code":"success"}');
    });
  });
  app.listen("127.0.0.1", port, () => console.log("ready"));
}

/** The three answers of a registration, in the handlers: no state, no check, nothing stored. */
function talk(): void {
  const app = App();
  app.ws("/*", {
    idleTimeout: 0,
    open: (ws) => {
      ws.send(
        '0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
      );
    },
    message(ws, data) {
      const text = Buffer.from(data).toString();
      if (text === "40") ws.send('40{"sid":"AAAAAAAAAAAAAAAAAAAA"}');
      else if (text.startsWith('42["pushId"')) {
        const [, hello] = JSON.parse(text.slice(2)) as [string, { id: string; topics: string[] }];
        for (const topic of hello.topics) ws.subscribe(topic);
        ws.send(`42["pushId",{"id":"${hello.id}"}]`);
      }
    },
  });
  app.any("/*", (res) => void res.end());
  app.listen("127.0.0.1", port, () => console.log("ready"));
}

function socketio(): void {
  // socket.io leaves other paths to the server's own handler: without one, whoever asks whether it is up waits for ever.
  const server = createServer((_req, res) => res.end());
  const io = new Server(server, { transports: ["websocket"] });
  io.on("connection", (socket) => {
    socket.on("pushId", (hello: { id: string; topics: string[] }) => {
      socket.join([hello.id, ...hello.topics]);
      socket.emit("pushId", { id: hello.id });
    });
  });
  server.listen(port, "127.0.0.1", () => console.log("ready"));
}

if (kind === "socketio") socketio();
else if (kind === "talk") talk();
else bare(kind === "turn");
