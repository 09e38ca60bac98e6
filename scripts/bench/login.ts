// What logging in costs those who connect, and what a business server that hangs costs the others.
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { signToken } from "../../src/login/sign.ts";
import { type Running, start, tools } from "./servers.ts";
import { add, median, put, short } from "./table.ts";

/** @param token in the query; "": none */
type Register = (server: Running, token: string) => Promise<number>;

const seconds = Math.floor(Date.now() / 1000);
const claims = { sub: "bench", iat: seconds, exp: seconds + 3600, pushbox: { allow: ["*"] } };

/** Devices that are known and bound connect again: what is measured is the token. */
export async function logins(rounds: number, register: Register): Promise<void> {
  const secret = randomBytes(32).toString("base64url");
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = join(tools, "login.pem");
  writeFileSync(pem, publicKey.export({ type: "spki", format: "pem" }));
  const signed = [{ alg: "RS256", kid: "rsa" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const tokens = {
    none: "",
    HS256: signToken("hs", secret, claims),
    RS256: `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`,
  };
  const figures: Record<keyof typeof tokens, number[]> = { none: [], HS256: [], RS256: [] };
  for (let round = 0; round < rounds; round++)
    for (const kind of ["none", "HS256", "RS256"] as const) {
      const flags = [`--client-auth-keys=hs:HS256:${secret},rsa:RS256:${pem}`, "--client-auth-required"];
      const server = await start("pushbox", undefined, kind === "none" ? [] : flags);
      await register(server, tokens[kind]);
      figures[kind].push(await register(server, tokens[kind]));
      await server.stop();
    }
  const unchecked = median(figures.none);
  add(
    "connections registered per s, each with a JWT of HS256",
    ">= 0.7 x without",
    unchecked,
    median(figures.HS256),
    0.7,
  );
  add("the same with RS256", "reported", unchecked, median(figures.RS256), 0);
}

/** Those who ask to subscribe to topics that a business server is asked about. */
const ASKERS = 100;
/** Measured by turns, in the same minutes of the same server. */
const SLICES = 4;

/** @param latency p99 of a topic push, milliseconds */
export async function hanging(rounds: number, latency: (server: Running) => Promise<number>): Promise<void> {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  const flags = [
    `--hooks-ask-url=http://127.0.0.1:${port}/`,
    `--hooks-ask-secret=whsec_${randomBytes(32).toString("base64")}`,
    "--hooks-ask-questions=subscribe,bind_uid",
    "--hooks-ask-subscribe-topics=room:",
  ];
  const figures: { readonly idle: number[]; readonly hung: number[] } = { idle: [], hung: [] };
  for (let round = 0; round < rounds; round++) {
    const server = await start("pushbox", undefined, flags);
    const clients = await askers(server);
    await latency(server);
    for (let slice = 0; slice < SLICES; slice++)
      for (const [kind, prefix] of [
        ["idle", "news:"],
        ["hung", "room:"],
      ] as const) {
        clients.prefix = prefix;
        figures[kind].push(await latency(server));
      }
    clients.stop();
    await server.stop();
  }
  silent.closeAllConnections();
  silent.close();
  const ratio = median(figures.hung) / median(figures.idle);
  put({
    what: "p99 of a topic push while the business server hangs that is asked: ms",
    target: "<= 1.2 x without",
    reference: short(median(figures.idle)),
    measured: short(median(figures.hung)),
    ratio,
    holds: ratio <= 1.2,
  });
}

interface Askers {
  /** Of the topics that they subscribe to. */
  prefix: string;
  stop(): void;
}

/** Each subscribes to a further topic every second, and asks for a user where the others do so too. */
async function askers(server: Running): Promise<Askers> {
  const sockets = await Promise.all(
    Array.from({ length: ASKERS }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.wsPort}/socket.io/?EIO=3&transport=websocket`);
      await new Promise((resolve) => socket.addEventListener("open", resolve));
      return socket;
    }),
  );
  let topic = 0;
  const timer = setInterval(() => {
    for (const socket of sockets) {
      socket.send(`42["subscribeTopic",{"topic":"${clients.prefix}${topic++}"}]`);
      if (clients.prefix === "room:") socket.send(`42["bindUid",{"uid":"user${topic}"}]`);
    }
  }, 1000);
  const clients: Askers = {
    prefix: "news:",
    stop() {
      clearInterval(timer);
      for (const socket of sockets) socket.close();
    },
  };
  return clients;
}
