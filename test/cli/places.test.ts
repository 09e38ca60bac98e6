// Where the server is to listen: check and serve refuse the same, in the same words, and the default is every address there is.
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import t from "tap";
import { hasIpv6, placeProblems, withEveryFamily } from "../../src/cli/places.ts";
import { type Config, readConfig } from "../../src/config/index.ts";
import { startTestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { messages, start } from "../support/process.ts";

function config(...flags: readonly [name: string, text: string][]): Config {
  const reading = readConfig({
    env: {},
    flags: new Map([
      ["client-port", ["0"]],
      ["api-port", ["0"]],
      ["admin-port", ["0"]],
      ...flags.map(([name, text]) => [name, [text]] as const),
    ]),
  });
  if (reading.problems !== undefined) throw new Error(reading.problems.join());
  return reading.config;
}

const [name, [own] = []] = Object.entries(networkInterfaces())[0] ?? [];

t.test("D5: check refuses the hosts that serve refuses, with what to write", async (t) => {
  for (const [host, expected] of [
    [name ?? "lo", `${name} is a network interface: set --client-host to its address, ${own?.address}`],
    ["203.0.113.1", "203.0.113.1 is not an address of this machine: set --client-host to one, or to 0.0.0.0"],
    ["nobody.invalid", "nobody.invalid is not an address or a known name: set --client-host to an address"],
  ] as const) {
    const directory = t.testdir({});
    const ports = ["--client-port", "0", "--api-port", "0"];
    const [checked, served] = await Promise.all([
      runHere(directory, "check", "--client-host", host, ...ports),
      runHere(directory, "serve", "--client-host", host, ...ports),
    ]);
    t.match(checked, { code: 2, out: "", err: `client.host: ${expected}\n1 problem\n` });
    t.equal(served.code, 1);
    t.equal(messages(served.err).at(-1), expected);
  }
});

t.test("D5: check of the API's host, of a data directory that is a file, and of a port that is used", async (t) => {
  const { problems } = await placeProblems(config(["api-host", "203.0.113.1"], ["insecure-api", "true"]));
  t.match(problems, [/^api\.host: 203\.0\.113\.1 is not an address of this machine: set --api-host/]);
  const file = join(t.testdir({ data: "" }), "data");
  t.match((await placeProblems(config(["data", file]))).problems, [
    /^data: the data directory .* is a file: name another/,
  ]);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const used = config(["client-host", "127.0.0.1"], ["client-port", `${port}`]);
  t.same(await placeProblems(used), { problems: [], warnings: [] }, "most often it is this very server's");
});

t.test("B11: clients connect by IPv4 and IPv6 unless told otherwise, and each keeps its address", async (t) => {
  const { host } = config().client;
  t.equal(host, "::");
  if (!(await hasIpv6())) return void t.pass("left out: this machine has no IPv6");
  const app = await startTestApp(t, { client: { host, maxConnectionsPerAddress: 1 } });
  for (const address of ["127.0.0.1", "[::1]"]) {
    const handshake = () => fetch(`http://${address}:${app.clientPort}/socket.io/?EIO=4&transport=polling`);
    t.equal((await handshake()).status, 200, address);
    t.equal((await handshake()).status, 429);
  }
});

t.test("B11: a machine without IPv6 serves its IPv4 addresses, and one told to use IPv4 does", async (t) => {
  t.equal(withEveryFamily(config(), false).client.host, "0.0.0.0");
  t.equal(withEveryFamily(config(["client-host", "[::]"]), false).client.host, "0.0.0.0");
  t.equal(withEveryFamily(config(["client-host", "::1"]), false).client.host, "::1");
  t.equal(withEveryFamily(config(), true).client.host, "::");
});

t.test("B11: what serve says of where clients connect is true", async (t) => {
  const server = start(t.testdir({}), ["serve", "--client-port", "0", "--api-port", "0"]);
  const log = messages(await server.printed(/try: curl/));
  const line = log.find((text) => text.startsWith("clients connect to")) ?? "";
  const [, port] =
    /^clients connect to http:\/\/127\.0\.0\.1:(\d+), and to every other address of this machine$/.exec(line) ?? [];
  const hosts = (await hasIpv6()) ? ["127.0.0.1", "[::1]"] : ["127.0.0.1"];
  for (const host of hosts)
    t.equal((await fetch(`http://${host}:${port}/socket.io/?EIO=4&transport=polling`)).status, 200);
  t.equal((await server.stop()).code, 0);
});
