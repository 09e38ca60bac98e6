// Devices and tokens from a file into the store of a stopped server: piece by piece, so that it takes no more memory however many there are.
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, read, readSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { databaseOf } from "../../app/database.ts";
import type { Config } from "../../config/index.ts";
import type { ImportedDevice, ImportVerdict } from "../../core/import.ts";
import { type DeviceImport, openImport, rehearseImport } from "../../engine/import.ts";
import type { Limits, Read } from "../../moving/check.ts";
import { readHeader, readRow, type Table } from "../../moving/csv.ts";
import { readDevice } from "../../moving/devices.ts";
import { type Record as Cut, type From, records } from "../../moving/lines.ts";
import { failed, ok, type Process, STREAM } from "../command.ts";
import { explain, Trouble } from "../trouble.ts";
import { number, Progress } from "./progress.ts";
import { Report } from "./report.ts";

export interface Source {
  readonly tokens: boolean;
  readonly file: string;
  readonly dryRun: boolean;
}

/** Devices that are stored in one step: more take more memory, fewer write the same pages of the indexes more often. */
const BATCH = 1000;
/** Bytes of a line; one device has some hundred. */
const LONGEST = 1_000_000;
const PIECE = 1 << 16;
/** What is read of a file's beginning to know it again. */
const HEAD = 1 << 16;

/** What an older device's word is, in the report. */
const WORDS: Readonly<Record<"older" | "token elsewhere", string>> = {
  older: "what is known of it here is newer",
  "token elsewhere": "another device had its token later",
};

/** @returns the exit code: 1 too when a signal ended it, after which the same command goes on there */
export async function importDevices(source: Source, config: Config, host: Process): Promise<number> {
  let stopped: string | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    host.onSignal(signal, () => {
      stopped = signal;
    });
  host.keepSmall();
  let target: DeviceImport | undefined;
  let input: Input | undefined;
  try {
    input = openInput(source, host);
    target = await targetOf(config, source.dryRun, input.name);
    const run = new Run(source, input, target, config.client);
    const whole = await run.all(host, () => stopped !== undefined);
    const { report } = run;
    host.out(report.text(source.dryRun, placeOf(config), await target.count()));
    if (whole) return ok;
    host.err(`${stopped}: stopped at line ${number(run.at.lines)}; ${goOn(source, report)}\n`);
    return failed;
  } catch (error) {
    host.err(`the import stopped: ${explain(error, config)}\n`);
    return failed;
  } finally {
    await target?.close();
    input?.close();
  }
}

async function targetOf(config: Config, dryRun: boolean, name: string): Promise<DeviceImport> {
  if (config.engine === "sqlite") return dryRun ? rehearseImport(config.data) : openImport(config.data, name);
  const { openPostgresImport, rehearsePostgresImport } = await import("../../engine/postgres/transfer.ts");
  return dryRun ? rehearsePostgresImport(databaseOf(config)) : openPostgresImport(databaseOf(config), name);
}

const placeOf = ({ engine, data, postgres }: Config): string =>
  engine === "sqlite" ? resolve(data) : `the schema ${postgres.schema}`;

const goOn = ({ file, dryRun }: Source, report: Report): string =>
  dryRun || report.taken === 0
    ? "nothing was stored"
    : file === STREAM
      ? "what was read is stored; from the beginning again it is known"
      : "the same command goes on from there";

interface Input {
  /** Names the file and what is in it; of standard input nothing is known. */
  readonly name: string;
  /** Bytes; undefined: not known. */
  readonly size: number | undefined;
  from(bytes: number): AsyncIterable<Uint8Array>;
  close(): void;
}

function openInput({ file, tokens }: Source, host: Pick<Process, "inputPieces">): Input {
  const kind = tokens ? "tokens" : "devices";
  if (file === STREAM) {
    return { name: `${kind} -`, size: undefined, from: () => host.inputPieces(), close() {} };
  }
  const fd = openSync(file, "r");
  const { size, mtimeMs } = fstatSync(fd);
  const head = Buffer.alloc(Math.min(HEAD, size));
  try {
    readSync(fd, head, 0, head.length, 0);
  } catch (error) {
    closeSync(fd);
    // Of a file that was read without its name the error does not tell it.
    throw Object.assign(error as Error, { path: file });
  }
  const digest = createHash("sha256").update(head).digest("hex");
  return {
    name: `${kind} ${size} ${mtimeMs} ${digest}`,
    size,
    from: (start) => pieces(fd, start),
    close: () => closeSync(fd),
  };
}

