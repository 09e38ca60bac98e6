// The command `lab`: every vendor's push service on this machine.
import type { LabFlags } from "../lab/command.ts";
import { faultHelp } from "../lab/faults.ts";
import type { Cli } from "./command.ts";

const labDirectory = "./pushbox-lab";
const repeated = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export function addLab({ program, host, end }: Cli): void {
  program
    .command("lab")
    .summary("all vendors' push services on this machine, to try notifications without phones and accounts")
    .description(
      "Start a faithful copy of every vendor's push service on this machine, write a configuration that uses them, and print " +
        "what devices would show. With --devices: register one device per vendor with a running server instead, and end.",
    )
    .option("--dir <directory>", "where to write configuration, keys and certificates; made when missing", labDirectory)
    .option("--port <port>", "take this port and those after it; any free ones without it")
    .option("--fault <vendor=fault>", "let a vendor misbehave, see below; can be repeated", repeated)
    .option(
      "--receipts [url]",
      "let vendors tell the server with this API what arrived (default: http://127.0.0.1:11001)",
    )
    .option("--devices <url>", "register the lab's devices with the server whose clients connect there")
    .action(async (options: LabFlags) => end(await (await import("../lab/command.ts")).runLab(options, host)))
    .addHelpText(
      "after",
      `
Faults, as VENDOR=FAULT for all requests or VENDOR=FAULT:TIMES for the next so many, with "all" for every vendor that can. They are
changed while the lab runs in the file faults.txt of its directory.

${faultHelp}

Examples:
  pushbox lab
  pushbox serve --config ./pushbox-lab/pushbox-lab.toml        in another terminal, while the lab runs
  pushbox lab --devices http://127.0.0.1:10001                 in a third: one device per vendor
  pushbox lab --receipts                                       the server's statistics count what arrived
  pushbox lab --fault xiaomi=hang --fault apns=goaway:3
  echo all=slow > pushbox-lab/faults.txt                       while it runs`,
    );
}
