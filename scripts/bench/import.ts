// What an import takes, in a process of its own: the lines are made, the memory is what the system says the process has for itself.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { limit } from "./table.ts";

interface Imported {
  readonly code: number | null;
  readonly out: string;
  /** The most memory of its own, in MB; NaN where the system does not say. */
  readonly peak: number;
  readonly seconds: number;
}

const LOOKS_EVERY = 20;

/** Lines of mongoexport, each device with a token, a uid and tags. */
async function writeDevices(file: string, count: number): Promise<void> {
  const out = createWriteStream(file);
  for (let n = 0; n < count; n++) {
    const token = (n * 2_654_435_761).toString(16).padStart(40, "0");
    const line = JSON.stringify({
      _id: `device-${token.slice(-16)}-${n}`,
      uid: `user${(n * 7919) % count}`,
      platform: "android",
      tags: [`tag${n % 50}`, "news"],
      createTime: { $date: "2018-01-31T12:00:00.000Z" },
      updateTime: { $date: "2018-02-01T12:00:00.000Z" },
      type: "xiaomi",
      token,
      package_name: "com.example.app",
    });
    if (!out.write(`${line}\n`)) await once(out, "drain");
  }
  await new Promise<void>((done) => out.end(done));
}

/** By the executable that PUSHBOX_BINARY names; without it from source. */
export async function importDevices(directory: string, count: number): Promise<Imported> {
  const { PUSHBOX_BINARY: binary, NODE_OPTIONS: _theirs, ...env } = process.env;
  const preload = process.execArgv.filter((argument) => argument.startsWith("--import="));
  const program = binary ?? process.execPath;
  const flags = binary === undefined ? [...preload, join(import.meta.dirname, "../../src/main.ts")] : [];
  const file = join(directory, "devices.json");
  await writeDevices(file, count);
  const begun = performance.now();
  const child = spawn(program, [...flags, "import", "--devices", file, "--data", join(directory, "data")], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  let peak = Number.NaN;
  const look = (): void => {
    try {
      const kilobytes = /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
      if (kilobytes !== undefined) peak = Math.max(Number.isNaN(peak) ? 0 : peak, (Number(kilobytes) * 1024) / 1e6);
    } catch {
      // It has ended, or this is no Linux.
    }
  };
  const timer = setInterval(look, LOOKS_EVERY);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return { code, out, peak, seconds: (performance.now() - begun) / 1000 };
  } finally {
    clearInterval(timer);
    child.kill("SIGKILL");
  }
}

/** A row of the bench: 1,000,000 devices, or DEVICES. */
export async function importing(directory: string): Promise<void> {
  const devices = Number(process.env["DEVICES"] ?? 1_000_000);
  const place = mkdtempSync(join(directory, "import-"));
  try {
    const { code, peak, seconds } = await importDevices(place, devices);
    if (code !== 0) throw new Error(`the import ended with ${code}`);
    limit(`import of ${devices} devices in ${seconds.toFixed(0)} s: memory of its own, MB`, "50", 50, peak);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
