// The real pebble, an authority for tests (RFC 8555), where it is installed, and the DNS that it asks.
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { createAuthority } from "../../src/lab/authority.ts";
import { freePort } from "./ports.ts";

/** False, and the test says so, where it is not installed. */
export function hasPebble(t: Test): boolean {
  const found = spawnSync("pebble", ["-h"], { stdio: "ignore" }).error === undefined;
  if (!found) t.pass("left out: pebble is not installed");
  return found;
}

export interface Pebble {
  /** URL of its directory, there before it runs. */
  readonly directory: string;
  /** Of who signed the certificate that it is asked with. */
  readonly caFile: string;
  /** Where it asks for the answer to a challenge. */
  readonly httpPort: number;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** PEM of who signs what it issues; another one after each start. */
  root(): Promise<string>;
  /** How many lines of its log since the start match. */
  logged(pattern: RegExp): number;
  /** While it is held no name is answered; resolves when one has been asked for. */
  holdNames(): Promise<void>;
  releaseNames(): void;
}

export const ORDERED = /There are now \d+ orders/;
export const ISSUED = /Issued certificate serial/;

export async function openPebble(t: Test, blocked: readonly string[] = []): Promise<Pebble> {
  const place = mkdtempSync(join(tmpdir(), "pushbox-pebble-"));
  t.teardown(() => rmSync(place, { recursive: true }));
  const [acme, management, http] = await Promise.all([1, 2, 3].map(() => freePort()));
  const lab = createAuthority(Date.now());
  const own = lab.server(["127.0.0.1"]);
  const file = (name: string, text: string): string => {
    writeFileSync(join(place, name), text);
    return join(place, name);
  };
  const caFile = file("ca.pem", lab.ca);
  const config = file(
    "pebble.json",
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${acme}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: file("cert.pem", own.cert),
        privateKey: file("key.pem", own.key),
        httpPort: http!,
        tlsPort: 1,
        domainBlocklist: blocked,
        certificateValidityPeriod: 90 * 86_400,
      },
    }),
  );
  const names = await openNames(t);
  let log = "";
  let child: ReturnType<typeof spawn> | undefined;
  const stop = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined) return;
    const ended = once(running, "exit");
    running.kill("SIGKILL");
    await ended;
  };
  t.teardown(stop);
  return {
    directory: `https://127.0.0.1:${acme}/dir`,
    caFile,
    httpPort: http!,
    async start() {
      log = "";
      const started = spawn("pebble", ["-strict=false", "-config", config, "-dnsserver", `127.0.0.1:${names.port}`], {
        env: { PATH: process.env["PATH"], PEBBLE_VA_NOSLEEP: "1" },
        stdio: ["ignore", "pipe", "pipe"],
      });
      child = started;
      await new Promise<void>((done, fail) => {
        for (const stream of [started.stdout, started.stderr])
          stream.setEncoding("utf8").on("data", (text: string) => {
            log += text;
            if (log.includes("ACME directory available at")) done();
          });
        started.once("exit", () => fail(new Error(`pebble has ended: ${log}`)));
      });
      // It says so just before it does.
      const directory = `https://127.0.0.1:${acme}/dir`;
      while (!(await asked(directory, caFile).then(Boolean, () => false)))
        if (started.exitCode !== null) throw new Error(`pebble has ended: ${log}`);
    },
    stop,
    root: () => asked(`https://127.0.0.1:${management}/roots/0`, caFile),
    logged: (pattern) => log.split("\n").filter((line) => pattern.test(line)).length,
    ...names,
  };
}

const asked = (url: string, caFile: string): Promise<string> =>
  new Promise((done, fail) => {
    get(url, { ca: readFileSync(caFile) }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      answer.on("end", () => done(text)).on("error", fail);
    }).on("error", fail);
  });

/** Every name is at 127.0.0.1. */
async function openNames(t: Test) {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.teardown(() => socket.close());
  let held: (() => void)[] | undefined;
  let asked: (() => void) | undefined;
  socket.on("message", (query, { port, address }) => {
    const answer = (): void => socket.send(answerTo(query), port, address);
    if (held === undefined) answer();
    else held.push(answer);
    asked?.();
  });
  return {
    port: socket.address().port,
    holdNames(): Promise<void> {
      held = [];
      return new Promise((done) => {
        asked = done;
      });
    },
    releaseNames(): void {
      for (const answer of held ?? []) answer();
      held = undefined;
    },
  };
}

/** RFC 1035: the question once more, and for an A question one record. */
function answerTo(query: Buffer): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const isA = query.readUInt16BE(end - 4) === 1;
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(isA ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  const record = Buffer.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1);
  return Buffer.concat([head, query.subarray(12, end), ...(isA ? [record] : [])]);
}
