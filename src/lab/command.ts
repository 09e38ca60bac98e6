// What `pushbox lab` prints, and its exit code.
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { join, resolve } from "node:path";
import { printable } from "../core/printable.ts";
import { type LabDevice, register } from "./devices.ts";
import { CONFIG_FILE, DEVICES_FILE, FAULTS_FILE, faultsIn, type Lab, startLab } from "./index.ts";
import { LabMistake } from "./misbehave.ts";

export interface LabFlags {
  readonly dir: string;
  readonly port?: string;
  readonly fault?: readonly string[];
  readonly devices?: string;
  /** True: the default. */
  readonly receipts?: string | true;
}

interface Surroundings {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly onSignal: (signal: "SIGTERM" | "SIGINT", act: () => void) => void;
}

const ok = 0;
const failed = 1;
const wrong = 2;

/** Resolves when a signal has stopped the lab, or when the devices are registered. */
export function runLab(flags: LabFlags, host: Surroundings): Promise<number> {
  return flags.devices === undefined ? run(flags, host) : registerAll(flags.devices, flags.dir, host);
}

const API = "http://127.0.0.1:11001";
/** Milliseconds between two looks at the file of faults. */
const LOOK = 300;

async function run({ dir, port, fault = [], receipts }: LabFlags, host: Surroundings): Promise<number> {
  const { out, err, onSignal } = host;
  const first = port === undefined ? undefined : Number(port);
  if (first !== undefined && !(Number.isInteger(first) && first > 0 && first < 65_500)) {
    err(`--port ${port}: write a number from 1 to 65499\n`);
    return wrong;
  }
  const api = receipts === true ? API : receipts;
  if (api !== undefined && !/^https?:\/\/[^/?#]+\/?$/.test(api)) {
    err(`--receipts ${api}: write the URL of the server's API, such as ${API}\n`);
    return wrong;
  }
  const stopped = Promise.withResolvers<void>();
  onSignal("SIGINT", stopped.resolve);
  onSignal("SIGTERM", stopped.resolve);
  try {
    const lab = await startLab({
      directory: resolve(dir),
      ...(first === undefined ? {} : { port: first }),
      faults: fault,
      ...(api === undefined ? {} : { receipts: api }),
      now: Date.now,
      tell: (line) => out(`${printable(line)}\n`),
    });
    for (const { vendor, url, type, app, token } of lab.devices)
      out(`${vendor.padEnd(8)} ${url}  a device: type=${type} package_name=${app} token=${token}\n`);
    out(`\n${directions(dir)}\n`);
    watchFile(lab.faults, { interval: LOOK }, () => reread(lab, host));
    await stopped.promise;
    unwatchFile(lab.faults);
    await lab.close();
    out("stopped\n");
    return ok;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    err(
      `${code === "EADDRINUSE" ? `a port from ${port} on is in use: take others with --port, or any free ones without it` : message}\n`,
    );
    return error instanceof LabMistake ? wrong : failed;
  }
}

function reread(lab: Lab, { out }: Surroundings): void {
  try {
    const faults = faultsIn(readFileSync(lab.faults, "utf8"));
    lab.misbehave(faults);
    out(`faults  ${faults.length === 0 ? "none" : faults.join(", ")}\n`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Without the file nothing changes: editors remove it before they write it anew.
    if (code !== "ENOENT") out(`faults  as before: ${message}\n`);
  }
}

const example = {
  android: { title: "Hello", message: "from the lab", payload: { page: 1 } },
  apn: { alert: { title: "Hello", body: "from the lab" } },
};

const directions = (dir: string): string => `In other terminals, while this runs:
  pushbox serve --config ${join(dir, CONFIG_FILE)}
  pushbox lab --devices http://127.0.0.1:10001${dir === "./pushbox-lab" ? "" : ` --dir ${dir}`}
  curl http://127.0.0.1:11001/api/notification -d pushAll=true -d 'notification=${JSON.stringify(example)}'
What the devices show is printed here. The vendors misbehave as ${join(dir, FAULTS_FILE)} says; edit it while this runs. A client of your own registers one by what it says first:
  socket.emit("pushId", {id: "a-name-of-10-or-more", platform: "android", token: {type, token, package_name}})`;

async function registerAll(server: string, dir: string, { out, err }: Surroundings): Promise<number> {
  let devices: readonly LabDevice[];
  try {
    devices = JSON.parse(readFileSync(join(dir, DEVICES_FILE), "utf8")) as readonly LabDevice[];
  } catch {
    err(`${dir} is not the directory of a lab: start one with pushbox lab, or name its directory with --dir\n`);
    return failed;
  }
  for (const device of devices) {
    try {
      out(`${device.vendor.padEnd(8)} registered as ${await register(server, device)}\n`);
    } catch (error) {
      const { cause, message } = error as Error;
      const why = (cause as NodeJS.ErrnoException | undefined)?.code ?? message;
      err(`no device could be registered at ${server}: ${why}; is that where the server's clients connect?\n`);
      return failed;
    }
  }
  return ok;
}
