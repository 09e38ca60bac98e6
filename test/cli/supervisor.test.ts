// What systemd is told, by the real systemd-notify to a real socket.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { kill, messages, serve, start } from "../support/process.ts";

/** systemd's end of the socket: each datagram is a line. Perl, because Node has no such sockets. */
const LISTEN = `use IO::Socket::UNIX; $| = 1;
my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!;
print "listening\\n";
while (defined $s->recv(my $text, 4096)) { $text =~ s/\\n/ /g; print "$text\\n"; }`;

function installed(t: Test): boolean {
  const missing = ["systemd-notify", "perl"].filter((name) => spawnSync(name, ["--version"]).status !== 0);
  if (missing.length > 0) t.pass(`left out: ${missing.join(" and ")} not installed`);
  return missing.length === 0;
}

interface Ear {
  readonly socket: string;
  /** Resolves once it was told that. */
  heard(text: string, times?: number): Promise<void>;
  readonly all: readonly string[];
}

async function listen(t: Test): Promise<Ear> {
  const directory = mkdtempSync(join(tmpdir(), "pushbox-notify-")); // the name of a socket is short
  const socket = join(directory, "s");
  const child = spawn("perl", ["-e", LISTEN, socket], { stdio: ["ignore", "pipe", "inherit"] });
  t.teardown(async () => {
    await kill(child);
    rmSync(directory, { recursive: true });
  });
  const all: string[] = [];
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  lines.on("line", (line) => all.push(line));
  return {
    socket,
    all,
    heard: async (text, times = 1) => {
      while (all.filter((line) => line.includes(text)).length < times) await once(lines, "line");
    },
  };
}

t.test("systemd hears when clients can connect, that the server still turns, and that it stops", async (t) => {
  if (!installed(t)) return;
  const { socket, heard, all } = await listen(t);
  const directory = t.testdir({});
  const server = await serve(t, directory, [], { env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "200000" } });
  await heard("READY=1");
  await heard("WATCHDOG=1", 3);
  const ended = server.stop();
  await heard("STOPPING=1");
  t.equal((await ended).code, 0);
  const said = all.map((line) => /(READY|WATCHDOG|STOPPING)=1/.exec(line)?.[1]).filter((word) => word !== undefined);
  t.equal(said[0], "READY");
  t.equal(said.at(-1), "STOPPING");
  t.notMatch((await ended).out, "systemd is not told");
});

t.test(
  "a server that does not start does not say that it is ready; a watchdog for another process is not fed",
  async (t) => {
    if (!installed(t)) return;
    const { socket, heard, all } = await listen(t);
    const directory = t.testdir({ file: "" });
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "2000", WATCHDOG_PID: "1" };
    const server = await serve(t, directory, [], { env });
    await heard("READY=1");
    const second = await start(directory, ["serve", "--data", "file"], { env }).ended;
    t.equal(second.code, 1);
    t.equal((await server.stop()).code, 0);
    await heard("STOPPING=1");
    t.equal(all.filter((line) => line.includes("READY=1")).length, 1);
    t.notOk(all.some((line) => line.includes("WATCHDOG=1")));
  },
);

t.test("where systemd-notify is missing the log says so, and the server serves", async (t) => {
  const directory = t.testdir({ bin: {} });
  const env = { NOTIFY_SOCKET: "/nowhere", PATH: join(directory, "bin") };
  const server = await serve(t, directory, [], { env });
  const out = await server.printed(/systemd is not told.*\n/);
  t.match(messages(out).join("\n"), /systemd is not told that this server is ready: .*systemd-notify/);
  t.equal((await server.stop()).code, 0);
});
