// How many pushes per second the API takes on one core, against a bare uWebSockets.js handler under the same load.
// Needs gcc for the load client. Compare CPU time per request: it is steadier than the rate when the machine is shared.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createApi } from "../src/api/routes.ts";
import { createServer } from "../src/http/server.ts";
import { idleActions } from "../test/support/actions.ts";

const CONNECTIONS = 50;
const SECONDS = 3;
const PORTS = { bare: 19701, api: 19702, keyed: 19703 };
type Server = keyof typeof PORTS;

async function serve(kind: Server): Promise<void> {
  if (kind === "bare") {
    const app = (await import("uWebSockets.js")).App();
    app.any("/*", (response) => {
      response.onAborted(() => {});
      response.onData((_, last) => {
        if (last) response.end('{"code":"success"}');
      });
    });
    app.listen("127.0.0.1", PORTS.bare, () => {});
    process.stdout.write("ready\n");
    return;
  }
  const api = createApi(
    {
      keys: kind === "keyed" ? [{ name: "a", key: "secret" }] : [],
      insecure: false,
      broadcast: { keys: [], addresses: [] },
      hosts: [],
      origins: [],
      warn: () => {},
      limits: { id: 256, topic: 256 },
      serverId: "127.0.0.1:1",
      report: (error) => process.stderr.write(`${error}\n`),
    },
    idleActions(),
  );
  const options = { host: "127.0.0.1", port: PORTS[kind], maxBody: 1e8, bodyTimeout: 60_000, trustedProxies: [] };
  await createServer(options, api.site).listen();
  process.stdout.write("ready\n");
}

/** CPU seconds of a process so far. */
function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "pushbox-bench-"));
  const client = join(folder, "http-load");
  const source = fileURLToPath(new URL("bench/http-load.c", import.meta.url));
  execFileSync("gcc", ["-O2", "-D_GNU_SOURCE", "-o", client, source]);
  const form = "pushId=abcdefghij0123456&json=%7B%22message%22%3A1%7D";
  const json = '{"pushId":"abcdefghij0123456","json":{"message":12345}}';
  const get = `GET /api/push?${form} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const post = (type: string, body: string, more = "") =>
    `POST /api/push HTTP/1.1\r\nHost: localhost\r\n${more}Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const urlencoded = "application/x-www-form-urlencoded";
  const runs: [string, Server, string][] = [
    ["bare handler, POST form", "bare", post(urlencoded, form)],
    ["POST form", "api", post(urlencoded, form)],
    ["POST JSON", "api", post("application/json", json)],
    ["GET", "api", get],
    ["POST form with a key", "keyed", post(urlencoded, form, "X-Api-Key: secret\r\n")],
  ];
  for (const [name, kind, request] of runs) {
    const server = spawn(process.execPath, [fileURLToPath(import.meta.url), kind], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => server.stdout.once("data", resolve));
    const load = (seconds: number) =>
      JSON.parse(
        execFileSync(client, [String(PORTS[kind]), String(CONNECTIONS), String(seconds)], {
          input: request,
        }).toString(),
      ) as {
        perSecond: number;
        not200: number;
        p99ms: number;
      };
    load(1); // let it be compiled
    const before = cpu(server.pid!);
    const { perSecond, not200, p99ms } = load(SECONDS);
    const perRequest = ((cpu(server.pid!) - before) / (perSecond * SECONDS)) * 1e6;
    server.kill();
    process.stdout.write(
      `${name.padEnd(26)} ${perSecond.toFixed(0).padStart(7)}/s  p99 ${p99ms} ms  ${perRequest.toFixed(2)} us CPU, ` +
        `${(1e6 / perRequest).toFixed(0)} per CPU second${not200 > 0 ? `  ${not200} NOT 200` : ""}\n`,
    );
  }
  rmSync(folder, { recursive: true });
}

const kind = process.argv[2];
if (kind === undefined) await measure();
else await serve(kind as Server);
