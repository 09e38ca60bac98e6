// One APNs host that is as quick as Node can be, and two clients of it that do nothing else: what a notification through
// pushbox is compared with. node scripts/bench/apns.ts server DIR | undici DIR URL COUNT | node-apn DIR URL COUNT
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createSecureServer, type SecureServerOptions } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import apn from "@parse/node-apn";
import { Pool } from "undici";
import { createAuthority } from "../../src/lab/authority.ts";

const [mode, dir = ".", url = "", counted = "0"] = process.argv.slice(2);
const STREAMS = 1000;
const CONNECTIONS = 2;
const NODE_APN_STREAMS = Number(process.env["NODE_APN_STREAMS"] ?? STREAMS);

/** The n-th device's token. */
const token = (n: number): string => n.toString(16).padStart(64, "0");

const BODY = JSON.stringify({ order: 7, noti: { id: "bench0000001" }, aps: { alert: "Hello", sound: "default" } });

/** As Apple has it: one stream until a first request was good, then many. Says its URL once it listens. */
function server(): void {
  const authority = createAuthority(Date.now());
  writeFileSync(join(dir, "ca.pem"), authority.ca);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(dir, "apns.p8"), privateKey.export({ type: "pkcs8", format: "pem" }));
  const options: SecureServerOptions = {
    ...authority.server(["127.0.0.1", "localhost"]),
    settings: { maxConcurrentStreams: 1 },
  };
  const host = createSecureServer(options);
  host.on("session", (session) => {
    let welcomed = false;
    session.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      stream.resume();
      stream.on("end", () => {
        stream.respond({ ":status": 200, "apns-id": headers["apns-id"] ?? "" }, { endStream: true });
        if (welcomed) return;
        welcomed = true;
        session.settings({ maxConcurrentStreams: STREAMS });
      });
    });
  });
  host.listen(0, "127.0.0.1", () => console.log(`https://localhost:${(host.address() as AddressInfo).port}`));
}

/** The bare loop: as many requests in flight as there are streams, nothing stored, nothing looked at but the status. */
async function undici(count: number): Promise<number> {
  const pool = new Pool(url, {
    connections: CONNECTIONS,
    connect: { ca: readFileSync(join(dir, "ca.pem")), preferH2: true },
    h2Options: { maxConcurrentStreams: STREAMS },
    keepAliveTimeout: 60_000,
  });
  const headers = {
    "apns-topic": "com.example.lab",
    "apns-push-type": "alert",
    "apns-priority": "10",
    "apns-expiration": "1999999999",
    "apns-collapse-id": "bench0000001",
    "apns-id": "00000000-0000-4000-8000-000000000000",
    authorization: `bearer ${"x".repeat(200)}`,
  };
  const send = async (n: number): Promise<void> => {
    const path = `/3/device/${token(n)}`;
    const { statusCode, body } = await pool.request({ path, method: "POST", headers, body: BODY });
    await body.dump();
    if (statusCode !== 200) throw new Error(`status ${statusCode}`);
  };
  await send(0);
  let next = 0;
  const from = performance.now();
  const worker = async (): Promise<void> => {
    while (next < count) await send(next++);
  };
  await Promise.all(Array.from({ length: CONNECTIONS * STREAMS }, worker));
  const seconds = (performance.now() - from) / 1000;
  await pool.close();
  return count / seconds;
}

async function nodeApn(count: number): Promise<number> {
  const { hostname, port } = new URL(url);
  const provider = new apn.Provider({
    token: { key: join(dir, "apns.p8"), keyId: "ABCDE12345", teamId: "FGHIJ67890" },
    production: true,
    address: hostname,
    port: Number(port),
    ca: [readFileSync(join(dir, "ca.pem"))],
  } as ConstructorParameters<typeof apn.Provider>[0]);
  const note = new apn.Notification({ alert: "Hello", topic: "com.example.lab", payload: { order: 7 } });
  await provider.send(note, token(0));
  let next = 0;
  const from = performance.now();
  // A whole list at once makes it open more streams than it was allowed, and the host ends the connection.
  const worker = async (): Promise<void> => {
    while (next < count) {
      const { failed } = await provider.send(note, token(next++));
      if (failed[0] !== undefined) throw new Error(JSON.stringify(failed[0]));
    }
  };
  await Promise.all(Array.from({ length: NODE_APN_STREAMS }, worker));
  const seconds = (performance.now() - from) / 1000;
  await provider.shutdown();
  return count / seconds;
}

if (mode === "server") server();
else {
  const rate = await (mode === "undici" ? undici(Number(counted)) : nodeApn(Number(counted)));
  console.log(JSON.stringify({ perSecond: rate }));
  process.exit();
}
