// A backend that is told events, for the bench: counts them. GET answers what it counted. receiver.ts PORT [hang]
import { createServer } from "node:http";

const [, , port, mode] = process.argv;
const counted = { events: 0, requests: 0, most: 0, offline: 0 };
let now = 0;

createServer((request, response) => {
  if (request.method === "GET") {
    response.end(JSON.stringify(counted));
    return;
  }
  counted.most = Math.max(counted.most, ++now);
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", () => {
    const { data } = JSON.parse(Buffer.concat(pieces).toString()) as { data: { events: { type: string }[] } };
    counted.requests++;
    counted.events += data.events.length;
    for (const { type } of data.events) if (type === "device.offline") counted.offline++;
    if (mode === "hang") return;
    now--;
    response.end();
  });
}).listen(Number(port), "127.0.0.1");