const readAt = promisify(read);

/** Into the same memory again and again: what a stream leaves behind is only collected once there are megabytes of it. */
async function* pieces(fd: number, start: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafeSlow(PIECE);
  for (let at = start; ; ) {
    const { bytesRead } = await readAt(fd, piece, 0, piece.length, at);
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}

class Run {
  report: Report;
  /** Of what was stored. */
  at: From;
  readonly #source: Source;
  readonly #input: Input;
  readonly #target: DeviceImport;
  readonly #limits: Limits;
  readonly #resumed: boolean;
  #table: Table | undefined;

  constructor(
    source: Source,
    input: Input,
    target: DeviceImport,
    { maxIdLength, maxTagLength, maxTags }: Config["client"],
  ) {
    this.#source = source;
    this.#input = input;
    this.#target = target;
    this.#limits = { id: maxIdLength, tag: maxTagLength, tags: maxTags };
    // Standard input always begins anew.
    const before = source.file === STREAM ? undefined : target.before;
    this.#resumed = before !== undefined;
    this.at = { bytes: before?.bytes ?? 0, lines: before?.lines ?? 0 };
    this.report = before === undefined ? new Report() : Report.parse(before.report);
    this.#table = this.report.table;
  }

  /** False: it was stopped. */
  async all(host: Process, stopped: () => boolean): Promise<boolean> {
    const { file, tokens } = this.#source;
    const progress = new Progress(file, this.#input.size, this.at, host);
    if (this.#resumed) progress.say(`${file}: going on at line ${number(this.at.lines + 1)}`);
    let devices: ImportedDevice[] = [];
    let lines: number[] = [];
    const flush = async (to: From): Promise<void> => {
      await this.#store(devices, lines, to);
      devices = [];
      lines = [];
      progress.reached(to);
    };
    let last: From = this.at;
    for await (const piece of records(this.#input.from(this.at.bytes), this.at, LONGEST, tokens)) {
      for (const record of piece) {
        const read = this.#read(record);
        last = record;
        if (read === undefined) continue;
        if (read.skipped !== undefined) this.report.skip(read.skipped, record.line);
        else {
          for (const what of read.without) this.report.leaveOut(what, record.line);
          devices.push(read.device);
          lines.push(record.line);
        }
        if (devices.length >= BATCH) await flush(record);
      }
      if (stopped()) {
        await flush(last);
        return false;
      }
    }
    await flush(last);
    await this.#target.finish();
    progress.end();
    return true;
  }

  /** Undefined: the line says nothing of a device. */
  #read({ text, tooLong, line }: Cut): Read | undefined {
    if (text.trim() === "") return undefined;
    if (!this.#source.tokens) {
      if (line === 1 && /^\uFEFF?\s*\[/.test(text))
        throw new Trouble(
          "this is one list of documents; run mongoexport without --jsonArray, so that each has a line",
        );
      return tooLong ? { skipped: `the line is longer than ${number(LONGEST)} bytes` } : readDevice(text, this.#limits);
    }
    if (this.#table === undefined) {
      const table = tooLong ? "the first line is too long" : readHeader(text);
      if (typeof table === "string") throw new Trouble(table);
      this.#table = table;
      this.report.table = table;
      return undefined;
    }
    return tooLong
      ? { skipped: `the row is longer than ${number(LONGEST)} bytes` }
      : readRow(text, this.#table, this.#limits);
  }

  async #store(devices: readonly ImportedDevice[], lines: readonly number[], to: From): Promise<void> {
    const reported = (verdicts: readonly ImportVerdict[]): Report => {
      const report = this.report.copy();
      for (const [at, verdict] of verdicts.entries()) {
        if (verdict === "older" || verdict === "token elsewhere") report.skip(WORDS[verdict], lines[at]!);
        else report.count(verdict);
      }
      return report;
    };
    const verdicts = await this.#target.take(devices, (known) => ({
      bytes: to.bytes,
      lines: to.lines,
      report: JSON.stringify(reported(known)),
    }));
    this.report = reported(verdicts);
    this.at = { bytes: to.bytes, lines: to.lines };
  }
}
